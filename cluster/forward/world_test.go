package forward

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/cluster"
	"holdfast/stock"
)

// worldShards is how many shards a world has; a partition belongs to one of them by its number.
const worldShards = 2

// world is a cluster in virtual time: nodes with clocks of their own, shards with a log and a state, leaders that change, connections that break,
// nodes that stand still and act late. The state is the domain's own; everything between a Forwarder and it is made up here.
type world struct {
	t     testing.TB
	nodes map[string]*node
	names []string
	wg    sync.WaitGroup

	mu     sync.Mutex // guards what follows; never held while waiting
	rand   *rand.Rand
	shards map[uint32]*shard
	// effects counts what the log did under each key; entries how often a key stands in it.
	effects map[effect][]stock.Time
	entries map[string]int
	routes  chan struct{} // closed when a leader changes
	// broken is asked for every request that reaches a leader: the ways in which a Forwarder or a leader could be wrong.
	broken func(stock.Request) stock.Request
	// cut is the share of calls whose answer is lost, per thousand.
	cut int
}

type effect struct {
	kind   stock.Kind
	caller string
	key    string
}

// shard is a log and its state, and who leads it: node "" for nobody.
type shard struct {
	node     string
	term     uint64
	book     *stock.Book
	index    uint64
	inFlight map[*proposal]struct{}
}

type proposal struct {
	cmd  stock.Command
	node *node
	done chan stock.Outcome
}

// node is one node of a world; it is the Local, the Routes and the Peers of its Forwarder.
type node struct {
	w       *world
	name    string
	ahead   time.Duration // of its clock
	forward *Forwarder
	turn    map[uint32]chan struct{} // one command of a shard at a time
	stopped chan struct{}            // open while the node stands still; guarded by world.mu
	down    bool                     // nobody reaches it; guarded by world.mu
	asked   int                      // frames served; guarded by world.mu
}

var (
	_ Local  = (*node)(nil)
	_ Routes = (*node)(nil)
	_ Peers  = (*node)(nil)
)

func newWorld(t testing.TB, seed uint64, nodes int, change ...func(*Config)) *world {
	t.Helper()
	w := &world{
		t: t, nodes: make(map[string]*node), rand: rand.New(rand.NewPCG(seed, 1)), shards: make(map[uint32]*shard), routes: make(chan struct{}),
		effects: make(map[effect][]stock.Time), entries: make(map[string]int),
		broken: func(r stock.Request) stock.Request { return r },
	}
	for id := range uint32(worldShards) {
		s := &shard{book: stock.NewBook(), inFlight: make(map[*proposal]struct{})}
		w.shards[id+1] = s
		var ps []stock.Partition
		for p := range stock.Partition(stock.Partitions) {
			if w.shardOf(p) == id+1 {
				ps = append(ps, p)
			}
		}
		w.append(s, &stock.Init{Epoch: 1, Partitions: ps, Settings: stock.DefaultSettings()}, stock.TimeOf(time.Now()))
		w.append(s, &stock.RaiseLevel{Level: stock.Level}, stock.TimeOf(time.Now()))
	}
	for i := range nodes {
		n := &node{w: w, name: fmt.Sprintf("n%d", i+1), turn: make(map[uint32]chan struct{})}
		for id := range w.shards {
			n.turn[id] = make(chan struct{}, 1)
		}
		cfg := Config{Local: n, Routes: n, Peers: n, Incarnation: uint64(i + 1), Now: n.now}
		for _, f := range change {
			f(&cfg)
		}
		var err error
		if n.forward, err = New(cfg); err != nil {
			t.Fatal(err)
		}
		w.nodes[n.name], w.names = n, append(w.names, n.name)
	}
	return w
}

// close ends a world: whatever stands still moves on, so that what is late is late for good.
func (w *world) close() {
	for _, n := range w.nodes {
		n.resume()
	}
	w.wg.Wait()
	for _, n := range w.nodes {
		n.forward.Close()
	}
	w.wg.Wait()
}

func (w *world) shardOf(p stock.Partition) uint32 { return uint32(p)%worldShards + 1 }

func (w *world) chance(perMille int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rand.IntN(1000) < perMille
}

func (w *world) intN(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rand.IntN(n)
}

func (w *world) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.intN(int(b-a+1)))
}

func pass(d time.Duration) { <-time.After(d) }

// lead makes a node the leader of a shard in a new term; "" leaves it without one. What the old leader had under way is carried over or dropped, and
// the old leader knows only of some of it.
func (w *world) lead(id uint32, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.shards[id]
	for p := range s.inFlight {
		out := stock.Outcome{Code: stock.OutcomeUnknown}
		switch w.rand.IntN(3) {
		case 0:
			w.append(s, p.cmd, p.node.clockLocked(s))
		case 1:
			out.Code = stock.NoLeader
		}
		p.done <- out
	}
	clear(s.inFlight)
	s.node = name
	s.term++
	close(w.routes)
	w.routes = make(chan struct{})
}

// append puts a command into a log and applies it.
func (w *world) append(s *shard, c stock.Command, clock stock.Time) stock.Outcome {
	s.index++
	at := s.book.Begin(stock.Header{Term: s.term, Clock: clock}, s.index)
	out := s.book.Apply(at, c)
	if m := c.Head(); m != nil {
		w.entries[m.Key]++
		if out.Code == stock.OK && !out.Replayed {
			e := effect{c.Kind(), m.Caller, m.Key}
			w.effects[e] = append(w.effects[e], stock.TimeOf(time.Now()))
		}
	}
	return out
}

func (n *node) now() time.Time { return time.Now().Add(n.ahead) }

func (n *node) clockLocked(s *shard) stock.Time { return max(stock.TimeOf(n.now()), s.book.Now()) }

// stop makes the node stand still until it is resumed.
func (n *node) stop() {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	if n.stopped == nil {
		n.stopped = make(chan struct{})
	}
}

func (n *node) resume() {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	if n.stopped != nil {
		close(n.stopped)
		n.stopped = nil
	}
}

// moves waits while the node stands still.
func (n *node) moves() {
	for {
		n.w.mu.Lock()
		stopped := n.stopped
		n.w.mu.Unlock()
		if stopped == nil {
			return
		}
		<-stopped
	}
}

// Self, ShardOf, Leader and Changed are the node's Routes.
func (n *node) Self() string                     { return n.name }
func (n *node) ShardOf(p stock.Partition) uint32 { return n.w.shardOf(p) }
func (n *node) leads(s *shard) bool              { return s.node == n.name }
func (n *node) Leads(p stock.Partition) bool     { _, ok := n.Clock(p); return ok }
func (n *node) Changed() <-chan struct{}         { n.w.mu.Lock(); defer n.w.mu.Unlock(); return n.w.routes }
func (n *node) Leader(id uint32) (a, b string, t uint64) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	s := n.w.shards[id]
	return s.node, s.node, s.term
}

func (n *node) Clock(p stock.Partition) (stock.Time, bool) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	s := n.w.shards[n.w.shardOf(p)]
	return n.clockLocked(s), n.leads(s)
}

func (n *node) Do(ctx context.Context, r stock.Request) stock.Outcome {
	return n.DoAll(ctx, []stock.Request{r})[0]
}

// DoAll is the node's gateway. A node that stood still does not look whether somebody still waits: it acts late.
func (n *node) DoAll(ctx context.Context, rs []stock.Request) []stock.Outcome {
	outs := make([]stock.Outcome, len(rs))
	var wg sync.WaitGroup
	for i, r := range rs {
		answer := make(chan stock.Outcome, 1)
		n.w.wg.Go(func() { answer <- n.decide(ctx, r) })
		wg.Go(func() {
			select {
			case outs[i] = <-answer:
			case <-ctx.Done():
				// The real gateway knows whether the request was proposed. This one does not stop it, so it may be late.
				outs[i].Code = stock.OutcomeUnknown
				if _, command := r.(stock.Command); !command {
					outs[i].Code = stock.DeadlineExceeded
				}
			}
		})
	}
	wg.Wait()
	return outs
}

// decide admits one request, as stock.Window does with nothing in flight, and proposes what is admitted.
func (n *node) decide(ctx context.Context, r stock.Request) stock.Outcome {
	id := n.w.shardOf(r.Partition())
	n.turn[id] <- struct{}{}
	defer func() { <-n.turn[id] }()
	n.moves()
	s := n.w.shards[id]
	n.w.mu.Lock()
	if !n.leads(s) {
		n.w.mu.Unlock()
		return stock.Outcome{Code: stock.NoLeader}
	}
	r = n.w.broken(r)
	if c, ok := r.(stock.Command); ok {
		m := c.Head()
		if m.Deadline == 0 {
			until, _ := ctx.Deadline()
			m.Deadline = n.clockLocked(s).Add(time.Until(until).Milliseconds() + 1)
		}
		if m.Key == "" {
			m.Key = fmt.Sprintf("%s-%d", n.name, n.w.rand.Uint64())
		}
	}
	owner := s.book.Owner(r)
	out, action := s.book.NotFound(r), stock.Answer
	if owner.Ledger != nil {
		action, out = new(stock.Window).Admit(owner.Ledger, n.clockLocked(s), &stock.Flight{Req: r})
	}
	if action == stock.Answer {
		n.w.mu.Unlock()
		return out
	}
	p := &proposal{cmd: r.(stock.Command), node: n, done: make(chan stock.Outcome, 1)}
	s.inFlight[p] = struct{}{}
	n.w.mu.Unlock()
	n.w.wg.Go(func() { n.w.commit(s, p) })
	return <-p.done
}

// commit ends a proposal after a while, unless a change of leader did.
func (w *world) commit(s *shard, p *proposal) {
	pass(w.between(500*time.Microsecond, 4*time.Millisecond))
	p.node.moves()
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, open := s.inFlight[p]; !open {
		return
	}
	delete(s.inFlight, p)
	p.done <- w.append(s, p.cmd, p.node.clockLocked(s))
}

// List answers what the node leads.
func (n *node) List(_ context.Context, ids []uint32, after string, limit int) ([]stock.SKU, error) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	var skus []stock.SKU
	for _, id := range ids {
		s := n.w.shards[id]
		if !n.leads(s) {
			return nil, ErrUnavailable
		}
		s.book.Each(func(l *stock.Ledger) {
			if l.Name() > after {
				skus = append(skus, *l.View())
			}
		})
	}
	slices.SortFunc(skus, func(a, b stock.SKU) int {
		if a.SKU < b.SKU {
			return -1
		}
		return 1
	})
	return skus[:min(limit, len(skus))], nil
}

// Call is the network: a request is late, arrives at a node that stands still, or its answer is lost.
func (n *node) Call(ctx context.Context, name, _ string, r cluster.Request) ([]byte, error) {
	w := n.w
	to := w.nodes[name]
	w.mu.Lock()
	down := to == nil || to.down
	w.mu.Unlock()
	if down {
		return nil, fmt.Errorf("%w: %w", stock.ErrNotExecuted, cluster.ErrNotSent)
	}
	until, _ := ctx.Deadline()
	left := time.Until(until)
	type result struct {
		body []byte
		err  error
	}
	answered, broke := make(chan result, 1), make(chan struct{})
	if w.chance(w.cut) {
		w.wg.Go(func() { pass(w.between(time.Millisecond, 20*time.Millisecond)); close(broke) })
	}
	r.From = n.name
	w.wg.Go(func() {
		pass(w.between(200*time.Microsecond, 2*time.Millisecond))
		to.moves()
		served, cancel := context.WithTimeout(context.Background(), left)
		defer cancel()
		w.mu.Lock()
		to.asked++
		w.mu.Unlock()
		body, err := to.forward.Handlers()[r.Kind].ServePeer(served, r)
		pass(w.between(200*time.Microsecond, 2*time.Millisecond))
		to.moves()
		answered <- result{body, err}
	})
	select {
	case a := <-answered:
		return a.body, a.err
	case <-broke:
		return nil, fmt.Errorf("%w: %w: broken", stock.ErrUnknown, cluster.ErrMaybeSent)
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w: %w", stock.ErrUnknown, cluster.ErrMaybeSent, ctx.Err())
	}
}

// must applies an administrative command to the log as it is.
func (w *world) must(c stock.Command) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.shards[w.shardOf(c.(stock.Request).Partition())]
	if out := w.append(s, c, stock.TimeOf(time.Now())); out.Code != stock.OK {
		w.t.Fatalf("%T: %v", c, out.Code)
	}
}

func (w *world) create(sku string, units int64) {
	w.must(&stock.Create{Spec: stock.Spec{SKU: sku, Stock: units, Mode: stock.ModeHold, HoldTTLMS: stock.DefaultHoldTTLMS, MaxQty: 5}})
}

// shardOfSKU returns the shard of a SKU.
func (w *world) shardOfSKU(sku string) uint32 { return w.shardOf(stock.PartitionOf(sku)) }
