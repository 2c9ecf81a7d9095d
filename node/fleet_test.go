package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/api/client"
	"holdfast/api/topology"
)

// fleet is the nodes of a cluster in this process, over loopback.
type fleet struct {
	t      testing.TB
	dir    string
	change func(*Config) // of each node's configuration; may be nil

	mu      sync.Mutex // guards what follows
	configs map[string]Config
	nodes   map[string]*Node // those that run
}

// fleetOf opens that many nodes, n1 and so on, and waits until nothing of the cluster moves.
func fleetOf(t testing.TB, nodes int, change func(*Config)) *fleet {
	t.Helper()
	f := &fleet{t: t, dir: t.TempDir(), change: change, configs: make(map[string]Config), nodes: make(map[string]*Node)}
	t.Cleanup(f.close)
	for i := range nodes {
		f.start(fmt.Sprintf("n%d", i+1))
	}
	f.settle()
	return f
}

// close ends the nodes that still run, all at once.
func (f *fleet) close() {
	var wg sync.WaitGroup
	for _, n := range f.running() {
		wg.Go(func() {
			if err := n.Close(); err != nil {
				f.t.Error(err)
			}
		})
	}
	wg.Wait()
}

// running returns the nodes that run, by id.
func (f *fleet) running() (nodes []*Node) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(f.nodes)) {
		nodes = append(nodes, f.nodes[id])
	}
	return nodes
}

// node returns one that runs.
func (f *fleet) node(id string) *Node {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.nodes[id]
}

// config returns a node's configuration: the same at each of its starts.
func (f *fleet) config(id string) Config {
	var join []string
	if running := f.running(); len(running) > 0 {
		join = []string{running[0].Addrs().Peer}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c, known := f.configs[id]
	if !known {
		c = config(f.dir + "/" + id)
		c.NodeID, c.Join = id, join
		if f.change != nil {
			f.change(&c)
		}
	}
	return c
}

// start opens a node: a new one joins, one that ran goes on with its directory and addresses.
func (f *fleet) start(id string) *Node {
	f.t.Helper()
	c := f.config(id)
	n := open(f.t, c)
	c.HTTP, c.Admin, c.Peer = n.Addrs().HTTP, n.Addrs().Admin, n.Addrs().Peer
	f.mu.Lock()
	defer f.mu.Unlock()
	f.configs[id], f.nodes[id] = c, n
	return n
}

// stop drains a node; kill closes it as it is.
func (f *fleet) stop(id string) { f.end(id, func(n *Node) { drain(f.t, n) }) }
func (f *fleet) kill(id string) {
	f.end(id, func(n *Node) {
		if err := n.Close(); err != nil {
			f.t.Error(err)
		}
	})
}

func (f *fleet) end(id string, how func(*Node)) {
	f.t.Helper()
	n := f.node(id)
	how(n)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.nodes, id)
}

// client talks to a node.
func (f *fleet) client(id string) *client.Client { return f.node(id).client(f.t) }

// settle waits until no change is under way, every node that runs knows the newest table, and every shard's group is as that table says, with a leader
// that all know.
func (f *fleet) settle() {
	f.t.Helper()
	why := ""
	awaitFor(f.t, time.Minute, func() string { return "the cluster settles: " + why }, func() bool {
		why = f.unsettled()
		return why == ""
	})
}

// unsettled says what still moves, "" for nothing.
func (f *fleet) unsettled() string {
	running := f.running()
	var version uint64
	for _, n := range running {
		version = max(version, n.control.Cluster().Version)
	}
	for _, n := range running {
		table := n.control.Cluster()
		switch {
		case table.Version != version:
			return fmt.Sprintf("%s knows table %d of %d", n.cfg.NodeID, table.Version, version)
		case table.UnderWay() != nil:
			return fmt.Sprintf("change %v", table.UnderWay().ID)
		case len(table.Joining()) > 0:
			return fmt.Sprintf("%v is joining", table.Joining())
		case len(table.Nodes) < len(running):
			return "nodes are missing"
		}
		for _, s := range n.control.Shards() {
			if s.Leader == "" {
				return fmt.Sprintf("%s knows no leader of shard %d", n.cfg.NodeID, s.ID)
			}
			for _, m := range s.Members {
				if r := table.Shard(s.ID).On(m.Node); r == nil || r.Number != m.Number || r.Role != m.Role || f.node(m.Node) != nil && !m.Seen {
					return fmt.Sprintf("shard %d: %+v", s.ID, m)
				}
			}
		}
	}
	return ""
}

// awaitFor is await with more patience and a reason that may change.
func awaitFor(t testing.TB, patience time.Duration, what func() string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("in vain: %s", what())
		}
	}
}

// changed waits until a change has ended, and wants it completed.
func (f *fleet) changed(via, change string) topology.Change {
	f.t.Helper()
	var last topology.Change
	awaitFor(f.t, time.Minute, func() string { return fmt.Sprintf("change %s ends: %+v", change, last) }, func() bool {
		o, err := f.client(via).Cluster(context.Background())
		if err != nil {
			return false
		}
		for _, c := range slices.Concat(o.Changes, o.Ended) {
			if c.ID == change {
				last = c
			}
		}
		return last.State != topology.Running && last.State != ""
	})
	return last
}

// remove takes a node out of the cluster through another, and waits for it.
func (f *fleet) remove(via, id string) {
	f.t.Helper()
	plan, err := f.client(via).RemoveNode(context.Background(), id, false)
	if err != nil {
		f.t.Fatalf("remove %s: %v", id, err)
	}
	if c := f.changed(via, plan.Change); c.State != topology.Completed {
		f.t.Fatalf("remove %s: %+v", id, c)
	}
}

// patrons place orders of one unit through nodes until it is stopped, and keeps a ledger.
type patrons struct {
	f        *fleet
	skus     []string
	doors    []string // nodes, running or not
	resends  bool     // what was not executed is sent again with its key, through any node
	stopped  chan struct{}
	wg       sync.WaitGroup
	mu       sync.Mutex // guards what follows
	accepted map[string]string
	failed   []error
	again    map[string]int // why orders were sent again
	slowest  time.Duration
	clients  map[string]*client.Client // by address
}

// buyers starts a crowd of that many that place through these nodes. SKUs are made first, a few for each shard.
func (f *fleet) buyers(n, skus int, resends bool, doors ...string) *patrons {
	f.t.Helper()
	c := &patrons{f: f, doors: doors, resends: resends, stopped: make(chan struct{}), accepted: make(map[string]string), again: make(map[string]int),
		clients: make(map[string]*client.Client)}
	for i := range skus {
		sku := fmt.Sprintf("sku-%d", i)
		if _, err := f.client(doors[0]).CreateSKU(context.Background(), client.SKUSpec{SKU: sku, Stock: 1_000_000}); err != nil {
			f.t.Fatal(err)
		}
		c.skus = append(c.skus, sku)
	}
	for i := range n {
		c.wg.Go(func() { c.buy(i) })
	}
	return c
}

func (c *patrons) buy(me int) {
	random := rand.New(rand.NewPCG(1, uint64(me)))
	pace := time.NewTicker(2 * time.Millisecond)
	defer pace.Stop()
	for i := 0; ; i++ {
		select {
		case <-c.stopped:
			return
		case <-pace.C:
		}
		c.order(random, fmt.Sprintf("k-%d-%d", me, i), c.skus[random.IntN(len(c.skus))])
	}
}

// order places one, until its outcome is known if the crowd resends.
func (c *patrons) order(random *rand.Rand, key, sku string) {
	began := time.Now()
	for {
		o, err := c.door(random).PlaceOrder(context.Background(), key, client.NewOrder{SKU: sku, User: key})
		c.mu.Lock()
		switch {
		case err == nil:
			c.accepted[o.ID] = sku
			c.slowest = max(c.slowest, time.Since(began))
		case c.resends && !client.IsRefused(err) && time.Since(began) < 20*time.Second:
			c.again[why(err)]++
			c.mu.Unlock()
			<-time.After(5 * time.Millisecond)
			continue
		default:
			c.failed = append(c.failed, fmt.Errorf("%s after %v: %w", key, time.Since(began), err))
		}
		c.mu.Unlock()
		return
	}
}

// why says in a word why an order is sent again. A connection that was idle may close in the moment that an order is written to it.
func why(err error) string {
	switch {
	case client.CodeOf(err) != "":
		return client.CodeOf(err)
	case client.IsUnknown(err):
		return "connection lost"
	}
	return "unreachable"
}

// door returns a client of any of the nodes.
func (c *patrons) door(random *rand.Rand) *client.Client {
	id := c.doors[random.IntN(len(c.doors))]
	c.f.mu.Lock()
	cfg := c.f.configs[id]
	c.f.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clients[cfg.HTTP] == nil {
		one, err := client.New(client.Config{Addr: cfg.HTTP, AdminAddr: cfg.Admin})
		if err != nil {
			panic(err)
		}
		c.clients[cfg.HTTP] = one
	}
	return c.clients[cfg.HTTP]
}

// count returns how many orders were accepted so far.
func (c *patrons) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.accepted)
}

// more waits until that many more orders were accepted.
func (c *patrons) more(orders int) {
	c.f.t.Helper()
	from := c.count()
	awaitFor(c.f.t, time.Minute, func() string { return fmt.Sprintf("%d orders more than %d", orders, from) }, func() bool {
		return c.count() >= from+orders || len(c.errors()) > 0
	})
}

func (c *patrons) errors() []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// leave stops the crowd and wants every order accepted, exactly those held, and each readable through any of the doors.
func (c *patrons) leave() { c.f.t.Helper(); c.stay(0) }

// stay is leave where others have ordered, too: of the first SKU, and no more than that.
func (c *patrons) stay(others int64) {
	t := c.f.t
	t.Helper()
	close(c.stopped)
	c.wg.Wait()
	if len(c.failed) > 0 {
		t.Errorf("%d orders failed, the first: %v", len(c.failed), errors.Join(c.failed[:min(5, len(c.failed))]...))
	}
	held := make(map[string]int64)
	for _, sku := range c.accepted {
		held[sku]++
	}
	for i, sku := range c.skus {
		a, err := c.f.client(c.doors[i%len(c.doors)]).SKU(context.Background(), sku)
		if err != nil || a.Held < held[sku] || a.Held > held[sku]+others || a.Available+a.Held != 1_000_000 {
			t.Errorf("%s: %d orders were accepted, and the cluster says %+v %v", sku, held[sku], a, err)
		}
	}
	for _, one := range c.clients {
		one.Close()
	}
	t.Logf("%d orders accepted, the slowest took %v, sent again: %v", len(c.accepted), c.slowest.Round(time.Millisecond), c.again)
}
