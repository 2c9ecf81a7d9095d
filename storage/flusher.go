package storage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Flusher takes the changes of a node's shards to its sink until it is closed.
type Flusher struct {
	cfg      Config
	sink     Sink
	shards   []*shardFlusher
	metrics  *metrics
	records  *records
	draining chan struct{}
	cancel   context.CancelFunc
	// left holds why rows of each shard may be left; read once done is closed.
	left []error
	done chan struct{}

	closing  sync.Once
	closeErr error
}

// Status is where a shard's flushing stands.
type Status struct {
	Shard uint32
	// Sink is the sink's name.
	Sink string
	// Index is the log index up to which the sink has everything.
	Index uint64
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
	f := &Flusher{cfg: cfg, sink: sink, draining: make(chan struct{}), done: make(chan struct{}), left: make([]error, len(cfg.Shards))}
	f.metrics, f.records = newMetrics(f.Status), newRecords(cfg.Logger, sink.Name(), len(cfg.Shards))
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	firsts := make([]<-chan error, len(cfg.Shards))
	for i, s := range cfg.Shards {
		shard := newShardFlusher(&f.cfg, s, sink, f.metrics, f.records, f.draining)
		f.shards, firsts[i] = append(f.shards, shard), shard.first
	}
	if err := f.metrics.register(cfg.Registerer); err != nil {
		cancel()
		return nil, errors.Join(err, sink.Close())
	}
	f.start(ctx)
	if err := f.refused(firsts); err != nil {
		cancel()
		_ = f.Close(ctx) // nothing was flushed, and err says why
		return nil, err
	}
	return f, nil
}

// start runs the shards; done is closed when all have returned.
func (f *Flusher) start(ctx context.Context) {
	var running sync.WaitGroup
	for i, shard := range f.shards {
		running.Go(func() { f.left[i] = shard.run(ctx) })
	}
	go func() {
		running.Wait()
		f.records.close()
		close(f.done)
	}()
}

// refused waits a while for the first attempt of each shard and returns an error that no further attempt will mend.
func (f *Flusher) refused(firsts []<-chan error) error {
	timeout := time.NewTimer(f.cfg.OpenTimeout)
	defer timeout.Stop()
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

// Kick has idle shards looked at now rather than at the end of their interval. It never blocks.
func (f *Flusher) Kick() {
	for _, shard := range f.shards {
		select {
		case shard.kick <- struct{}{}:
		default:
		}
	}
}

// Status returns where each shard stands, in the order of Config.Shards. It never waits for a sink.
func (f *Flusher) Status() []Status {
	status := make([]Status, len(f.shards))
	for i, shard := range f.shards {
		status[i] = shard.now()
	}
	return status
}

// Close flushes what the sources still have and stops. The sources must answer until it returns, and should have no new changes any more.
// When ctx ends first it returns ErrNotFlushed, joined with the reasons; what is left is flushed after the next start. A second call returns
// what the first did.
func (f *Flusher) Close(ctx context.Context) error {
	f.closing.Do(func() {
		close(f.draining)
		f.closeErr = f.stop(ctx)
	})
	return f.closeErr
}

func (f *Flusher) stop(ctx context.Context) error {
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
	err := errors.Join(f.left...)
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
