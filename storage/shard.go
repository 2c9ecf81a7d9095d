// Step 12 of an order: later. Changed orders and counters go to storage in batches, behind the answers and never in front of them.

package storage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast/stock"
)

// shardFlusher takes one shard's changes to the sink, batch after batch:
//
//	connect, read the cursor -> changes since the cursor -> one transaction -> tell the source -> again
//	        ^                                                     |
//	        +--------------- pause, twice as long each time <-----+ any error
//
// It holds one batch at most. The source has the rows until they are flushed, so nothing is kept over a failure: what is written next is read
// again, and may have moved on. The alternative, a queue of changes, would have to be bounded, and then would have to drop or to block.
type shardFlusher struct {
	cfg     *Config
	shard   Shard
	sink    Sink
	metrics *metrics
	records *records
	// kick holds a token when somebody wants an idle shard looked at; draining is closed when the flusher closes.
	kick     chan struct{}
	draining <-chan struct{}
	// first takes the outcome of the first attempt to connect, or of the first look at a shared sink that another node writes.
	first chan error
	// ctx is run's; cancel ends it; ended is closed when it has returned, and left, why rows may be left, may be read. A shard that was removed
	// leaves nothing.
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{}
	left   error
	// removed is guarded by the flusher's lock.
	removed bool

	// These belong to run. session is nil while there is none; known says that index was read from the sink at least once.
	session  Session
	index    uint64
	known    bool
	compared bool   // this session's sink with the log
	unheard  bool   // the sink had not heard of the shard when a session that was not compared began
	restored uint64 // History.Restored
	covered  uint64 // flush marks up to here were looked at: what they may have cost this sink is noted
	retry    backoff
	idle     idleness
	backlog  backlog
	measured time.Time

	mu     sync.Mutex // guards what follows
	status Status
	oldest time.Time
	agreed bool // a session was compared with the log, and the shard was not left to another node since
}

// progress is what one round of the loop found.
type progress int

const (
	caughtUp  progress = iota // nothing new
	wrote                     // a batch that was not full
	behind                    // a full batch: more is waiting
	elsewhere                 // another node writes the shard's rows
)

func newShardFlusher(cfg *Config, shard Shard, sink Sink, m *metrics, r *records, draining <-chan struct{}) *shardFlusher {
	return &shardFlusher{
		cfg: cfg, shard: shard, sink: sink, metrics: m, records: r, draining: draining,
		kick: make(chan struct{}, 1), first: make(chan error, 1), ended: make(chan struct{}),
		retry:   backoff{min: cfg.RetryMin, max: cfg.RetryMax},
		idle:    idleness{poll: cfg.PollInterval, most: cfg.IdleInterval},
		backlog: backlog{merge: int64(cfg.BatchRows)},
		status:  Status{Shard: shard.ID, Sink: sink.Name()},
	}
}

// start runs the shard until ctx ends or the shard is cancelled.
func (f *shardFlusher) start(ctx context.Context) {
	f.ctx, f.cancel = context.WithCancel(ctx)
	go func() {
		defer close(f.ended)
		defer f.cancel()
		f.left = f.run(f.ctx)
	}()
}

// run flushes until ctx ends, or until nothing is left while draining. It returns why something may be left.
func (f *shardFlusher) run(ctx context.Context) error {
	defer f.disconnect()
	var err error
	for ctx.Err() == nil {
		last := f.isDraining()
		select {
		case <-f.kick:
		default:
		}
		var p progress
		p, err = f.round(ctx)
		f.settle(ctx, p, err)
		if last && err == nil && (p == caughtUp || p == elsewhere) {
			return nil
		}
		f.pause(ctx, p, err)
	}
	if err == nil {
		err = ctx.Err()
	}
	return fmt.Errorf("shard %d: %w", f.shard.ID, err)
}

func (f *shardFlusher) isDraining() bool {
	select {
	case <-f.draining:
		return true
	default:
		return false
	}
}

// round is one turn: connect if need be, read, write, tell.
func (f *shardFlusher) round(ctx context.Context) (progress, error) {
	term := f.cfg.Term(f.shard.ID)
	if term == 0 && f.shared() {
		return elsewhere, f.leave(ctx)
	}
	if err := f.connect(ctx); err != nil {
		return caughtUp, err
	}
	if known, err := f.compare(ctx); err != nil || !known && (!f.isDraining() || f.cfg.Epoch > 0) {
		return caughtUp, err
	}
	changes, err := f.read(ctx)
	if err != nil {
		return caughtUp, fmt.Errorf("storage: changes of shard %d: %w", f.shard.ID, err)
	}
	f.backlog.see(&changes, f.cfg.Now(), true)
	f.publish(func(*Status) {}) // lag grows while a write hangs
	rows := len(changes.Orders) + len(changes.SKUs)
	if rows == 0 && changes.UpTo == f.index {
		f.backlog.flushed(f.index)
		return caughtUp, f.check(ctx)
	}
	if err := f.passed(ctx); err != nil {
		return caughtUp, fmt.Errorf("storage: flush mark of shard %d: %w", f.shard.ID, err)
	}
	b := Batch{Term: term, Since: f.index, Changes: changes, Lost: f.loses(f.index, changes.UpTo), Held: f.holds(term)}
	if err := f.write(ctx, b); err != nil {
		return caughtUp, err
	}
	p := wrote
	if 2*rows >= f.cfg.BatchRows && changes.UpTo > f.index {
		p = behind
	}
	f.flushed(changes.UpTo)
	return p, nil
}

// pageRows is about how many rows the source is asked for at a time. It serves orders while it is not asked, and 4,096 rows at once would keep
// them waiting for some milliseconds.
const pageRows = 256

// read takes a batch from the source, page by page. A row that changes between two pages is in both; its later version wins in the sink.
func (f *shardFlusher) read(ctx context.Context) (stock.Changes, error) {
	all := stock.Changes{UpTo: f.index}
	limit := min(pageRows, f.cfg.BatchRows)
	if _, rowless := f.sink.(none); rowless {
		limit = 0
	}
	for {
		page, err := f.shard.Source.Changes(ctx, all.UpTo, limit)
		if err == nil && page.UpTo < all.UpTo {
			err = fmt.Errorf("they end at %d, before %d", page.UpTo, all.UpTo)
		}
		if err != nil {
			return stock.Changes{}, err
		}
		rows, moved := len(page.Orders)+len(page.SKUs), page.UpTo > all.UpTo
		if all.UpTo = page.UpTo; len(all.Orders) == 0 { // mostly the first page is the last
			all.Orders = page.Orders
		} else {
			all.Orders = append(all.Orders, page.Orders...)
		}
		all.SKUs = append(all.SKUs, page.SKUs...)
		if !moved || 2*rows < pageRows || len(all.Orders)+len(all.SKUs) >= f.cfg.BatchRows {
			return all, nil
		}
	}
}

// connect opens a session and reads the cursor, which is where flushing goes on from (rule R26).
func (f *shardFlusher) connect(ctx context.Context) error {
	if f.session != nil {
		return nil
	}
	session, index, err := f.sink.Connect(ctx, f.shard.ID)
	if f.first != nil {
		f.first <- err
		f.first = nil
	}
	if err != nil {
		return err
	}
	f.session, f.known, f.compared, f.covered = session, true, false, 0
	if s, keeps := session.(newcomer); keeps {
		f.unheard = f.unheard || s.fresh()
	}
	if k, keeps := session.(keeper); keeps {
		lacks := k.lacking()
		f.publish(func(s *Status) { s.Lacks = lacks })
	}
	f.metrics.connects.Inc()
	f.backlog.restart(index)
	f.flushed(index)
	return nil
}

func (f *shardFlusher) shared() bool { return SharedSink(f.cfg.Sink) }

// holds returns what a session asks before it commits: whether this node still writes the shard in the term that the batch was begun in.
func (f *shardFlusher) holds(term uint64) func() bool {
	if !f.shared() {
		return nil
	}
	return func() bool { return f.cfg.Term(f.shard.ID) == term }
}

// leave lets go of a shard whose rows another node writes: what waits there is that node's lag. The first time the sink is looked at all the
// same, because one that must not be written is a reason not to start.
func (f *shardFlusher) leave(ctx context.Context) (err error) {
	f.disconnect()
	if f.first != nil {
		if err = f.sink.Look(ctx); !permanent(err) {
			err = nil
		}
		f.first <- err
		f.first = nil
	}
	f.backlog.restart(f.index)
	f.backlog.flushed(f.index)
	return err
}

func (f *shardFlusher) flushed(index uint64) {
	f.index = index
	f.backlog.flushed(index)
	f.shard.Source.Flushed(index)
}

func (f *shardFlusher) write(ctx context.Context, b Batch) error {
	began := f.cfg.Now()
	if err := f.session.Write(ctx, b); err != nil {
		f.disconnect()
		return err
	}
	f.metrics.wrote(len(b.Orders), len(b.SKUs), f.cfg.Now().Sub(began))
	return nil
}

func (f *shardFlusher) check(ctx context.Context) error {
	err := f.session.Check(ctx)
	if err != nil {
		f.disconnect()
	}
	return err
}

// disconnect ends the session. What it says does not matter: the next session reads what the sink has.
func (f *shardFlusher) disconnect() {
	if f.session == nil {
		return
	}
	if err := f.session.Close(); err != nil {
		f.cfg.Logger.Debug("storage: session closed", "shard", f.shard.ID, "error", err)
	}
	f.session = nil
}

// settle notes how a round went: for the pauses, the log, the metrics and the status.
func (f *shardFlusher) settle(ctx context.Context, p progress, err error) {
	switch {
	case err == nil:
		f.records.went(f.shard.ID, f.index)
	case ctx.Err() == nil:
		f.records.failed(f.shard.ID, f.index, err)
	}
	if err != nil {
		f.metrics.failure(err)
		f.measure(ctx)
	} else if p == behind && f.cfg.Now().Sub(f.measured) >= time.Second {
		f.measure(ctx)
	}
	f.publish(func(s *Status) {
		s.Elsewhere = p == elsewhere
		f.agreed = f.agreed && !s.Elsewhere || err == nil && f.agrees()
		if s.Err = err; err != nil {
			s.inARow++
		} else {
			s.inARow = 0
		}
	})
}

// agrees reports whether the sink of this session is known to be the one that the log speaks of, or to lack what its status says.
func (f *shardFlusher) agrees() bool {
	if f.session == nil {
		return false
	}
	_, keeps := f.session.(newcomer)
	return f.compared || !keeps
}

// publish lets the status show where the loop is.
func (f *shardFlusher) publish(change func(*Status)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status.Index, f.status.LagOrders, f.oldest = f.index, f.backlog.orders, f.backlog.oldest
	f.status.connected = f.session != nil
	change(&f.status)
}

// measure counts what waits in the source beyond what was counted already, up to the bound and no further.
func (f *shardFlusher) measure(ctx context.Context) {
	f.measured = f.cfg.Now()
	for ctx.Err() == nil && f.backlog.orders < f.cfg.BacklogOrders {
		changes, err := f.shard.Source.Changes(ctx, f.backlog.seen, min(pageRows, f.cfg.BatchRows))
		if err != nil || changes.UpTo <= f.backlog.seen {
			return
		}
		// Before the sink was read, old rows may be flushed long since: only their waiting here counts.
		f.backlog.see(&changes, f.measured, f.known)
	}
}

// pause waits until the next round is due. After a full batch, and while draining, only a failure is a reason to wait.
func (f *shardFlusher) pause(ctx context.Context, p progress, err error) {
	if err != nil {
		if f.sleep(ctx, f.retry.fail(), nil) == drainBegan {
			f.retry.succeed()
		}
		return
	}
	if p != elsewhere { // a leadership that comes and goes must not try a dead server without a pause
		f.retry.succeed()
	}
	if p == behind || f.isDraining() {
		return
	}
	if p == wrote {
		f.idle.wake()
		f.sleep(ctx, f.cfg.PollInterval, nil)
		return
	}
	rest := f.idle.rest()
	if f.sleep(ctx, f.cfg.PollInterval, nil) == slept && f.sleep(ctx, rest-f.cfg.PollInterval, f.kick) == kicked {
		f.idle.wake()
	}
}

// waking says what ended a sleep.
type waking int

const (
	slept waking = iota
	stopped
	drainBegan
	kicked
)

func (f *shardFlusher) sleep(ctx context.Context, d time.Duration, kick <-chan struct{}) waking {
	draining := f.draining
	if f.isDraining() {
		draining = nil // only its beginning cuts a sleep short
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return slept
	case <-ctx.Done():
		return stopped
	case <-draining:
		return drainBegan
	case <-kick:
		return kicked
	}
}

// now returns the shard's status at this moment.
func (f *shardFlusher) now() Status {
	f.mu.Lock()
	s, oldest := f.status, f.oldest
	s.Counts = f.agreed && !s.Lacks.Any()
	f.mu.Unlock()
	waiting := backlog{oldest: oldest}
	age := waiting.age(f.cfg.Now())
	s.LagMS, s.Failing = age.Milliseconds(), s.Err != nil
	if s.LagOrders >= f.cfg.BacklogOrders || age >= f.cfg.BacklogAge {
		s.Err = errors.Join(fmt.Errorf("%w: %d orders, %d ms", ErrBacklog, s.LagOrders, s.LagMS), s.Err)
	}
	return s
}
