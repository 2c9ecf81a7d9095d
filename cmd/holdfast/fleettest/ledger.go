package fleettest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/api/client"
)

// Order is a claim as its caller was told of it.
type Order struct{ ID, SKU, User, State string }

// Answer is what a caller was told, in short.
type Answer struct {
	// Node is the one that was asked.
	Node string
	// Live: nothing was done to the node from the request's beginning to its end.
	Live bool
	// Status is that of HTTP; 0 for no answer.
	Status int
	// Code is the problem's, "ok", "not sent" or "no answer".
	Code string
}

// attempt is a call whose outcome its caller was not told.
type attempt struct {
	kind           Kind
	key, sku, user string
	order          string // to confirm or cancel
}

// Ledger is what callers were told: every acknowledgement, every outcome that is unknown, and every answer by its code.
type Ledger struct {
	mu       sync.Mutex // guards all below
	stock    map[string]int64
	orders   map[string]Order // by key
	unknown  []attempt
	never    map[string]string // keys that were never executed, as their callers were told, and why
	accepted map[string][]time.Time
	answers  map[Answer]int
	wrong    []string
	next     int
	// slowest is the longest call that a live node executed.
	slowest time.Duration
	// failed counts orders that were given up after patience.
	failed int
	// unknowns and found count outcomes that were unknown, and those of them that had been executed.
	unknowns, found int

	underway underway
}

func newLedger() *Ledger {
	return &Ledger{
		stock: make(map[string]int64), orders: make(map[string]Order), never: make(map[string]string),
		accepted: make(map[string][]time.Time), answers: make(map[Answer]int),
	}
}

// Acknowledged returns how many orders were.
func (l *Ledger) Acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.orders)
}

// Orders returns the acknowledged orders by key, as they stand.
func (l *Ledger) Orders() map[string]Order {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.orders)
}

// Unknown returns how many outcomes were ever unknown, and how many of those turned out to have been executed.
func (l *Ledger) Unknown() (all, executed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unknowns, l.found
}

// Failed returns how many orders were given up because nobody executed them within the crowd's patience.
func (l *Ledger) Failed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// Slowest returns how long the longest call took that a live node answered and had executed.
func (l *Ledger) Slowest() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.slowest
}

// Answers returns how many of each answer there were.
func (l *Ledger) Answers() map[Answer]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.answers)
}

// Blemishes returns the answers of live nodes that no caller should get: 5xx other than 503, and no answer at all.
func (l *Ledger) Blemishes() map[Answer]int {
	all := l.Answers()
	maps.DeleteFunc(all, func(a Answer, _ int) bool {
		return !a.Live || a.Code == "ok" || a.Status == 503 || a.Status >= 400 && a.Status < 500
	})
	return all
}

// Summary says in one paragraph what callers were told.
func (l *Ledger) Summary() string {
	sums := make(map[string]int)
	for a, n := range l.Answers() {
		live := "live"
		if !a.Live {
			live = "lost"
		}
		sums[fmt.Sprintf("%s node %d %s", live, a.Status, a.Code)] += n
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		parts = append(parts, fmt.Sprintf("%s: %d", name, sums[name]))
	}
	unknown, executed := l.Unknown()
	return fmt.Sprintf("%d orders acknowledged, %d outcomes unknown (%d of them executed), %d given up, slowest answer %s; %s",
		l.Acknowledged(), unknown, executed, l.Failed(), l.Slowest().Round(time.Millisecond), strings.Join(parts, ", "))
}

func (l *Ledger) made(sku string, units int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stock[sku] = units
}

func (l *Ledger) knows(sku string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, known := l.stock[sku]
	return known
}

// draw returns a key nobody used.
func (l *Ledger) draw(sku string) attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	return attempt{kind: Place, key: fmt.Sprintf("key-%d", l.next), sku: sku, user: fmt.Sprintf("user-%d", l.next)}
}

// count notes an answer.
func (l *Ledger) count(n *Node, live bool, took time.Duration, err error) {
	a := Answer{Node: n.ID, Live: live, Status: 200, Code: "ok"}
	if p, isProblem := errors.AsType[*client.Problem](err); isProblem {
		a.Status, a.Code = p.Status, p.Code
	} else if err != nil {
		a.Status, a.Code = 0, "no answer"
		if client.IsNotExecuted(err) {
			a.Code = "not sent"
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers[a]++
	if live && err == nil {
		l.slowest = max(l.slowest, took)
	}
}

// told notes that a call took effect. now is when its caller heard it; zero for one that is looked up.
func (l *Ledger) told(a attempt, o client.Order, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, known := l.orders[a.key]
	if known && before.ID != o.ID {
		l.wrong = append(l.wrong, fmt.Sprintf("key %s has the orders %s and %s", a.key, before.ID, o.ID))
	}
	if a.kind != Place && !known {
		l.wrong = append(l.wrong, fmt.Sprintf("%s of order %s, which nobody placed", a.kind, a.order))
	}
	state := o.State
	if a.kind == Place && known {
		state = before.State // the answer shows the order as first given
	}
	l.orders[a.key] = Order{ID: o.ID, SKU: a.sku, User: a.user, State: state}
	if a.kind == Place && !now.IsZero() {
		l.accepted[a.sku] = append(l.accepted[a.sku], now)
	}
}

// doubt notes a call whose outcome its caller was not told.
func (l *Ledger) doubt(a attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unknown = append(l.unknown, a)
	l.unknowns++
}

// not notes that a call was not executed and never will be.
func (l *Ledger) not(a attempt, why string, failed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if failed {
		l.failed++
	}
	if a.kind == Place {
		l.never[a.key] = why
	}
}

// Wrong notes what must not be; the next audit tells of it.
func (l *Ledger) Wrong(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}
