package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"holdfast/api/topology"
)

// Demo is a sale that has been held, and the nodes it was held on.
type Demo struct {
	// Proof is what the three counts came to.
	Proof Proof
	// Told is what the clients were told.
	Told Told
	// Took is how long everything took, Down how long the killed node was gone, Entries how many log entries the orders needed.
	Took, Down time.Duration
	Entries    int
	// Nodes is how many there were, Addr the public address of the first, Dir its data directory.
	Nodes     int
	Addr, Dir string

	cfg   Config
	root  string
	fleet fleet
	show  *progress
	// ended is what the live replicas said of themselves when everything was sold.
	ended []topology.Shard
	cuts  int
}

// Run holds a sale on nodes of its own, kills the one that leads in the middle, and compares what the clients were told, what each node's log replays
// to, and what each node's SQLite holds. It returns an error when the sale could not be held to its end; a broken promise is no error but a Proof that
// does not pass. Close must be called in any case but an error.
func Run(ctx context.Context, cfg Config) (_ *Demo, err error) {
	d := &Demo{cfg: cfg.withDefaults()}
	if d.root, err = os.MkdirTemp("", "holdfast-demo-"); err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Limit)
	defer cancel()
	d.show = newProgress(d.cfg.Log, d.cfg.Columns)
	if d.fleet, err = newFleet(&d.cfg, d.root); err != nil {
		return nil, err
	}
	if err := d.open(ctx); err != nil {
		return nil, err
	}
	if err := d.sell(ctx); err != nil {
		return nil, err
	}
	if err := d.fleet.drain(ctx); err != nil {
		return nil, err
	}
	d.show.say("drained; counting what the clients were told, what the logs replay to, what SQLite holds")
	if err := d.count(ctx); err != nil {
		return nil, err
	}
	d.Took = time.Since(d.show.begin)
	return d, nil
}

// open starts the nodes.
func (d *Demo) open(ctx context.Context) error {
	if err := d.fleet.open(ctx); err != nil {
		return err
	}
	for _, p := range d.fleet {
		n := p.current()
		d.show.say("%s on http://%s, process %d, ready after %.2f s", p.name, n.Ready.HTTP, n.PID(), n.Took.Seconds())
	}
	d.Nodes, d.Addr, d.Dir = len(d.fleet), d.fleet[0].current().Ready.HTTP, d.fleet[0].dir
	return nil
}

// sell holds the sale.
func (d *Demo) sell(ctx context.Context) error {
	s, err := newSale(&d.cfg, d.fleet, d.show)
	if err != nil {
		return err
	}
	defer s.close()
	if d.Nodes > 1 {
		if err := settle(ctx, s.client, d.Nodes); err != nil {
			return err
		}
		d.show.say("one cluster: every shard has a voter on each of the %d nodes", d.Nodes)
	}
	if err := s.open(ctx); err != nil {
		return err
	}
	if d.Told, err = s.hold(ctx); err != nil {
		return err
	}
	d.Down = s.outage.down
	if d.Down > 0 {
		d.cuts++
	}
	if d.Nodes == 1 {
		return nil
	}
	last, err := s.client.SKU(ctx, sku)
	if err != nil {
		return fmt.Errorf("look at the end: %w", err)
	}
	d.show.say("all is sold; waiting until the replicas have noted their states")
	d.ended, err = agreed(ctx, s.client, d.Nodes, last.Shard, last.AsOfIndex)
	return err
}

// count reads the logs and databases of all nodes and compares.
func (d *Demo) count(ctx context.Context) error {
	var copies []Copy
	for _, p := range d.fleet {
		log, err := Replay(p.dir, sku)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		stored, err := ReadStored(ctx, p.dir, sku)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		copies = append(copies, Copy{Node: p.name, Log: log, Stored: stored})
	}
	d.Entries = copies[0].Log.Entries
	d.Proof = Prove(Expected{Units: d.cfg.Units, Limit: limitPerUser, Cuts: d.cuts}, d.Told, copies, d.ended)
	return nil
}

// Serve starts the nodes again, as they are, calls ready, and keeps them serving until the context ends.
func (d *Demo) Serve(ctx context.Context, ready func()) error {
	if err := d.fleet.start(ctx); err != nil {
		return err
	}
	ready()
	for pause(ctx, faultEvery) {
		if err := d.fleet.fault(); err != nil {
			return err
		}
	}
	return d.fleet.drain(context.WithoutCancel(ctx))
}

// DatabasePath returns the file with the orders, of the first node.
func (d *Demo) DatabasePath() string { return databasePath(d.Dir) }

// Close ends the nodes that run, and removes their files.
func (d *Demo) Close() error {
	d.fleet.off()
	if err := os.RemoveAll(d.root); err != nil {
		return fmt.Errorf("remove the demo's files: %w", err)
	}
	return nil
}
