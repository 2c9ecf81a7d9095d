package cluster

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

func TestSnapshotOnDemandAndRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		c := g.open()
		s := c.Shard(1)
		if _, _, err := s.Snapshot(t.Context()); !errors.Is(err, ErrNoSnapshot) {
			t.Errorf("with nothing applied: %v", err)
		}
		g.mustPropose(s, "a", "b")
		index, size, err := s.Snapshot(t.Context())
		if err != nil || index != s.CommitIndex() || size != int64(8+len("a\nb")) {
			t.Errorf("index %d of %d, %d bytes, %v", index, s.CommitIndex(), size, err)
		}
		if again, _, err := s.Snapshot(t.Context()); again != index || err != nil {
			t.Errorf("with nothing new: %d, %v", again, err)
		}
		g.mustPropose(s, "c")
		g.close()
		c = g.open()
		defer g.close()
		eventually(t, "snapshot and log are there", func() bool { return slices.Equal(g.machine(1).applied(), []string{"a", "b", "c"}) })
		g.mustPropose(c.Shard(1), "d")
	})
}

// snapshots counts the snapshots a machine was asked for.
func countSnapshots(g *rig) *atomic.Int64 {
	var n atomic.Int64
	g.setup = func(m *recorder) { m.onSnapshot = func() error { n.Add(1); return nil } }
	return &n
}

func TestSnapshotsByAgeOnlyWhenThereIsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		taken := countSnapshots(g)
		c := g.open()
		defer g.close()
		pass(3 * time.Hour)
		if taken.Load() != 0 {
			t.Errorf("an idle shard took %d snapshots", taken.Load())
		}
		g.mustPropose(c.Shard(1), "a")
		pass(2 * time.Second) // It is old enough already.
		if taken.Load() != 1 {
			t.Fatalf("%d snapshots after the first work", taken.Load())
		}
		g.mustPropose(c.Shard(1), "b")
		pass(9 * time.Minute)
		if taken.Load() != 1 {
			t.Errorf("%d snapshots before the age", taken.Load())
		}
		pass(2 * time.Minute)
		if taken.Load() != 2 {
			t.Errorf("%d snapshots past the age", taken.Load())
		}
		pass(time.Hour)
		if taken.Load() != 2 {
			t.Errorf("%d snapshots without new work", taken.Load())
		}
	})
}

func TestSnapshotsByBytesKeepAsMuchLogAsTheOneBeforeCovered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		taken := countSnapshots(g)
		const unit = 1 << 10
		c := g.open(func(c *Config) { c.SnapshotBytes = 400 * unit })
		defer g.close()
		s, log := c.Shard(1), g.logs[1]
		fill := func(n int) {
			for range n {
				g.mustPropose(s, big(unit-32))
			}
			pass(2 * time.Second)
		}
		fill(399)
		if taken.Load() != 0 {
			t.Fatalf("%d snapshots below the bytes", taken.Load())
		}
		for round := int64(1); round <= 4; round++ {
			// Wherever in it the bytes are looked at: one snapshot, and what is left is far from the next.
			if round == 1 {
				fill(2)
			} else {
				fill(401)
			}
			if taken.Load() != round {
				t.Fatalf("round %d: %d snapshots", round, taken.Load())
			}
			store := s.replica.Load().store
			first, _ := log.FirstIndex()
			kept, covered := log.BytesSince(first-1), store.trailing()
			if kept < covered || kept > covered+2*maxAppendEntries*unit {
				t.Errorf("round %d: %d bytes of log are kept, the snapshot before covered %d", round, kept, covered)
			}
			if round > 1 && first == 1 {
				t.Errorf("round %d: nothing was cut", round)
			}
		}
	})
}

func TestAFailedSnapshotIsTriedAgainLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		var asked atomic.Int64
		g.setup = func(m *recorder) {
			m.onSnapshot = func() error {
				if asked.Add(1) < 3 {
					return errors.New("busy")
				}
				return nil
			}
		}
		c := g.open()
		defer g.close()
		g.mustPropose(c.Shard(1), "a")
		if _, _, err := c.Shard(1).Snapshot(t.Context()); err == nil {
			t.Error("the first try said nil")
		}
		pass(10*time.Minute + 25*time.Second)
		if asked.Load() != 2 {
			t.Fatalf("asked %d times", asked.Load())
		}
		pass(10 * time.Second)
		if asked.Load() != 3 || c.Shard(1).replica.Load().store.index() == 0 {
			t.Errorf("asked %d times", asked.Load())
		}
		if c.Shard(1).Fault() != nil {
			t.Errorf("a snapshot that fails is no fault: %v", c.Shard(1).Fault())
		}
	})
}

// slowCut writes until it fails.
type slowCut struct{ began chan struct{} }

func (c slowCut) WriteTo(w io.Writer) (int64, error) {
	close(c.began)
	for {
		if _, err := w.Write(make([]byte, snapBlockBytes)); err != nil {
			return 0, err
		}
		pass(time.Second)
	}
}

func (slowCut) Release() {}

// slowMachine's state takes for ever to write.
type slowMachine struct {
	*recorder
	cut slowCut
}

func (m *slowMachine) Snapshot() (Cut, error) { return m.cut, nil }

func TestCloseDoesNotWaitForALargeSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		began := make(chan struct{})
		c := g.open(func(c *Config) {
			make := c.NewMachine
			c.NewMachine = func(s *Shard) (Machine, error) {
				m, err := make(s)
				return &slowMachine{m.(*recorder), slowCut{began}}, err
			}
		})
		g.mustPropose(c.Shard(1), "a")
		failed := make(chan error, 1)
		go func() {
			_, _, err := c.Shard(1).Snapshot(t.Context())
			failed <- err
		}()
		<-began
		start := time.Now()
		g.close()
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("Close took %v", took)
		}
		if err := <-failed; err == nil {
			t.Error("half a snapshot was reported as taken")
		}
		if names, _ := g.fs.List("/data/snapshots/shard-1"); !slices.Equal(names, []string{markName}) {
			t.Errorf("left: %v", names)
		}
	})
}

// Raft's Barrier and AppliedIndex say that an entry was handed over. Here the machine hands entries on to an actor that has not got to them; a
// snapshot must hold them all the same.
func TestASnapshotWaitsForTheMachineNotForRaft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		lag := make(chan struct{})
		g.setup = func(m *recorder) { m.onSnapshot = func() error { <-lag; return nil } } // Snapshot returns once the actor is there.
		c := g.open()
		defer g.close()
		s := c.Shard(1)
		g.mustPropose(s, "a", "b")
		type result struct {
			index uint64
			err   error
		}
		results := make(chan result, 1)
		go func() {
			index, _, err := s.Snapshot(t.Context())
			results <- result{index, err}
		}()
		synctest.Wait()
		if group := s.replica.Load().raft; group.AppliedIndex() != s.CommitIndex() {
			t.Errorf("vacuous: raft says applied %d of %d", group.AppliedIndex(), s.CommitIndex())
		}
		if len(results) != 0 || s.replica.Load().store.latest() != nil {
			t.Error("a snapshot was written before the machine had a cut")
		}
		close(lag)
		if r := <-results; r.err != nil || r.index != s.CommitIndex() {
			t.Errorf("%+v", r)
		}
		_, content, err := state(s.replica.Load().store)
		if err != nil || content[8:] != "a\nb" {
			t.Errorf("the snapshot holds %q, %v", content, err)
		}
	})
}

// plainFSM hides ApplyBatch.
type plainFSM struct{ raft.FSM }

// An idle group whose newest entry is a membership change: raft refuses the snapshot unless the FSM takes batches.
func TestAnIdleGroupCanBeSnapshottedAfterAMembershipChange(t *testing.T) {
	for _, batching := range []bool{true, false} {
		t.Run(fmt.Sprint("batching=", batching), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fsm{machine: &recorder{}, kept: func() {}, fail: func(_, _ uint64, err error) { t.Error(err) }}
				var use raft.FSM = f
				if !batching {
					use = plainFSM{f}
				}
				cfg := testPort(t, newMemNet(), "n1").cfg
				_, tr := raft.NewInmemTransport("n1")
				log, store := newMemLog(), testStore(t, newMemFS())
				if err := bootstrap(log, store, raft.Server{ID: "n1#1", Address: "n1"}); err != nil {
					t.Fatal(err)
				}
				group, err := raft.NewRaft(raftConfig(cfg, "n1#1", newRaftLogger(discard), nil), use, log, log, store, tr)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = group.Shutdown().Error() }()
				eventually(t, "it leads", func() bool { return group.State() == raft.Leader })
				if err := group.Apply([]byte("a"), 0).Error(); err != nil {
					t.Fatal(err)
				}
				if err := group.AddNonvoter("n2#1", "n2", 0, 0).Error(); err != nil {
					t.Fatal(err)
				}
				if err := group.Snapshot().Error(); (err == nil) != batching {
					t.Errorf("snapshot: %v", err)
				}
			})
		})
	}
}
