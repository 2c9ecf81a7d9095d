package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Flusher takes the changes of a node's shards to its sink until it is closed. Shards come and go while it runs.
type Flusher struct {
	cfg      Config
	sink     Sink
	metrics  *metrics
	records  *records
	draining chan struct{}
	ctx      context.Context // of all shards
	cancel   context.CancelFunc
	done     chan struct{} // closed when all shards have ended after Close began

	mu     sync.Mutex // guards what follows
	shards []*shardFlusher
	closed bool
	// readers counts the calls of Rows and Seed, which use the sink beside the shards.
	readers sync.WaitGroup

	closing  sync.Once
	closeErr error
}

// Status is where a shard's flushing stands.
type Status struct {
	Shard uint32
	// Sink is the sink's name.
	Sink string
	// Index is the log index up to which the sink has everything, as this node knows.
	Index uint64
	// Counts: the sink is known to have all rows that ever left memory, and everything up to Index. It is false until the sink was compared with the
	// log, while it Lacks rows, and while another node flushes the shard.
	Counts bool
	// Lacks are the log entries in which rows that are missing changed last: they had left memory, and have to come from a peer (Seed).
	Lacks Span
	// Elsewhere: the sink is shared and another node flushes the shard.
	Elsewhere bool
	// LagOrders is about how many changed orders wait, counted up to the configured bound; LagMS is how long the oldest change has waited.
	LagOrders, LagMS int64
	// Err is why the last attempt failed, joined with ErrBacklog while more waits than the bounds; nil when all is well.
	Err error
	// Failing: the last attempt failed.
	Failing bool
	// Gap is what the sink lacked when a session began, the last time that it lacked anything since the start.
	Gap Gap

	// For the metrics: whether there is a session, and how many attempts failed since the last that did not.
	connected bool
	inARow    int
}

// Open begins to flush. It returns an error when the sink must not be written (ErrForeignFile, ErrNewerSchema, ErrOtherCluster) or the
// configuration cannot work (ErrConfig, ErrUnknownSink); a sink that cannot be reached is no error, it is tried again.
func Open(c Config) (*Flusher, error) {
	cfg, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	sink, err := newSink(&cfg)
	if err != nil {
		return nil, err
	}
	return open(cfg, sink)
}

func open(cfg Config, sink Sink) (*Flusher, error) {
	f := &Flusher{cfg: cfg, sink: sink, draining: make(chan struct{}), done: make(chan struct{})}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.metrics, f.records = newMetrics(f.Status), newRecords(cfg.Logger, sink.Name(), len(cfg.Shards))
	if err := f.metrics.register(cfg.Registerer); err != nil {
		f.cancel()
		return nil, errors.Join(err, sink.Close())
	}
	firsts := make([]<-chan error, len(cfg.Shards))
	for i, s := range cfg.Shards {
		shard := newShardFlusher(&f.cfg, s, sink, f.metrics, f.records, f.draining)
		f.shards, firsts[i] = append(f.shards, shard), shard.first
		shard.start(f.ctx)
	}
	if err := f.refused(firsts); err != nil {
		f.cancel()
		_ = f.Close(f.ctx) // nothing was flushed, and err says why
		return nil, err
	}
	return f, nil
}

// refused waits a while for the first attempt of each shard and returns an error that no further attempt will mend.
func (f *Flusher) refused(firsts []<-chan error) error {
	timeout := time.NewTimer(f.cfg.OpenTimeout)
	defer timeout.Stop()
	if len(firsts) == 0 {
		ctx, cancel := context.WithTimeout(f.ctx, f.cfg.OpenTimeout)
		defer cancel()
		if err := f.sink.Look(ctx); permanent(err) {
			return err
		}
	}
	for _, first := range firsts {
		select {
		case err := <-first:
			if permanent(err) {
				return err
			}
		case <-timeout.C:
			return nil
		}
	}
	return nil
}

// AddShard begins to flush a shard, from where the sink's cursor is. It returns at once: whatever is wrong with the sink is in Status. It returns
// ErrConfig for a shard without a source, ErrShardKnown for one that is flushed already or whose removal has not ended, and ErrClosed after Close.
func (f *Flusher) AddShard(s Shard) error {
	if s.Source == nil {
		return fmt.Errorf("%w: shard %d has no source", ErrConfig, s.ID)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	f.forgetLocked()
	if f.findLocked(s.ID) != nil {
		return fmt.Errorf("%w: %d", ErrShardKnown, s.ID)
	}
	shard := newShardFlusher(&f.cfg, s, f.sink, f.metrics, f.records, f.draining)
	f.shards = append(f.shards, shard)
	f.records.expect(len(f.shards))
	shard.start(f.ctx)
	return nil
}

// RemoveShard stops flushing a shard and returns when nothing of it is left; a transaction that is under way is given up, the other shards go on.
// When ctx ends first it returns ctx's error: the shard is not in Status any more and ends when its disk answers; until then its id is taken, and
// RemoveShard may be called again to go on waiting. It returns ErrNoShard for one that is not flushed.
func (f *Flusher) RemoveShard(ctx context.Context, id uint32) error {
	f.mu.Lock()
	shard := f.findLocked(id)
	if shard == nil {
		f.mu.Unlock()
		return fmt.Errorf("%w: %d", ErrNoShard, id)
	}
	shard.removed = true
	f.mu.Unlock()
	shard.cancel()
	select {
	case <-shard.ended:
	case <-ctx.Done():
		return fmt.Errorf("storage: shard %d has not ended: %w", id, ctx.Err())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forgetLocked()
	return nil
}

func (f *Flusher) findLocked(id uint32) *shardFlusher {
	for _, shard := range f.shards {
		if shard.shard.ID == id {
			return shard
		}
	}
	return nil
}

// forgetLocked lets go of removed shards that have ended.
func (f *Flusher) forgetLocked() {
	f.shards = slices.DeleteFunc(f.shards, func(s *shardFlusher) bool {
		if !s.removed {
			return false
		}
		select {
		case <-s.ended:
			f.records.forget(s.shard.ID)
			return true
		default:
			return false
		}
	})
	f.records.expect(len(f.shards))
}

// present returns the shards that were not removed.
func (f *Flusher) present() []*shardFlusher {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.shards), func(s *shardFlusher) bool { return s.removed })
}

// Kick has idle shards looked at now rather than at the end of their interval. It never blocks.
func (f *Flusher) Kick() {
	for _, shard := range f.present() {
		select {
		case shard.kick <- struct{}{}:
		default:
		}
	}
}

// Status returns where each shard stands, in the order of Config.Shards and then as they were added. It never waits for a sink.
func (f *Flusher) Status() []Status {
	shards := f.present()
	status := make([]Status, len(shards))
	for i, shard := range shards {
		status[i] = shard.now()
	}
	return status
}

// Close flushes what the sources still have and stops. The sources must answer until it returns, and should have no new changes any more.
// When ctx ends first it returns ErrNotFlushed, joined with the reasons; what is left is flushed after the next start. A second call returns
// what the first did.
func (f *Flusher) Close(ctx context.Context) error {
	f.closing.Do(func() {
		f.mu.Lock()
		f.closed = true
		shards := f.shards
		f.mu.Unlock()
		close(f.draining)
		go f.await(shards)
		f.closeErr = f.stop(ctx, shards)
	})
	return f.closeErr
}

// await closes done when every shard has ended.
func (f *Flusher) await(shards []*shardFlusher) {
	for _, shard := range shards {
		<-shard.ended
	}
	f.readers.Wait()
	f.records.close()
	close(f.done)
}

func (f *Flusher) stop(ctx context.Context, shards []*shardFlusher) error {
	defer f.metrics.unregister(f.cfg.Registerer)
	defer f.cancel()
	select {
	case <-f.done:
	case <-ctx.Done():
		f.cancel()
		if !f.wait() {
			return fmt.Errorf("%w: the disk does not answer; its goroutines end when it does", ErrNotFlushed)
		}
	}
	var left []error
	for _, shard := range shards {
		left = append(left, shard.left)
	}
	err := errors.Join(left...)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrNotFlushed, err)
	}
	return errors.Join(err, f.sink.Close())
}

// wait gives the shards the time that one attempt on a locked file and one transaction take. Only a system call that the disk never answers
// lasts longer, and nothing can end that.
func (f *Flusher) wait() bool {
	timeout := time.NewTimer(f.cfg.BusyTimeout + time.Second)
	defer timeout.Stop()
	select {
	case <-f.done:
		return true
	case <-timeout.C:
		return false
	}
}
