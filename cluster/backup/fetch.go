package backup

import (
	"context"
	"fmt"
	"io"
	"time"

	"holdfast/cluster"
)

// fetch is a group's snapshot that is read from the node that took it.
type fetch struct {
	b             *Backups
	ctx           context.Context
	group         uint32
	node, address string
	opened
	at    int64
	chunk []byte // of it what was not handed out yet
}

// open has the group's leader take a snapshot, and reads its first chunk. Nothing of it is in the archive yet, so when the leader is lost, the next
// one is asked, until OpenPatience is over.
func (b *Backups) open(ctx context.Context, group uint32) (*fetch, error) {
	patience, cancel := context.WithTimeout(ctx, b.cfg.OpenPatience)
	defer cancel()
	var last error
	for {
		f := &fetch{b: b, ctx: ctx, group: group}
		err := f.begin()
		if err == nil {
			return f, nil
		}
		last = err
		if pause(patience, b.cfg.RetryDelay) != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, fmt.Errorf("%w: %s: %w", ErrNoLeader, stateName(group), last)
		}
	}
}

func (f *fetch) begin() (err error) {
	if f.node, f.address, _ = f.b.cfg.View.Leader(f.group); f.node == "" {
		return fmt.Errorf("%w: none is known", ErrNoLeader)
	}
	answer, err := f.ask(&request{op: opOpen, group: f.group}, f.b.cfg.OpenTimeout)
	if err != nil {
		return err
	}
	if f.opened, err = decodeOpened(answer); err != nil || f.bytes == 0 {
		return err
	}
	if f.chunk, err = f.next(); err != nil {
		f.close()
	}
	return err
}

// ask asks the node, which may be this one.
func (f *fetch) ask(q *request, timeout time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(f.ctx, timeout)
	defer cancel()
	r := cluster.Request{Kind: cluster.KindSnapshot, Attempt: 1, Body: q.encode()}
	if f.node == f.b.cfg.NodeID {
		return f.b.reads.ServePeer(ctx, r)
	}
	return f.b.cfg.Peers.Call(ctx, f.node, f.address, r)
}

// next asks for the chunk at f.at.
func (f *fetch) next() ([]byte, error) {
	answer, err := f.ask(&request{op: opNext, group: f.group, read: f.read, offset: f.at, most: uint32(f.b.cfg.ChunkBytes)}, f.b.cfg.ChunkTimeout)
	if err != nil {
		return nil, err
	}
	chunk, err := decodeChunk(answer)
	if err == nil && int64(len(chunk)) > f.bytes-f.at {
		err = fmt.Errorf("backup: %d bytes at %d of %d", len(chunk), f.at, f.bytes)
	}
	f.at += int64(len(chunk))
	return chunk, err
}

// Read reads the state. A chunk whose answer was lost is asked for again, of the same node; when that is gone, so is the backup.
func (f *fetch) Read(p []byte) (int, error) {
	if len(f.chunk) == 0 {
		if f.at == f.bytes {
			return 0, io.EOF
		}
		if err := f.advance(); err != nil {
			return 0, err
		}
	}
	n := copy(p, f.chunk)
	f.chunk = f.chunk[n:]
	return n, nil
}

func (f *fetch) advance() error {
	patience, cancel := context.WithTimeout(f.ctx, f.b.cfg.ChunkTimeout)
	defer cancel()
	for at := f.at; ; f.at = at {
		chunk, err := f.next()
		if err == nil {
			f.chunk = chunk
			return nil
		}
		if pause(patience, f.b.cfg.RetryDelay) != nil {
			return fmt.Errorf("%w: %s of node %s at byte %d of %d: %w", ErrBrokenOff, stateName(f.group), f.node, at, f.bytes, err)
		}
	}
}

// close lets the node forget the read; it does so by itself if it is not told.
func (f *fetch) close() {
	_, _ = f.ask(&request{op: opDone, group: f.group, read: f.read}, time.Second)
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
