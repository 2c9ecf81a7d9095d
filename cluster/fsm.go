// Step 9 of an order: quorum, then FSM. Raft hands committed entries over in log order; this passes them on to the shard's machine and stays thin.

package cluster

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// fsm stands between raft and one machine. It never panics: raft would answer the entry's future as if all were well and go on with a machine
// that missed it. When the machine errs it takes nothing more, answers nothing more, and reports the entry (rule R17).
//
// It implements raft.BatchingFSM, so an idle group whose newest entry is a membership change can still be snapshotted.
type fsm struct {
	machine Machine
	// fail is told of entries that the machine could not take.
	fail func(first, last uint64, err error)
	// kept is called when a snapshot became durable, just before raft cuts the log.
	kept func()
	// restored is called when the machine has taken a snapshot that a leader sent; may be nil.
	restored func()

	stopped    atomic.Bool
	given      atomic.Uint64 // index of the last entry that the machine was given, or is being given
	work       atomic.Uint64 // index of the last command that it took
	opening    atomic.Bool   // the next restore is NewRaft's: when it fails, so does the open
	restoreErr error         // what that restore said; raft passes on only a text of its own
}

var _ raft.BatchingFSM = (*fsm)(nil)

// ApplyBatch hands committed entries to the machine. An entry that was not handed over is answered with nil, which means unknown.
func (f *fsm) ApplyBatch(logs []*raft.Log) []any {
	answers := make([]any, len(logs))
	if f.stopped.Load() {
		return answers
	}
	entries := make([]Entry, len(logs))
	for i, l := range logs {
		entries[i] = Entry{Index: l.Index, Term: l.Term}
		if l.Type == raft.LogCommand {
			entries[i].Data = l.Data
		}
	}
	f.given.Store(logs[len(logs)-1].Index)
	if err := f.call(func() error { return f.machine.Apply(entries) }); err != nil {
		f.stopped.Store(true)
		first, last := logs[0].Index, logs[len(logs)-1].Index
		if named := entryFault(nil); errors.As(err, &named) {
			first, last = named.EntryIndex(), named.EntryIndex()
		}
		f.fail(first, last, err)
		return answers
	}
	for i, l := range logs {
		answers[i] = committed{}
		if l.Type == raft.LogCommand {
			f.work.Store(l.Index)
		}
	}
	return answers
}

// entryFault is an error of Machine.Apply that knows which entry of the batch it is about.
type entryFault interface {
	error
	EntryIndex() uint64
}

// Apply hands one entry over. Raft uses ApplyBatch.
func (f *fsm) Apply(l *raft.Log) any { return f.ApplyBatch([]*raft.Log{l})[0] }

var errStopped = errors.New("cluster: replica is stopping")

// Snapshot asks the machine for a cut. It rests on the machine's own word, not on an index of raft's, which would mean "queued" (rule R13).
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	if f.stopped.Load() {
		return nil, errStopped
	}
	var cut Cut
	err := f.call(func() (err error) {
		cut, err = f.machine.Snapshot()
		return err
	})
	if err != nil {
		return nil, err
	}
	return &persist{cut: cut, fsm: f}, nil
}

// Restore replaces the machine's state by a snapshot's, of which it hands out only verified bytes.
func (f *fsm) Restore(r io.ReadCloser) error {
	opening := f.opening.Swap(false)
	source := &stickyReader{from: r}
	err := f.call(func() error { return f.machine.Restore(source) })
	if err == nil && source.err == nil {
		_, source.err = io.Copy(io.Discard, r) // The end of the file is verified too.
	}
	if source.err != nil && !errors.Is(source.err, io.EOF) {
		err = source.err // The cause of whatever the machine said.
	}
	if err == nil {
		if !opening && f.restored != nil {
			f.restored()
		}
		return nil
	}
	if opening {
		f.restoreErr = err
	} else {
		f.stopped.Store(true)
		f.fail(0, 0, fmt.Errorf("cluster: restore: %w", err))
	}
	return err
}

// call runs one call of the machine; a panic becomes an error.
func (f *fsm) call(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("cluster: machine panicked: %v", p)
		}
	}()
	return do()
}

// stickyReader remembers the error that ended it: a machine may wrap it, or swallow it.
type stickyReader struct {
	from io.Reader
	err  error
}

// Read reads from the snapshot.
func (r *stickyReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err != nil {
		r.err = err
	}
	return n, err
}

// persist writes a cut into a sink.
type persist struct {
	cut Cut
	fsm *fsm
}

// haltingWriter writes as long as the replica runs: nobody waits at Close for a large state to be written.
type haltingWriter struct {
	to  io.Writer
	fsm *fsm
}

// Write writes to the sink.
func (w *haltingWriter) Write(p []byte) (int, error) {
	if w.fsm.stopped.Load() {
		return 0, errStopped
	}
	return w.to.Write(p)
}

// Persist writes the cut and makes it durable.
func (p *persist) Persist(sink raft.SnapshotSink) error {
	if _, err := p.cut.WriteTo(&haltingWriter{to: sink, fsm: p.fsm}); err != nil {
		_ = sink.Cancel()
		return fmt.Errorf("cluster: write snapshot: %w", err)
	}
	if err := sink.Close(); err != nil {
		return err
	}
	p.fsm.kept()
	return nil
}

// Release lets go of the cut.
func (p *persist) Release() { p.cut.Release() }

// since returns the seconds since start, for metrics.
func since(start time.Time) float64 { return time.Since(start).Seconds() }
