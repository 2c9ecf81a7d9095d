package control

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"holdfast/cluster"
	"holdfast/cluster/meta"
	"holdfast/stock"
)

// machine is the meta group's state machine on this node. It applies entries as they come, so what raft gave it is applied (rule R13).
type machine struct {
	control *Control
	shown   atomic.Pointer[meta.Cluster]

	mu      sync.Mutex // guards what follows
	state   *meta.State
	applied uint64
	term    uint64 // of the entry at applied
}

var _ cluster.Machine = (*machine)(nil)

// Machine returns the state machine of shard 0, empty: one for each time that its replica is opened or rebuilt.
func (c *Control) Machine() cluster.Machine {
	m := &machine{control: c, state: meta.New()}
	m.shown.Store(m.state.Cluster())
	if was := c.machine.Swap(m); was != nil {
		c.learn(was.shown.Load())
	}
	return m
}

// entryError names the entry that could not be applied.
type entryError struct {
	index uint64
	cause error
}

// Error returns the cause with the entry's index.
func (e *entryError) Error() string { return fmt.Sprintf("control: entry %d: %v", e.index, e.cause) }

// Unwrap returns the cause.
func (e *entryError) Unwrap() error { return e.cause }

// EntryIndex returns the log index of the entry.
func (e *entryError) EntryIndex() uint64 { return e.index }

// Apply applies entries and tells those who wait for the outcomes of their commands.
func (m *machine) Apply(entries []cluster.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		if e.Data != nil {
			command, out, err := m.state.Apply(e.Data)
			if err != nil {
				return &entryError{index: e.Index, cause: err}
			}
			m.control.waiting.tell(command.Head(), out)
		}
		m.applied, m.term = e.Index, e.Term
	}
	m.show()
	return nil
}

// show hands the present table out.
func (m *machine) show() {
	if now := m.state.Cluster(); m.shown.Swap(now) != now {
		m.control.moved()
	}
}

// position returns the index and term of the last entry that was applied, and log time.
func (m *machine) position() (index, term uint64, now stock.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.applied, m.term, m.state.Now()
}

// A snapshot of the meta group: format version, index and term of the last entry applied, big-endian, then the state as meta writes it.
const (
	cutVersion   = 1
	cutHeadBytes = 17
)

// Snapshot returns the state as it is.
func (m *machine) Snapshot() (cluster.Cut, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := binary.BigEndian.AppendUint64([]byte{cutVersion}, m.applied)
	b = binary.BigEndian.AppendUint64(b, m.term)
	return cut(append(b, m.state.Snapshot()...)), nil
}

// cut is a snapshot in memory: the state is some hundred KiB at its bounds.
type cut []byte

// WriteTo writes it.
func (c cut) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(c)
	return int64(n), err
}

// Release does nothing.
func (c cut) Release() {}

// Restore replaces the state by one that a cut wrote.
func (m *machine) Restore(r io.Reader) error {
	state, index, term, err := ReadState(r)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state, m.applied, m.term = state, index, term
	m.show()
	return nil
}

// ReadState reads a snapshot of the meta group to its end: its state, and the index and term of the last entry in it.
func ReadState(r io.Reader) (state *meta.State, index, term uint64, err error) {
	var head [cutHeadBytes]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, 0, 0, fmt.Errorf("control: read snapshot: %w", err)
	}
	if head[0] != cutVersion {
		return nil, 0, 0, fmt.Errorf("%w: snapshot version %d, not %d", meta.ErrUnknownCommand, head[0], cutVersion)
	}
	state, err = meta.Restore(r)
	return state, binary.BigEndian.Uint64(head[1:]), binary.BigEndian.Uint64(head[9:]), err
}

// Lead has the term opened soon.
func (m *machine) Lead(uint64) { m.control.Prompt() }

// Follow says that a term is over: what waits is told so by the group itself.
func (m *machine) Follow(uint64) { m.control.Prompt() }

// Close forgets the machine, unless another took its place. What was known of the cluster stays known.
func (m *machine) Close() {
	m.control.learn(m.shown.Load())
	if m.control.machine.CompareAndSwap(m, nil) {
		m.control.moved()
	}
}
