package fleettest

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"holdfast/api/client"
)

// Kind is what a call of the crowd is.
type Kind string

// The kinds of calls.
const (
	Place   Kind = "place"
	Confirm Kind = "confirm"
	Cancel  Kind = "cancel"
)

// Op is one call, for those who keep a history.
type Op struct {
	Kind Kind
	// Caller is one of the crowd: it has one call at a time.
	Caller int
	Node   string
	SKU    string
	// Key is the order's, ID the order's as far as it is known.
	Key, ID string
	// Begin and End are the moments around the call.
	Begin, End time.Time
	// Order is what was answered, when Err is nil.
	Order client.Order
	Err   error
}

// LoadConfig says what a crowd does. Zero values stand for the defaults named at the fields.
type LoadConfig struct {
	// SKUs are ordered in turn: each caller orders one of them.
	SKUs []string
	// Callers is how many there are. Default: three for each SKU.
	Callers int
	// Pace is how long a caller waits between two orders. Default 10 ms.
	Pace time.Duration
	// Patience is how long a caller sends an order again that was not executed. Default 15 s.
	Patience time.Duration
	// Timeout bounds one call. Default 6 s.
	Timeout time.Duration
	// ConfirmOf and CancelOf are the shares of orders, in percent, that are confirmed and cancelled. Default 30 and 15; below 0: none.
	ConfirmOf, CancelOf int
	// Nodes limits the crowd to these. Default: all.
	Nodes []*Node
	// Blind lets callers ask nodes that are down or paused, too.
	Blind bool
}

func (c LoadConfig) withDefaults(f *Fleet) LoadConfig {
	orDefault(&c.Callers, 3*len(c.SKUs))
	orDefault(&c.Pace, 10*time.Millisecond)
	orDefault(&c.Patience, 15*time.Second)
	orDefault(&c.Timeout, 6*time.Second)
	orDefault(&c.ConfirmOf, 30)
	orDefault(&c.CancelOf, 15)
	if len(c.Nodes) == 0 {
		c.Nodes = f.nodes
	}
	return c
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Load is a crowd that orders until it is stopped.
type Load struct {
	fleet   *Fleet
	cfg     LoadConfig
	ledger  *Ledger
	stop    chan struct{}
	once    sync.Once
	callers sync.WaitGroup
}

// Load lets a crowd order through all nodes that are up, each call through one by chance. Stop ends it, and so does the end of the test.
func (f *Fleet) Load(cfg LoadConfig) *Load {
	l := &Load{fleet: f, cfg: cfg.withDefaults(f), ledger: f.ledger, stop: make(chan struct{})}
	for i := range l.cfg.Callers {
		l.callers.Go(func() { l.call(i) })
	}
	f.t.Cleanup(l.Stop)
	return l
}

// End lets nobody of the crowd begin another call. It does not wait.
func (l *Load) End() { l.once.Do(func() { close(l.stop) }) }

// Stop ends the crowd when its calls under way have ended.
func (l *Load) Stop() {
	l.End()
	l.callers.Wait()
}

// call is one of the crowd.
func (l *Load) call(caller int) {
	sku := l.cfg.SKUs[caller%len(l.cfg.SKUs)]
	for l.pause(l.cfg.Pace) {
		a := l.ledger.draw(sku)
		o, ok := l.insist(caller, a)
		if !ok {
			continue
		}
		a.order = o.ID
		switch dice := rand.IntN(100); {
		case dice < l.cfg.ConfirmOf:
			a.kind = Confirm
		case dice < l.cfg.ConfirmOf+l.cfg.CancelOf:
			a.kind = Cancel
		default:
			continue
		}
		l.insist(caller, a)
	}
}

// insist makes a call until it is executed or refused, its outcome is unknown, or patience or the load end.
func (l *Load) insist(caller int, a attempt) (client.Order, bool) {
	for begin := time.Now(); ; {
		o, err := l.try(caller, a)
		switch {
		case err == nil:
			l.ledger.told(a, o, time.Now())
			return o, true
		case client.IsUnknown(err):
			l.ledger.doubt(a)
			return o, false
		case client.IsRefused(err):
			if code := client.CodeOf(err); code != "sold_out" && code != "sold_out_pending" {
				l.ledger.Wrong("%s with key %s: %v", a.kind, a.key, err)
			}
			l.ledger.not(a, err.Error(), false)
			return o, false
		case time.Since(begin) > l.cfg.Patience:
			l.ledger.not(a, err.Error(), true)
			return o, false
		case !l.pause(5*time.Millisecond + rand.N(30*time.Millisecond)):
			l.ledger.not(a, err.Error(), false)
			return o, false
		}
	}
}

// try makes a call once, through a node that is up.
func (l *Load) try(caller int, a attempt) (client.Order, error) {
	n := l.pick()
	if n == nil {
		return client.Order{}, &client.NoAnswer{Err: client.ErrAddr}
	}
	turn := n.Turn()
	op := Op{Kind: a.kind, Caller: caller, Node: n.ID, SKU: a.sku, Key: a.key, ID: a.order, Begin: time.Now()}
	ctx, cancel := context.WithTimeout(context.Background(), l.cfg.Timeout)
	defer cancel()
	defer l.ledger.underway.begin(op)()
	op.Order, op.Err = send(ctx, n.Client, a)
	op.End = time.Now()
	l.ledger.count(n, turn%2 == 1 && turn == n.Turn(), op.End.Sub(op.Begin), op.Err)
	if l.fleet.opts.Observe != nil {
		l.fleet.opts.Observe(op)
	}
	return op.Order, op.Err
}

func send(ctx context.Context, c *client.Client, a attempt) (client.Order, error) {
	switch a.kind {
	case Confirm:
		return c.Confirm(ctx, a.order, "pay-"+a.key)
	case Cancel:
		return c.Cancel(ctx, a.order, "")
	}
	p, err := c.PlaceOrder(ctx, a.key, client.NewOrder{SKU: a.sku, User: a.user})
	return p.Order, err
}

// pick returns a node that is up, nil when there is none.
func (l *Load) pick() *Node {
	first := rand.IntN(len(l.cfg.Nodes))
	for i := range l.cfg.Nodes {
		if n := l.cfg.Nodes[(first+i)%len(l.cfg.Nodes)]; l.cfg.Blind || n.Up() {
			return n
		}
	}
	return nil
}

// pause waits; false when the load is to stop.
func (l *Load) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.stop:
	}
	select {
	case <-l.stop:
		return false
	default:
		return true
	}
}
