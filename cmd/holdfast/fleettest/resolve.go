package fleettest

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"holdfast/api/client"
)

const (
	// resolveTimeout bounds the question of what became of one call.
	resolveTimeout = 30 * time.Second
	// resolvers ask at a time.
	resolvers = 8
)

// Resolve makes every unknown outcome definite: it asks again under the same key, asks for the outcome, or fences the key. No load may run.
func (f *Fleet) Resolve() {
	f.t.Helper()
	l := f.ledger
	l.mu.Lock()
	pending := l.unknown
	l.unknown = nil
	l.mu.Unlock()
	f.each(len(pending), func(i int) { f.resolve(pending[i], i%3) })
}

// each does something n times, some of them at once.
func (f *Fleet) each(n int, do func(i int)) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range resolvers {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

func (f *Fleet) resolve(a attempt, way int) {
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	c := f.anyone().Patient
	if a.kind != Place || way == 0 {
		o, err := send(ctx, c, a)
		if err == nil {
			f.ledger.resolved(a, &o)
			return
		}
		if a.kind != Place || !client.IsRefused(err) {
			f.ledger.Wrong("what became of the %s with key %s: %v", a.kind, a.key, err)
			return
		}
		// Refused, for want of units: the key is fenced, so that the first copy takes none either.
	}
	if way == 1 {
		seen, err := c.Outcome(ctx, a.sku, a.key)
		if err == nil {
			f.ledger.resolved(a, seen.Order)
			return
		}
		if client.CodeOf(err) != "outcome_not_seen" {
			f.ledger.Wrong("the outcome of key %s: %v", a.key, err)
			return
		}
	}
	fenced, err := c.Fence(ctx, a.sku, a.key)
	if err != nil {
		f.ledger.Wrong("fence key %s: %v", a.key, err)
		return
	}
	f.ledger.resolved(a, fenced.Order)
}

// anyone returns a live node.
func (f *Fleet) anyone() *Node {
	live := f.Live()
	return live[rand.IntN(len(live))]
}

// resolved notes what became of a call: nil when it was fenced.
func (l *Ledger) resolved(a attempt, o *client.Order) {
	if o == nil {
		l.not(a, "fenced", false)
		return
	}
	l.mu.Lock()
	l.found++
	l.mu.Unlock()
	l.told(a, *o, time.Time{})
}
