package cluster

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"holdfast/stock"
)

// Futures that raft forgets leave a goroutine each; one test provokes that. All others run in a bubble, which takes any goroutine left for a
// deadlock, or look for themselves.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/raft.(*deferError).Error"))
}

// eventually polls until ok, in real or in virtual time.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ticker, deadline := time.NewTicker(5*time.Millisecond), time.After(30*time.Second)
	defer ticker.Stop()
	for !ok() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.After(d) }

// memLog is a GroupLog in memory that behaves as one on disk: it refuses gaps, and it can be made to block or to fail.
type memLog struct {
	*raft.InmemStore
	mu     sync.Mutex
	gate   chan struct{} // StoreLogs waits while it is open
	inside int
	err    error // the next StoreLogs returns it, once
	drops  int
}

var _ GroupLog = (*memLog)(nil)

func newMemLog() *memLog { return &memLog{InmemStore: raft.NewInmemStore()} }

func (l *memLog) IsMonotonic() bool { return true }

func (l *memLog) StoreLog(e *raft.Log) error { return l.StoreLogs([]*raft.Log{e}) }

func (l *memLog) StoreLogs(entries []*raft.Log) error {
	l.mu.Lock()
	gate, err := l.gate, l.err
	l.err = nil
	l.inside++
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.inside--
		l.mu.Unlock()
	}()
	if gate != nil {
		<-gate
	}
	if err != nil {
		return err
	}
	if last, _ := l.LastIndex(); last != 0 && entries[0].Index != last+1 {
		return fmt.Errorf("gap: the log ends at %d, append at %d", last, entries[0].Index)
	}
	return l.InmemStore.StoreLogs(entries)
}

func (l *memLog) hold() (release func()) {
	gate := make(chan struct{})
	l.mu.Lock()
	l.gate = gate
	l.mu.Unlock()
	return func() {
		l.mu.Lock()
		l.gate = nil
		l.mu.Unlock()
		close(gate)
	}
}

func (l *memLog) writers() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inside
}

func (l *memLog) failNext(err error) {
	l.mu.Lock()
	l.err = err
	l.mu.Unlock()
}

func (l *memLog) Drop() error {
	first, _ := l.FirstIndex()
	last, _ := l.LastIndex()
	l.mu.Lock()
	l.drops++
	l.mu.Unlock()
	if last == 0 {
		return nil
	}
	return l.DeleteRange(first, last)
}

func (l *memLog) BytesSince(index uint64) int64 {
	first, _ := l.FirstIndex()
	last, _ := l.LastIndex()
	var total int64
	for i := max(index+1, first); i <= last && i > 0; i++ {
		var e raft.Log
		if l.GetLog(i, &e) == nil {
			total += int64(len(e.Data)) + 32
		}
	}
	return total
}

// memNet is a network in memory: addresses are names.
type memNet struct {
	mu        sync.Mutex
	listeners map[string]*memListener
}

func newMemNet() *memNet { return &memNet{listeners: make(map[string]*memListener)} }

type memListener struct {
	name  string
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (n *memNet) listen(name string) *memListener {
	l := &memListener{name: name, conns: make(chan net.Conn), done: make(chan struct{})}
	n.mu.Lock()
	n.listeners[name] = l
	n.mu.Unlock()
	return l
}

func (n *memNet) dial(address string, timeout time.Duration) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[address]
	n.mu.Unlock()
	if l == nil {
		return nil, errors.New("connection refused")
	}
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-l.done:
	case <-time.After(timeout):
	}
	return nil, errors.New("connection refused")
}

// reach is dial as a Config has it.
func (n *memNet) reach(_ context.Context, address string, timeout time.Duration) (net.Conn, error) {
	return n.dial(address, timeout)
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error { l.once.Do(func() { close(l.done) }); return nil }

func (l *memListener) Addr() net.Addr { return peerAddr(l.name) }

// recorder is a Machine that remembers what it was told.
type recorder struct {
	shard *Shard
	// onApply, if any, is asked before a batch is taken.
	onApply func(entries []Entry) error
	// onSnapshot, if any, is asked before a cut is made.
	onSnapshot func() error
	onClose    func()
	forget     bool // the commands, for benchmarks

	mu      sync.Mutex
	state   []string // the data of every command, in order
	last    uint64
	events  []string // "lead 2", "follow 2"
	leading uint64
	closed  int
}

var _ Machine = (*recorder)(nil)

func (m *recorder) Apply(entries []Entry) error {
	if m.onApply != nil {
		if err := m.onApply(entries); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		if e.Index <= m.last {
			return fmt.Errorf("entry %d after %d", e.Index, m.last)
		}
		m.last = e.Index
		if e.Data != nil && !m.forget {
			m.state = append(m.state, string(e.Data))
		}
	}
	return nil
}

func (m *recorder) Snapshot() (Cut, error) {
	if m.onSnapshot != nil {
		if err := m.onSnapshot(); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return cutOf(m.last, m.state...), nil
}

func cutOf(last uint64, state ...string) cutBytes {
	b := binary.LittleEndian.AppendUint64(nil, last)
	return append(b, strings.Join(state, "\n")...)
}

type cutBytes []byte

func (c cutBytes) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(c)
	return int64(n), err
}

func (c cutBytes) Release() {}

func (m *recorder) Restore(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read: %v", err) // Loses the cause on purpose.
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last, m.state = binary.LittleEndian.Uint64(b), nil
	if len(b) > 8 {
		m.state = strings.Split(string(b[8:]), "\n")
	}
	return nil
}

func (m *recorder) Lead(term uint64) {
	m.mu.Lock()
	m.events, m.leading = append(m.events, fmt.Sprint("lead ", term)), term
	m.mu.Unlock()
}

func (m *recorder) Follow(term uint64) {
	m.mu.Lock()
	m.events, m.leading = append(m.events, fmt.Sprint("follow ", term)), 0
	m.mu.Unlock()
}

func (m *recorder) Close() {
	m.mu.Lock()
	m.closed++
	m.mu.Unlock()
	if m.onClose != nil {
		m.onClose()
	}
}

func (m *recorder) told() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.events)
}

func (m *recorder) applied() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.state)
}

func (m *recorder) leads() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.leading != 0
}

// rig is one node over memory, whose parts outlive the node.
type rig struct {
	t        testing.TB
	net      *memNet
	fs       *memFS
	logs     map[uint32]*memLog
	setup    func(*recorder) // called for each new machine
	mu       sync.Mutex
	machines map[uint32][]*recorder // every machine made, by shard
	faults   []error
	cluster  *Cluster
}

func newRig(t testing.TB) *rig {
	return &rig{t: t, net: newMemNet(), fs: newMemFS(), logs: make(map[uint32]*memLog), machines: make(map[uint32][]*recorder)}
}

func (g *rig) config(change ...func(*Config)) Config {
	cfg := Config{
		NodeID: "n1", ClusterID: [16]byte{1, 2, 3}, Dir: "/data/snapshots", Shards: 1, Listener: g.net.listen("n1"), Dial: g.net.reach,
		FS: g.fs, Registerer: prometheus.NewRegistry(),
		Groups: func(shard uint32) GroupLog {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.logs[shard] == nil {
				g.logs[shard] = newMemLog()
			}
			return g.logs[shard]
		},
		NewMachine: func(s *Shard) (Machine, error) {
			m := &recorder{shard: s}
			if g.setup != nil {
				g.setup(m)
			}
			g.mu.Lock()
			g.machines[s.ID()] = append(g.machines[s.ID()], m)
			g.mu.Unlock()
			return m, nil
		},
		OnFault: func(_ uint32, err error) {
			g.mu.Lock()
			g.faults = append(g.faults, err)
			g.mu.Unlock()
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	if cfg.Replicas == nil { // A node that creates its cluster.
		cfg.Bootstrap, cfg.Replicas = true, make(map[uint32]uint64)
		for id := 1; id <= cfg.Shards; id++ {
			cfg.Replicas[uint32(id)] = firstReplica
		}
	}
	return cfg
}

// open opens the node and waits until every machine leads.
func (g *rig) open(change ...func(*Config)) *Cluster {
	g.t.Helper()
	c, err := Open(g.config(change...))
	if err != nil {
		g.t.Fatalf("Open: %v", err)
	}
	g.cluster = c
	for _, s := range c.Shards() {
		eventually(g.t, "the machine leads", func() bool { return g.machine(s.ID()).leads() })
	}
	return c
}

func (g *rig) close() {
	g.t.Helper()
	if err := g.cluster.Close(); err != nil {
		g.t.Errorf("Close: %v", err)
	}
}

// machine returns the newest machine of a shard.
func (g *rig) machine(shard uint32) *recorder {
	g.mu.Lock()
	defer g.mu.Unlock()
	made := g.machines[shard]
	return made[len(made)-1]
}

func (g *rig) made(shard uint32) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.machines[shard])
}

// propose proposes and waits for the outcome.
func (g *rig) propose(s *Shard, data string) error {
	g.t.Helper()
	outcome := make(chan error, 2)
	s.Propose([]byte(data), func(err error) { outcome <- err })
	select {
	case err := <-outcome:
		return err
	case <-time.After(30 * time.Second):
		g.t.Fatalf("no outcome for %q", data)
		return nil
	}
}

func (g *rig) mustPropose(s *Shard, data ...string) {
	g.t.Helper()
	for _, d := range data {
		if err := g.propose(s, d); err != nil {
			g.t.Fatalf("propose %q: %v", d, err)
		}
	}
}

func isUnknown(err error) bool { return errors.Is(err, stock.ErrUnknown) }

func isNotExecuted(err error) bool { return errors.Is(err, stock.ErrNotExecuted) }

func big(n int) string { return string(bytes.Repeat([]byte("x"), n)) }
