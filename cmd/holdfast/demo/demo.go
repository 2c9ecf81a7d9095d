package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"holdfast/api/client"
)

// Demo is a sale that has been held, and the node it was held on.
type Demo struct {
	// Proof is what the three counts came to.
	Proof Proof
	// Told is what the clients were told.
	Told Told
	// Took is how long everything took, Down how long the node was gone, Entries how many log entries the orders needed.
	Took, Down time.Duration
	Entries    int
	// Cuts is how often the power was cut.
	Cuts int
	// Addr is the node's public address, Dir its data directory.
	Addr, Dir string

	cfg   Config
	root  string
	power *power
}

// Run holds a sale on a node of its own, with a power cut in the middle, and compares what the clients were told, what the log replays to, and what
// SQLite holds. It returns an error when the sale could not be held to its end; a broken promise is no error but a Proof that does not pass.
// Close must be called in any case but an error.
func Run(ctx context.Context, cfg Config) (_ *Demo, err error) {
	cfg = cfg.withDefaults()
	d := &Demo{cfg: cfg}
	if d.root, err = os.MkdirTemp("", "holdfast-demo-"); err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	d.Dir = filepath.Join(d.root, "data")
	ctx, cancel := context.WithTimeout(ctx, cfg.Limit)
	defer cancel()
	show := newProgress(cfg.Log, cfg.Columns)
	if d.power, err = powerOn(ctx, &d.cfg, d.Dir); err != nil {
		return nil, err
	}
	node := d.power.current()
	d.Addr = node.Ready.HTTP
	show.say("a node on http://%s, process %d, ready after %.2f s", d.Addr, node.PID(), node.Took.Seconds())
	if err := d.sale(ctx, show); err != nil {
		return nil, err
	}
	if err := d.power.drain(ctx); err != nil {
		return nil, fmt.Errorf("drain the node: %w", err)
	}
	show.say("the node is drained; counting what the clients were told, what the log replays to, what SQLite holds")
	if err := d.count(ctx); err != nil {
		return nil, err
	}
	d.Took = time.Since(show.begin)
	return d, nil
}

// sale sells everything, with a power cut in the middle.
func (d *Demo) sale(ctx context.Context, show *progress) error {
	wire := newWire(d.cfg.Callers + d.cfg.Callers/2)
	defer wire.to.CloseIdleConnections()
	node := d.power.current()
	c, err := newClient(wire, node.Ready.HTTP, node.Ready.Admin)
	if err != nil {
		return err
	}
	spec := client.SKUSpec{SKU: sku, Stock: d.cfg.Units, HoldTTLMS: d.cfg.HoldTTL.Milliseconds(), LimitPerUser: limitPerUser, Hot: true}
	if _, err := c.CreateSKU(ctx, spec); err != nil {
		return fmt.Errorf("create the SKU: %w", err)
	}
	show.say("on sale: %s units, one per buyer, held %s until paid for; %s buyers come at once",
		number(d.cfg.Units), d.cfg.HoldTTL, number(int64(d.cfg.Buyers)))
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(errHeld)
	cut := make(chan struct{})
	crowd := newCrowd(&d.cfg, c, func() { close(cut) })
	show.follow(func() string { return crowd.state(wire) })
	ended, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		stop(d.watchPower(cut, ended, func() error { return d.cutPower(ctx, crowd, wire, show) }))
	}()
	err = crowd.run(ctx)
	close(ended)
	<-watched
	show.finish()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errHeld) {
		return fmt.Errorf("the sale was broken off: %w", cause)
	}
	d.Told = crowd.book.told()
	d.Told.AskedAgain, d.Told.Requests = wire.askedAgain(), wire.answered.Load()
	return err
}

// errHeld ends what waits for the end of the sale.
var errHeld = errors.New("demo: the sale was held to its end")

// watchPower cuts the power once, and returns errHeld when the sale has ended, or why it cannot go on. A node that ends by itself is a fault.
func (d *Demo) watchPower(cut, ended <-chan struct{}, cutPower func() error) error {
	for {
		node := d.power.current()
		select {
		case <-cut:
			if err := cutPower(); err != nil {
				return err
			}
			cut = nil
		case <-node.Done():
			return fmt.Errorf("the node ended by itself with exit code %d\n%s", node.ExitCode(), node.Log())
		case <-ended:
			return errHeld
		}
	}
}

// cutPower kills the node and starts it again with the same command line.
func (d *Demo) cutPower(ctx context.Context, c *crowd, w *wire, show *progress) error {
	underWay := w.underWay.Load()
	d.power.off()
	begin := time.Now()
	show.say("POWER CUT: SIGKILL with %s units paid for and %d requests under way", number(c.book.tally().Paid), underWay)
	if err := d.power.start(ctx); err != nil {
		return fmt.Errorf("start again after the power cut: %w", err)
	}
	d.Down, d.Cuts = time.Since(begin), d.Cuts+1
	show.say("power is back: same command line, same files, serving after %.2f s; whoever lost an answer asks again under the same key",
		d.Down.Seconds())
	return nil
}

// state is the live line. What is sold and held is of one moment, so that it never adds up to more than there is.
func (c *crowd) state(w *wire) string {
	t, seen := c.book.tally(), c.seen.Load()
	return fmt.Sprintf("%s of %s sold, %s held | %s buyers came, %s refusals | %s cancelled | %s asked again",
		number(seen.Sold), number(c.cfg.Units), number(seen.Held), number(t.Buyers), number(t.Refused), number(t.Cancelled),
		number(w.askedAgain()))
}

// count reads the log and SQLite and compares.
func (d *Demo) count(ctx context.Context) error {
	log, err := Replay(d.Dir, sku)
	if err != nil {
		return err
	}
	stored, err := ReadStored(ctx, d.Dir, sku)
	if err != nil {
		return err
	}
	d.Entries = log.Entries
	d.Proof = Prove(Expected{Units: d.cfg.Units, Limit: limitPerUser, Cuts: d.Cuts}, d.Told, log, stored)
	return nil
}

// Serve starts the node again, as it is, calls ready, and keeps it serving until the context ends.
func (d *Demo) Serve(ctx context.Context, ready func()) error {
	if err := d.power.start(ctx); err != nil {
		return err
	}
	ready()
	n := d.power.current()
	select {
	case <-ctx.Done():
		return d.power.drain(context.WithoutCancel(ctx))
	case <-n.Done():
		return fmt.Errorf("the node ended with exit code %d\n%s", n.ExitCode(), n.Log())
	}
}

// DatabasePath returns the file with the orders.
func (d *Demo) DatabasePath() string { return databasePath(d.Dir) }

// Close ends the node if it runs, and removes its files.
func (d *Demo) Close() error {
	if d.power != nil {
		d.power.off()
	}
	if err := os.RemoveAll(d.root); err != nil {
		return fmt.Errorf("remove the demo's files: %w", err)
	}
	return nil
}
