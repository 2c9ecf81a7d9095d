package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast/api/client"
)

// sale is the crowd, the nodes it buys from, and the way between them.
type sale struct {
	cfg    *Config
	fleet  fleet
	wire   *wire
	client *client.Client
	crowd  *crowd
	outage outage
	show   *progress

	over    chan struct{}  // closed when there is nothing left to sell
	watched sync.WaitGroup // whoever looks after the nodes meanwhile
}

func newSale(cfg *Config, f fleet, show *progress) (*sale, error) {
	w := newWire(newSpread(f), cfg.Callers+cfg.Callers/2)
	c, err := newClient(w)
	return &sale{cfg: cfg, fleet: f, wire: w, client: c, show: show, over: make(chan struct{})}, err
}

func (s *sale) close() { s.wire.to.CloseIdleConnections() }

// open puts the SKU on sale.
func (s *sale) open(ctx context.Context) error {
	spec := client.SKUSpec{SKU: sku, Stock: s.cfg.Units, HoldTTLMS: s.cfg.HoldTTL.Milliseconds(), LimitPerUser: limitPerUser, Hot: true}
	made, err := s.client.CreateSKU(ctx, spec)
	if err != nil {
		return fmt.Errorf("create the SKU: %w", err)
	}
	led := ""
	if len(s.fleet) > 1 {
		led = ", led by " + made.Leader
	}
	s.show.say("on sale%s: %s units, one per buyer, held %s until paid for; %s buyers come at once",
		led, number(s.cfg.Units), s.cfg.HoldTTL, number(int64(s.cfg.Buyers)))
	return nil
}

// hold sells everything, with a power cut in the middle, and returns what the clients were told.
func (s *sale) hold(ctx context.Context) (Told, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(errHeld)
	cut := make(chan struct{})
	s.crowd = newCrowd(s.cfg, s.client, func() { close(cut) })
	s.show.follow(func() string { return s.crowd.state(s.wire) })
	s.watched.Go(func() { stop(s.watch(ctx, cut)) })
	err := s.crowd.run(ctx)
	close(s.over)
	s.watched.Wait()
	s.show.finish()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errHeld) {
		return Told{}, fmt.Errorf("the sale was broken off: %w", cause)
	}
	t := s.crowd.book.told()
	t.AskedAgain, t.Requests, t.Unknown = s.wire.askedAgain(), s.wire.answered.Load(), s.wire.unknown.Load()
	t.LedBefore, t.LedAfter, t.Gap = s.outage.before, s.outage.after, s.outage.gap(s.crowd.book)
	return t, err
}

// errHeld ends what waits for the end of the sale.
var errHeld = errors.New("demo: the sale was held to its end")

// faultEvery is how often it is looked whether the nodes are still there.
const faultEvery = 20 * time.Millisecond

// watch has the power cut once, and returns errHeld when the sale has ended, or why it cannot go on. A node that ends by itself is a fault.
func (s *sale) watch(ctx context.Context, cut <-chan struct{}) error {
	cutting := make(chan error, 1)
	look := time.NewTicker(faultEvery)
	defer look.Stop()
	for over := s.over; ; {
		select {
		case <-cut:
			cut, over = nil, nil // a power cut is seen through to its end
			s.watched.Go(func() { cutting <- s.outage.cut(ctx, s) })
		case err := <-cutting:
			if err != nil {
				return err
			}
			over = s.over
		case <-look.C:
			if err := s.fleet.fault(); err != nil {
				return err
			}
		case <-over:
			return errHeld
		}
	}
}

// ended reports whether there is nothing left to sell.
func (s *sale) ended() bool {
	select {
	case <-s.over:
		return true
	default:
		return false
	}
}

// leader asks who leads the SKU.
func (s *sale) leader(ctx context.Context) (string, error) {
	now, err := s.client.SKU(ctx, sku)
	if err != nil {
		return "", fmt.Errorf("ask who leads the SKU: %w", err)
	}
	return now.Leader, nil
}

// state is the live line. What is sold and held is of one moment, so that it never adds up to more than there is.
func (c *crowd) state(w *wire) string {
	t, seen := c.book.tally(), c.seen.Load()
	return fmt.Sprintf("%s of %s sold, %s held | %s buyers came, %s refusals | %s cancelled | %s asked again",
		number(seen.Sold), number(c.cfg.Units), number(seen.Held), number(t.Buyers), number(t.Refused), number(t.Cancelled),
		number(w.askedAgain()))
}
