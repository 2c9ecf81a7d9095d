package fleettest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// underway are the calls that have begun and not ended.
type underway struct {
	mu    sync.Mutex // guards calls
	calls map[*Op]struct{}
}

// begin notes a call until done is called.
func (u *underway) begin(op Op) (done func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.calls == nil {
		u.calls = make(map[*Op]struct{})
	}
	u.calls[&op] = struct{}{}
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.calls, &op)
	}
}

// Waiting says who waits for an answer about a SKU: through which node, what for and how long, the longest first. When nobody buys, these are all the
// buyers there are.
func (l *Ledger) Waiting(sku string) string { return l.underway.about(sku, time.Now()) }

func (u *underway) about(sku string, now time.Time) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var calls []*Op
	for op := range u.calls {
		if op.SKU == sku {
			calls = append(calls, op)
		}
	}
	slices.SortFunc(calls, func(a, b *Op) int { return a.Begin.Compare(b.Begin) })
	texts := make([]string, len(calls))
	for i, op := range calls {
		texts[i] = fmt.Sprintf("%s %s for %s", op.Node, op.Kind, now.Sub(op.Begin).Round(time.Millisecond))
	}
	return fmt.Sprintf("%d wait for an answer (%s)", len(calls), strings.Join(texts, ", "))
}
