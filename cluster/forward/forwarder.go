package forward

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"

	"holdfast/stock"
)

// Forwarder answers requests wherever their leaders are. It is what the front door of a node asks.
type Forwarder struct {
	cfg     Config
	metrics *metrics
	outbox  *outbox
	hints   *hints
	prefix  string
	keys    atomic.Uint64
	// ahead is how far the leaders' clocks are ahead of Config.Now, in milliseconds, when that is more than the skew.
	ahead      atomic.Int64
	leaderless atomic.Int64
	draining   atomic.Bool

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	starting sync.Mutex // guards ended; taken after all others
	ended    bool
}

// New returns the forwarder of a node. It returns ErrConfig for a Config that cannot work.
func New(cfg Config) (*Forwarder, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	f := &Forwarder{
		cfg: cfg, metrics: newMetrics(cfg.Registerer), hints: newHints(),
		prefix: "via-" + strconv.FormatUint(cfg.Incarnation, 36) + "-",
	}
	f.outbox = &outbox{f: f, lanes: make(map[laneKey]*lane), loads: make(map[string]*load)}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f, nil
}

// Drain refuses everything from now on. What was taken before is answered.
func (f *Forwarder) Drain() { f.draining.Store(true) }

// Close ends what is under way, which is answered as what is known of it then, and waits.
func (f *Forwarder) Close() {
	f.draining.Store(true)
	f.starting.Lock()
	f.ended = true
	f.starting.Unlock()
	f.cancel()
	f.wg.Wait()
}

// start runs a goroutine that Close waits for; false after Close.
func (f *Forwarder) start(run func()) bool {
	f.starting.Lock()
	defer f.starting.Unlock()
	if !f.ended {
		f.wg.Go(run)
	}
	return !f.ended
}

// Do answers one request.
func (f *Forwarder) Do(ctx context.Context, r stock.Request) stock.Outcome {
	if _, bounded := ctx.Deadline(); bounded && !f.draining.Load() && f.cfg.Local.Leads(r.Partition()) {
		began := f.now()
		out := f.cfg.Local.Do(ctx, r)
		if !undecided(out.Code) || ctx.Err() != nil {
			return out
		}
		outs := [1]stock.Outcome{out}
		f.follow(ctx, began, []stock.Request{r}, outs[:])
		return outs[0]
	}
	return f.DoAll(ctx, []stock.Request{r})[0]
}

// DoAll answers each request by itself, in the order of the requests. While all are led here it is one call of the gateway.
func (f *Forwarder) DoAll(ctx context.Context, rs []stock.Request) []stock.Outcome {
	if f.draining.Load() {
		return repeated(len(rs), stock.Outcome{Code: stock.Draining})
	}
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.cfg.MaxPatience)
		defer cancel()
	}
	began := f.now()
	if f.leadsAll(rs) {
		outs := f.cfg.Local.DoAll(ctx, rs)
		f.follow(ctx, began, rs, outs)
		return outs
	}
	outs := make([]stock.Outcome, len(rs))
	items := make([]item, len(rs))
	for i, r := range rs {
		items[i] = newItem(r, &outs[i])
	}
	f.dispatch(ctx, began, items)
	return outs
}

func repeated(n int, out stock.Outcome) []stock.Outcome {
	outs := make([]stock.Outcome, n)
	for i := range outs {
		outs[i] = out
	}
	return outs
}

func (f *Forwarder) leadsAll(rs []stock.Request) bool {
	for _, r := range rs {
		if !f.cfg.Local.Leads(r.Partition()) {
			return false
		}
	}
	return true
}

// undecided reports whether an answer of the gateway is not the end: another leader may decide.
func undecided(c stock.Code) bool {
	return c == stock.NoLeader || c == stock.Draining || c == stock.OutcomeUnknown
}

// follow goes on with those requests that the gateway here could not decide.
func (f *Forwarder) follow(ctx context.Context, began stock.Time, rs []stock.Request, outs []stock.Outcome) {
	var items []item
	for i := range outs {
		if undecided(outs[i].Code) && ctx.Err() == nil {
			it := newItem(rs[i], &outs[i])
			it.attempted(outs[i].Code)
			items = append(items, it)
		}
	}
	if len(items) > 0 {
		f.dispatch(ctx, began, items)
	}
}

// dispatch answers requests shard by shard, the shards beside each other.
func (f *Forwarder) dispatch(ctx context.Context, began stock.Time, items []item) {
	if len(items) == 1 {
		shard := f.cfg.Routes.ShardOf(items[0].req.Partition())
		f.newErrand(ctx, began, shard, []*item{&items[0]}).run()
		return
	}
	byShard := make(map[uint32][]*item)
	for i := range items {
		shard := f.cfg.Routes.ShardOf(items[i].req.Partition())
		byShard[shard] = append(byShard[shard], &items[i])
	}
	var others sync.WaitGroup
	left := len(byShard)
	for shard, list := range byShard {
		e := f.newErrand(ctx, began, shard, list)
		if left--; left == 0 {
			e.run()
			break
		}
		others.Go(e.run)
	}
	others.Wait()
}

// key returns a key for a command whose caller gives none (rule R5).
func (f *Forwarder) key() string { return f.prefix + strconv.FormatUint(f.keys.Add(1), 36) }
