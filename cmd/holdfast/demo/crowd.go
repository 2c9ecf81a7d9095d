package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/api/client"
)

// crowd is everybody who wants to buy. All arrive as fast as the node answers; whoever finds nothing free while units are still held stands in a
// queue and comes back, in order, when units are free again.
type crowd struct {
	cfg    *Config
	client *client.Client // sends a call again under the same key until its outcome is known
	book   *book

	arrived atomic.Int64
	seats   chan buyer     // those of the queue who may come back
	after   sync.WaitGroup // buyers with a hold
	visits  atomic.Int64   // visits under way or called for
	// seen is what was held and sold at one moment, as the node showed it last.
	seen atomic.Pointer[client.Availability]

	// onRush is called once: when so many orders are accepted, or so many buyers have come, that a power cut hits the crowd in the middle.
	onRush       func()
	orders, rush int64
	cut          sync.Once

	mu    sync.Mutex // guards queue
	queue []buyer
}

const (
	// lookEvery is how often the crowd looks whether anything is free.
	lookEvery = 15 * time.Millisecond
	// rushPercent of the buyers are in when the power is cut at the latest, so that others are still coming.
	rushPercent = 60
)

func newCrowd(cfg *Config, c *client.Client, onRush func()) *crowd {
	crowd := &crowd{
		cfg: cfg, client: c, book: newBook(), seats: make(chan buyer, cfg.Buyers), onRush: onRush,
		orders: max(1, cfg.Units*cfg.CutAt/100), rush: max(1, int64(cfg.Buyers)*rushPercent/100),
	}
	crowd.seen.Store(&client.Availability{})
	return crowd
}

// run lets everybody in and returns when nothing is available or held any more, every buyer has come at least once, and whoever still had
// something to do has done it.
func (c *crowd) run(ctx context.Context) error {
	doors, closeDoors := context.WithCancel(ctx)
	defer closeDoors()
	var callers sync.WaitGroup
	for range c.cfg.Callers {
		callers.Go(func() { c.caller(ctx, doors) })
	}
	err := c.watch(ctx)
	closeDoors()
	callers.Wait()
	c.after.Wait()
	return err
}

// caller makes one visit after the other: first of those who were called back, then of new arrivals.
func (c *crowd) caller(ctx, doors context.Context) {
	for {
		b, ok := c.next(doors)
		if !ok {
			return
		}
		if c.visit(ctx, b) == comeBack {
			c.mu.Lock()
			c.queue = append(c.queue, b)
			c.mu.Unlock()
		}
		c.visits.Add(-1)
	}
}

// next returns who comes next. Their visit counts as under way from now on, that of somebody called back from the call.
func (c *crowd) next(doors context.Context) (b buyer, ok bool) {
	select {
	case b := <-c.seats:
		return b, true
	default:
	}
	c.visits.Add(1)
	if n := c.arrived.Add(1); n <= int64(c.cfg.Buyers) {
		c.book.count(func(t *Tally) { t.Buyers++ })
		if n == c.rush {
			c.cut.Do(c.onRush)
		}
		return person(c.cfg, int(n)), true
	}
	c.visits.Add(-1)
	select {
	case b := <-c.seats:
		return b, true
	case <-doors.Done():
		return buyer{}, false
	}
}

// watch calls people back while units are free, and returns when there is nothing left to wait for.
func (c *crowd) watch(ctx context.Context) error {
	for pause(ctx, lookEvery) {
		// What is under way is counted before the look, so that nothing can slip in between.
		idle := c.arrived.Load() >= int64(c.cfg.Buyers) && c.visits.Load() == 0
		a, err := c.client.Availability(ctx, sku)
		if err != nil {
			return errors.Join(fmt.Errorf("look at what is available: %w", err), ctx.Err())
		}
		c.look(&a)
		if a.Available > 0 {
			c.callBack(a.Available)
		}
		if !idle || a.Held > 0 || a.Available > 0 && c.waiting() > 0 {
			continue
		}
		if over, err := c.over(ctx); over || err != nil {
			return err
		}
	}
	return fmt.Errorf("the sale did not end: %w", ctx.Err())
}

// look notes what was held and sold, unless somebody who knew less has answered: any node shows what it has applied itself.
func (c *crowd) look(a *client.Availability) {
	if a.AsOfIndex >= c.seen.Load().AsOfIndex {
		c.seen.Store(a)
	}
}

// over asks the leader whether nothing is available or held any more.
func (c *crowd) over(ctx context.Context) (bool, error) {
	s, err := c.client.SKU(ctx, sku)
	if err != nil {
		return false, errors.Join(fmt.Errorf("look at what is left: %w", err), ctx.Err())
	}
	c.look(&client.Availability{Available: s.Available, Held: s.Held, Sold: s.Sold, AsOfIndex: s.AsOfIndex})
	return s.Held == 0 && (s.Available == 0 || c.waiting() == 0), nil
}

// callBack lets a few more of the queue come than units are free: some will find them gone, as in any shop.
func (c *crowd) callBack(free int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(c.queue), int(2*free)+2, cap(c.seats)-len(c.seats))
	c.visits.Add(int64(n))
	for _, b := range c.queue[:n] {
		c.seats <- b
	}
	c.queue = c.queue[n:]
}

// waiting is how many stand in the queue.
func (c *crowd) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue)
}

// taken notes how many orders were accepted.
func (c *crowd) taken(orders int64) {
	if orders >= c.orders {
		c.cut.Do(c.onRush)
	}
}
