package control

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/cluster"
	"holdfast/cluster/meta"
)

// Control is a node's part in what the cluster knows of itself: a replica of the meta group or a copy of its table, what the other nodes say of
// themselves, and, on the node that leads the meta group, the driver of changes.
type Control struct {
	cfg     Config
	metrics *metrics
	machine atomic.Pointer[machine] // nil while there is no replica of the meta group here
	joined  atomic.Pointer[groupsBox]
	clock   *clock
	waiting *waiting
	keys    atomic.Uint64
	driver  *driver
	here    *here

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	prompt chan struct{}
	news   chan struct{} // of leaders
	once   sync.Once

	starting sync.Mutex // guards closed; nothing is begun after Close
	closed   bool
	wg       sync.WaitGroup

	// fetched is the newest table that was learned otherwise than from the log, nil for none; known what is read with every order and message.
	fetched atomic.Pointer[meta.Cluster]
	known   atomic.Pointer[routes]

	mu       sync.Mutex // guards what follows; no other lock is taken under it
	peers    map[string]*peer
	fillings fillings
	changed  chan struct{}
	// activeUntil is until when statuses are exchanged often.
	activeUntil time.Time
}

// groupsBox holds Groups, which are known only after New.
type groupsBox struct{ Groups }

// New returns a Control that does nothing yet: its machine is needed to open the groups, and the groups to start it.
func New(cfg Config) (*Control, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Control{
		cfg: cfg, metrics: newMetrics(), clock: &clock{wall: cfg.Now}, waiting: newWaiting(cfg.MaxCommands), prompt: make(chan struct{}, 1),
		news:  make(chan struct{}, 1),
		peers: make(map[string]*peer), fillings: make(fillings), changed: make(chan struct{}),
	}
	c.known.Store(&routes{})
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.driver, c.here = newDriver(c), newHere(c)
	if err := c.metrics.register(cfg.Registerer); err != nil {
		return nil, err
	}
	c.learn(cfg.Table)
	return c, nil
}

// Start begins to follow and to drive. It is called once, when the groups are open.
func (c *Control) Start(g Groups) {
	c.joined.Store(&groupsBox{g})
	p := g.Peers()
	p.Handle(cluster.KindStatus, handler(c.serveStatus))
	p.Handle(cluster.KindMetaCommand, handler(c.serveCommand))
	p.Handle(cluster.KindMetaState, handler(c.serveTable))
	p.Handle(cluster.KindShardAdmin, handler(c.serveAdmin))
	g.ServeJoin(c.ServeJoin)
	c.begin(c.run)
}

// handler makes a cluster.RequestHandler of a function.
type handler func(ctx context.Context, r cluster.Request) ([]byte, error)

var _ cluster.RequestHandler = handler(nil)

// ServePeer calls the function.
func (h handler) ServePeer(ctx context.Context, r cluster.Request) ([]byte, error) { return h(ctx, r) }

// Close stops all that was begun and waits for it. The groups are closed after it. It may be called again.
func (c *Control) Close() {
	c.once.Do(func() {
		c.starting.Lock()
		c.closed = true
		c.starting.Unlock()
		c.cancel()
		if g := c.groups(); g != nil {
			for _, kind := range []cluster.RequestKind{cluster.KindStatus, cluster.KindMetaCommand, cluster.KindMetaState, cluster.KindShardAdmin} {
				g.Peers().Handle(kind, nil)
			}
		}
		c.wg.Wait()
		c.metrics.unregister()
	})
}

// begin runs something in a goroutine that Close waits for; nothing after Close.
func (c *Control) begin(do func()) bool {
	c.starting.Lock()
	defer c.starting.Unlock()
	if c.closed {
		return false
	}
	c.wg.Go(do)
	return true
}

// groups returns the groups, nil before Start.
func (c *Control) groups() Groups {
	if b := c.joined.Load(); b != nil {
		return b.Groups
	}
	return nil
}

// Changed returns a channel that is closed when the table, a leader or what is known of a node changes next. Callers look again after they asked
// for it.
func (c *Control) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// moved tells those who wait for a change.
func (c *Control) moved() {
	c.mu.Lock()
	c.rerouteLocked()
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
	c.Prompt()
}

// Prompt has everything looked at soon, other nodes included. It never blocks.
func (c *Control) Prompt() {
	select {
	case c.prompt <- struct{}{}:
	default:
	}
}

// LeaderMoved has the leaders of the replicas here looked at now: those who wait for one, and the other nodes, are told at once and not at the next
// Poll. It never blocks.
func (c *Control) LeaderMoved() {
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// run looks at what is here every Poll, at once when prompted, and asks the others when it is time.
func (c *Control) run() {
	ticker := time.NewTicker(c.cfg.Poll)
	defer ticker.Stop()
	var asked, looked time.Time
	var led map[uint32]lead
	for {
		now := c.cfg.Now()
		c.fade()
		leads := c.leads()
		news := differ(led, leads)
		if news {
			c.noteLeads(led, leads, now)
			led = leads
		}
		if since := now.Sub(asked); news || since >= c.period(now) || since < 0 {
			asked = now
			c.ask(news)
		}
		if since := now.Sub(looked); news || since >= c.cfg.Exchange || since < 0 {
			looked = now
			c.here.look()
			c.driver.look()
			c.observe()
		}
		select {
		case <-ticker.C:
		case <-c.news:
		case <-c.prompt:
			looked = time.Time{}
			select { // Prompts that come in a crowd are one.
			case <-ticker.C:
			case <-c.news:
			case <-c.ctx.Done():
			}
		case <-c.ctx.Done():
			return
		}
	}
}

// lead is who leads a replica's group as the replica knows.
type lead struct {
	node   string
	term   uint64
	number uint64
}

// leads returns who leads the groups of the replicas here.
func (c *Control) leads() map[uint32]lead {
	g := c.groups()
	out := make(map[uint32]lead)
	for _, id := range g.Held() {
		if s := g.Shard(id); s != nil {
			out[id] = lead{node: s.Leader(), term: s.Term(), number: s.Number()}
		}
	}
	return out
}

func differ(a, b map[uint32]lead) bool {
	if len(a) != len(b) {
		return true
	}
	for id, l := range b {
		if a[id] != l {
			return true
		}
	}
	return false
}

// noteLeads tells those who wait that leadership moved, and has statuses exchanged often for a while.
func (c *Control) noteLeads(was, now map[uint32]lead, at time.Time) {
	c.mu.Lock()
	c.activeUntil = at.Add(activeFor)
	c.mu.Unlock()
	c.moved()
	if was[0].term != now[0].term {
		c.cfg.Logger.Debug("term of the meta group", "term", now[0].term, "leader", now[0].node)
	}
}

// period returns how often the others are asked now.
func (c *Control) period(now time.Time) time.Duration {
	table := c.Cluster()
	c.mu.Lock()
	active := now.Before(c.activeUntil)
	c.mu.Unlock()
	if active || !table.Created() || table.UnderWay() != nil || len(table.Joining()) > 0 {
		return c.cfg.Exchange
	}
	return c.cfg.IdleExchange
}

// observe sets the gauges.
func (c *Control) observe() {
	table := c.Cluster()
	c.metrics.version.Set(float64(table.Version))
	silent, apart := 0, time.Duration(0)
	c.mu.Lock()
	for _, p := range c.peers {
		if !p.status.Reachable {
			silent++
		} else if !p.status.ClockAt.IsZero() {
			apart = max(apart, p.status.Clock.Abs())
		}
	}
	c.mu.Unlock()
	c.metrics.silent.Set(float64(silent))
	c.metrics.clocks.Set(apart.Seconds())
	left := 0
	if change := table.UnderWay(); change != nil {
		left = max(1, len(change.Steps)-change.Done())
	}
	c.metrics.steps.Set(float64(left))
}
