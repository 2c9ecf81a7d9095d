package backup

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"holdfast/cluster"
)

// Backups makes backups on a node, and lets other nodes read what they need for theirs.
type Backups struct {
	cfg     Config
	metrics *metrics
	reads   *reads
	wg      sync.WaitGroup
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc

	mu      sync.Mutex // guards what follows
	streams int
	closed  bool
}

// New returns the backups of a node. Handler has to be served to other nodes.
func New(cfg Config) (*Backups, error) {
	cfg = cfg.withDefaults()
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, fmt.Errorf("backup: draw a number: %w", err)
	}
	b := &Backups{cfg: cfg, metrics: newMetrics(cfg.Registerer)}
	b.reads = &reads{cfg: &b.cfg, metrics: b.metrics, open: make(map[uint64]*read), last: binary.BigEndian.Uint64(random[:])}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b, nil
}

// Handler answers requests of cluster.KindSnapshot.
func (b *Backups) Handler() cluster.RequestHandler { return b.reads }

// Close ends the backups that are being made and all reads, and waits for them.
func (b *Backups) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	b.wg.Wait()
	b.reads.close()
}

// Stream makes a backup while it is read. It returns when the meta group's state has been found, with ErrNoCluster, ErrNoLeader, ErrBusy, ErrClosed
// or the context's error when there is nothing to be read. An archive that cannot be finished ends with an error instead of io.EOF. The caller closes it; ctx
// ends it, too.
func (b *Backups) Stream(given context.Context) (io.ReadCloser, error) {
	if err := b.enter(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(given)
	stop := context.AfterFunc(b.ctx, cancel)
	m, first, err := b.begin(ctx)
	if err != nil {
		stop()
		cancel()
		b.leave()
		return nil, err
	}
	out, in := io.Pipe()
	s := &stream{PipeReader: out, ctx: given, cancel: cancel, done: make(chan struct{})}
	// The writer may wait in the pipe, where it looks at nothing else.
	context.AfterFunc(ctx, func() { _ = in.CloseWithError(ctx.Err()) })
	go func() {
		defer close(s.done)
		defer b.leave()
		defer cancel()
		defer stop()
		_ = in.CloseWithError(b.run(ctx, in, m, first))
	}()
	return s, nil
}

// run makes the archive and returns how it ended; nil is its end.
func (b *Backups) run(ctx context.Context, in io.Writer, m *Manifest, first *fetch) error {
	err := b.write(ctx, in, m, first)
	b.metrics.ended(err)
	if err != nil {
		b.cfg.Logger.Warn("a backup broke off", "error", err)
		return err
	}
	b.metrics.last.Set(float64(b.cfg.Now().Unix()))
	return nil
}

// stream is a backup that is being read.
type stream struct {
	*io.PipeReader
	ctx    context.Context // the caller's
	cancel context.CancelFunc
	done   chan struct{}
}

// Read reads on. Once the caller's context has ended there is no more, also where the writer has not heard of it yet.
func (s *stream) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.PipeReader.Read(p)
}

// Close ends the backup and waits for it.
func (s *stream) Close() error {
	s.cancel()
	err := s.PipeReader.Close()
	<-s.done
	return err
}

func (b *Backups) enter() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return ErrClosed
	case b.streams >= b.cfg.MaxStreams:
		b.metrics.overload[boundStreams].Inc()
		return fmt.Errorf("%w: %d backups", ErrBusy, b.streams)
	}
	b.streams++
	b.wg.Add(1)
	b.metrics.streams.Set(float64(b.streams))
	return nil
}

func (b *Backups) leave() {
	b.mu.Lock()
	b.streams--
	b.metrics.streams.Set(float64(b.streams))
	b.mu.Unlock()
	b.wg.Done()
}

// begin finds out what the backup is of, and the state of the meta group.
func (b *Backups) begin(ctx context.Context) (*Manifest, *fetch, error) {
	table := b.cfg.View.Cluster()
	if !table.Created() {
		return nil, nil, ErrNoCluster
	}
	m := &Manifest{
		Format: formatVersion, ClusterID: fmt.Sprintf("%x", table.ID), Ancestors: append([]string{}, b.cfg.Ancestors...), Epoch: table.Epoch,
		Level: table.Level, Shards: len(table.Shards) - 1, Node: b.cfg.NodeID, Version: b.cfg.Version, TakenAt: moment(b.cfg.Now()),
	}
	if err := m.check(); err != nil {
		return nil, nil, err
	}
	f, err := b.open(ctx, 0)
	return m, f, err
}

// write writes the archive, one group after the other.
func (b *Backups) write(ctx context.Context, to io.Writer, m *Manifest, first *fetch) error {
	w, err := newWriter(&counting{to, b.metrics}, m)
	if err != nil {
		first.close()
		return err
	}
	if err := b.writeState(w, first); err != nil {
		return err
	}
	for group := uint32(1); group <= uint32(m.Shards); group++ {
		f, err := b.open(ctx, group)
		if err != nil {
			return err
		}
		if err := b.writeState(w, f); err != nil {
			return err
		}
	}
	return w.end()
}

func (b *Backups) writeState(w *writer, f *fetch) error {
	defer f.close()
	err := w.file(File{Name: stateName(f.group), Index: f.index, Term: f.term, Bytes: f.bytes}, f)
	if errors.Is(err, io.ErrClosedPipe) && f.ctx.Err() != nil {
		return f.ctx.Err()
	}
	return err
}

// counting counts what was handed out.
type counting struct {
	to      io.Writer
	metrics *metrics
}

// Write writes to the reader of the backup.
func (c *counting) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.metrics.bytes.Add(float64(n))
	return n, err
}
