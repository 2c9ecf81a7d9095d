package storage

import (
	"context"
	"errors"
	"fmt"
)

// A database of a node's own lacks what left memory before the node had its replica, or while the flush marks did not wait for it (rule R27).
// Nothing in the log brings that back: it comes from a peer's database, page by page in the order of the keys, beside the flushing.
//
//	what is missing is noted in the file -> a page from a peer, whose file has what is missing -> rows, by version, and how far that is -> again
//	                                                                       after the last page: nothing is missing, the shard counts
//
// Everything that did not leave memory is flushed from there meanwhile, so a row that a page brings is either final or older than the one that
// flushing brings, and versions decide.

// Rows returns a page of the rows of a shard that is flushed here, behind a key: "" for the first page, Page.Next for the next. It is what a peer's
// Seed asks for. limit is about how many rows, at most MaxPageRows. It returns ErrNoShard for a shard that is not flushed here, ErrNotLocal for a
// sink that is no file of this node's, and ErrSinkGone while the file has nothing of the shard.
func (f *Flusher) Rows(ctx context.Context, shard uint32, after string, limit int) (Page, error) {
	flushed, sink, done, err := f.beside(shard)
	if err != nil {
		return Page{}, err
	}
	defer done()
	p, err := sink.rows(ctx, flushed.shard, after, min(max(limit, 1), MaxPageRows))
	if err != nil {
		return Page{}, fmt.Errorf("storage: rows of shard %d in %s: %w", shard, sink.path, classify(err))
	}
	return p, nil
}

// Seed fills a shard's database with what Status says it Lacks, and returns nil when nothing is missing any more; then the shard counts. from asks a
// peer for the page behind a key, as the peer's Rows returns it; it may ask another peer each time. How far it got is kept in the database: after
// any error, a restart among them, the next Seed goes on there. A page of a peer that lacks the same, or is not as far, is refused with
// ErrPeerLacks, what is no page with ErrBadPage. For a sink that is not a file of this node's there is nothing to do. While the
// sink was not compared with the log yet, nothing is known to be missing: Status.Counts says when all is there.
func (f *Flusher) Seed(ctx context.Context, shard uint32, from func(ctx context.Context, after string, limit int) (Page, error)) (err error) {
	flushed, sink, done, err := f.beside(shard)
	if err != nil {
		if errors.Is(err, ErrNotLocal) {
			err = nil
		}
		return err
	}
	defer done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(flushed.ctx, cancel)()
	session, err := sink.seedSession(ctx, shard)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	for {
		more, err := flushed.seedPage(ctx, session, from)
		if err != nil || !more {
			return err
		}
	}
}

// seedPage takes one page further; more is false when nothing is missing.
func (f *shardFlusher) seedPage(
	ctx context.Context, session *sqliteSession, from func(ctx context.Context, after string, limit int) (Page, error),
) (more bool, err error) {
	seed, err := session.seed(ctx)
	if err != nil || !seed.lacks.Any() {
		return false, err
	}
	p, err := from(ctx, seed.at, MaxPageRows)
	if err != nil {
		return false, fmt.Errorf("storage: seed shard %d: %w", f.shard.ID, err)
	}
	if err := f.accepts(&p, seed); err != nil {
		return false, err
	}
	moved, err := session.writePage(ctx, &p, seed)
	if err != nil || moved {
		return moved, err
	}
	f.metrics.seeded.Add(float64(p.Rows()))
	if p.Next != "" {
		return true, nil
	}
	f.publishSeeded(seed.lacks)
	return true, nil // more may have gone missing meanwhile
}

// accepts returns why a page must not be written.
func (f *shardFlusher) accepts(p *Page, seed seedState) error {
	switch {
	case p.Shard != f.shard.ID || p.Epoch != f.cfg.Epoch:
		return fmt.Errorf("%w: it is of shard %d in epoch %d", ErrBadPage, p.Shard, p.Epoch)
	case p.Next != "" && p.Next <= seed.at:
		return fmt.Errorf("%w: behind %q comes %q", ErrBadPage, seed.at, p.Next)
	case p.Index < seed.lacks.To:
		return fmt.Errorf("%w: it has shard %d up to %d, rows up to %d are missing here", ErrPeerLacks, p.Shard, p.Index, seed.lacks.To)
	case p.Lacks.overlaps(seed.lacks):
		return fmt.Errorf("%w: of shard %d (%d, %d] there, (%d, %d] here",
			ErrPeerLacks, p.Shard, p.Lacks.From, p.Lacks.To, seed.lacks.From, seed.lacks.To)
	}
	return p.check(f.shard.Partitions)
}

// publishSeeded lets the status say that what was missing is there, unless more has gone missing meanwhile.
func (f *shardFlusher) publishSeeded(lacked Span) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.status.Lacks == lacked {
		f.status.Lacks = Span{}
	}
}

// beside returns a shard and the file it is flushed to, for use beside the flushing; done gives it back, which Close waits for.
func (f *Flusher) beside(shard uint32) (*shardFlusher, *sqliteSink, func(), error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	flushed := f.findLocked(shard)
	sink, local := f.sink.(*sqliteSink)
	switch {
	case f.closed:
		return nil, nil, nil, ErrClosed
	case flushed == nil || flushed.removed:
		return nil, nil, nil, fmt.Errorf("%w: %d", ErrNoShard, shard)
	case !local:
		return nil, nil, nil, fmt.Errorf("%w: %s", ErrNotLocal, f.sink.Name())
	}
	f.readers.Add(1)
	return flushed, sink, f.readers.Done, nil
}
