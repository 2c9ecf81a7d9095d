package wal_test

import (
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

// adder is a state machine: the number of commands and their sum.
type adder struct{ count, sum uint64 }

// Apply implements raft.FSM.
func (a *adder) Apply(l *raft.Log) any {
	a.count++
	a.sum += binary.LittleEndian.Uint64(l.Data)
	return *a
}

// Snapshot implements raft.FSM.
func (a *adder) Snapshot() (raft.FSMSnapshot, error) { s := *a; return &s, nil }

// Persist implements raft.FSMSnapshot.
func (a *adder) Persist(sink raft.SnapshotSink) error {
	if err := binary.Write(sink, binary.LittleEndian, []uint64{a.count, a.sum}); err != nil {
		return err
	}
	return sink.Close()
}

// Release implements raft.FSMSnapshot.
func (a *adder) Release() {}

// Restore implements raft.FSM.
func (a *adder) Restore(r io.ReadCloser) error {
	var state [2]uint64
	if err := binary.Read(r, binary.LittleEndian, &state); err != nil {
		return err
	}
	a.count, a.sum = state[0], state[1]
	return nil
}

// member is one real raft node on one group of a log.
type member struct {
	raft *raft.Raft
	fsm  *adder
}

func startRaft(t *testing.T, g *wal.Group, snapshots raft.SnapshotStore, bootstrap bool) *member {
	t.Helper()
	cfg := raft.DefaultConfig()
	cfg.LocalID = "one"
	cfg.HeartbeatTimeout, cfg.ElectionTimeout, cfg.LeaderLeaseTimeout = 50*time.Millisecond, 50*time.Millisecond, 25*time.Millisecond
	cfg.BatchApplyCh = true
	cfg.TrailingLogs = 100
	cfg.Logger = hclog.NewNullLogger()
	address, transport := raft.NewInmemTransport("one")
	if bootstrap {
		must(t, raft.BootstrapCluster(cfg, g, g, snapshots, transport, raft.Configuration{Servers: []raft.Server{{ID: "one", Address: address}}}))
	}
	m := &member{fsm: new(adder)}
	var err error
	m.raft, err = raft.NewRaft(cfg, m.fsm, g, g, snapshots, transport)
	must(t, err)
	for !<-m.raft.LeaderCh() { // until it leads
	}
	return m
}

func (m *member) apply(t *testing.T, n int) {
	t.Helper()
	var futures []raft.ApplyFuture
	for i := range n {
		futures = append(futures, m.raft.Apply(binary.LittleEndian.AppendUint64(nil, uint64(i)), 0))
	}
	for _, f := range futures {
		must(t, f.Error())
	}
}

func (m *member) stop(t *testing.T) {
	t.Helper()
	must(t, m.raft.Shutdown().Error())
}

// TestRaft runs hashicorp/raft itself on the log: bootstrap, 10,000 entries, restarts with and without a snapshot.
func TestRaft(t *testing.T) {
	const n = 10_000
	fs := waltest.NewFS()
	cfg := small(fs)
	cfg.SegmentBytes = 64 << 10
	snapshots := raft.NewInmemSnapshotStore()
	l := open(t, cfg)
	if exists, err := raft.HasExistingState(l.Group(1), l.Group(1), snapshots); exists || err != nil {
		t.Fatalf("state in an empty log: %v, %v", exists, err)
	}
	m := startRaft(t, l.Group(1), snapshots, true)
	m.apply(t, n)
	m.stop(t)
	closeLog(t, l)

	sum := uint64(n) * (n - 1) / 2
	l = open(t, cfg)
	if exists, err := raft.HasExistingState(l.Group(1), l.Group(1), snapshots); !exists || err != nil {
		t.Fatalf("no state after a restart: %v, %v", exists, err)
	}
	m = startRaft(t, l.Group(1), snapshots, false)
	must(t, m.raft.Barrier(0).Error())
	if *m.fsm != (adder{n, sum}) {
		t.Fatalf("after a restart: %+v", *m.fsm)
	}
	before := l.Group(1).BytesSince(0)
	must(t, m.raft.Snapshot().Error())
	m.apply(t, 100)
	if left := l.Group(1).BytesSince(0); left > before/10 {
		t.Errorf("%d bytes are live after a snapshot, %d were before it", left, before)
	}
	m.stop(t)
	closeLog(t, l)

	l = open(t, cfg)
	m = startRaft(t, l.Group(1), snapshots, false)
	must(t, m.raft.Barrier(0).Error())
	if *m.fsm != (adder{n + 100, sum + 4950}) {
		t.Fatalf("after a restart with a snapshot: %+v", *m.fsm)
	}
	term, err := l.Group(1).GetUint64([]byte("CurrentTerm"))
	if err != nil || term < 3 {
		t.Errorf("term %d, %v", term, err)
	}
	m.stop(t)
	closeLog(t, l)
}

// TestRaftRestore lets an operator's snapshot replace everything: raft removes the whole log and leaves a gap.
func TestRaftRestore(t *testing.T) {
	fs := waltest.NewFS()
	snapshots := raft.NewInmemSnapshotStore()
	l := open(t, small(fs))
	m := startRaft(t, l.Group(1), snapshots, true)
	m.apply(t, 50)
	f := m.raft.Snapshot()
	must(t, f.Error())
	meta, r, err := f.Open()
	must(t, err)
	m.apply(t, 50)
	must(t, m.raft.Restore(meta, r, time.Minute))
	m.apply(t, 10)
	must(t, m.raft.Barrier(0).Error())
	if *m.fsm != (adder{60, 49*25 + 45}) {
		t.Errorf("after the restore: %+v", *m.fsm)
	}
	m.stop(t)
	closeLog(t, l)
	l = open(t, small(fs))
	m = startRaft(t, l.Group(1), snapshots, false)
	must(t, m.raft.Barrier(0).Error())
	if *m.fsm != (adder{60, 49*25 + 45}) {
		t.Errorf("after a restart: %+v", *m.fsm)
	}
	m.stop(t)
	closeLog(t, l)
}
