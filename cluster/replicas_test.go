package cluster

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/wal"
)

func ids(shards []*Shard) (list []uint32) {
	for _, s := range shards {
		list = append(list, s.ID())
	}
	return list
}

func TestReplicasOpenAndGoWhileTheNodeRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		c := g.open(func(c *Config) { c.Shards, c.Bootstrap, c.Replicas = 3, true, map[uint32]uint64{0: 1, 2: 1} })
		defer g.close()
		if got := ids(c.Shards()); !slices.Equal(got, []uint32{2}) || c.Shard(0) == nil || c.Shard(0).Number() != 1 || c.Shard(1) != nil {
			t.Fatalf("open: %v", got)
		}
		eventually(t, "the meta group is led", func() bool { return g.machine(0).leads() })
		g.mustPropose(c.Shard(0), "meta")
		learner, err := c.OpenReplica(3, 7)
		if err != nil || learner.Number() != 7 || learner.ID() != 3 {
			t.Fatalf("%v, %v", learner, err)
		}
		if again, err := c.OpenReplica(3, 7); err != nil || again != learner {
			t.Errorf("again: %v, %v", again, err)
		}
		if _, err := c.OpenReplica(3, 8); !errors.Is(err, ErrReplicaOther) {
			t.Errorf("another number: %v", err)
		}
		if _, err := c.OpenReplica(4, 1); !errors.Is(err, ErrNoShard) {
			t.Errorf("no such shard: %v", err)
		}
		pass(time.Minute)
		if _, known := learner.Group(); known || learner.Leader() != "" || learner.Term() != 0 {
			t.Errorf("a replica that nobody added is in term %d under %q", learner.Term(), learner.Leader())
		}
		shards := c.Shards()
		if err := c.RemoveReplica(2); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(ids(shards), []uint32{2, 3}) || !slices.Equal(ids(c.Shards()), []uint32{3}) {
			t.Errorf("%v, then %v", ids(shards), ids(c.Shards()))
		}
		if err := g.propose(shards[0], "late"); !isNotExecuted(err) {
			t.Errorf("a shard that was removed takes a proposal: %v", err)
		}
		if err := errors.Join(c.RemoveReplica(2), c.RemoveReplica(1)); err != nil {
			t.Errorf("nothing to remove: %v", err)
		}
	})
}

// What a replica left must not open under another number, nor its number again.
func TestARemovedReplicaLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		c := g.open()
		s := c.Shard(1)
		g.mustPropose(s, "a", "b")
		if _, _, err := s.Snapshot(t.Context()); err != nil {
			t.Fatal(err)
		}
		g.mustPropose(s, "c")
		if err := c.RemoveReplica(1); err != nil {
			t.Fatal(err)
		}
		nothingOf(t, g.logs[1], g.fs)
		if _, err := c.OpenReplica(1, 1); !errors.Is(err, ErrReplicaGone) {
			t.Errorf("the number that was removed: %v", err)
		}
		next, err := c.OpenReplica(1, 2)
		if err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if len(g.machine(1).applied()) != 0 || next.Term() != 0 || next.Leader() != "" {
			t.Errorf("it begins with %v in term %d", g.machine(1).applied(), next.Term())
		}
		g.close()
		if c = g.openQuietly(func(c *Config) { c.Replicas = map[uint32]uint64{1: 2} }); c.Shard(1).Number() != 2 {
			t.Error("it does not open again")
		}
		g.close()
		if _, err := Open(g.config(func(c *Config) { c.Replicas = map[uint32]uint64{1: 3} })); !errors.Is(err, ErrReplicaOther) {
			t.Errorf("another number: %v", err)
		}
	})
}

func nothingOf(t *testing.T, log *memLog, fsys *memFS) {
	t.Helper()
	last, _ := log.LastIndex()
	term, _ := log.GetUint64(keyCurrentTerm)
	vote, _ := log.GetUint64(keyLastVoteTerm)
	names, _ := fsys.List("/data/snapshots/shard-1")
	if last != 0 || term != 0 || vote != 0 || !slices.Equal(names, []string{markName}) {
		t.Errorf("left: entries to %d, term %d, a vote in %d, %v", last, term, vote, names)
	}
}

// openQuietly opens the node and waits for nobody.
func (g *rig) openQuietly(change ...func(*Config)) *Cluster {
	g.t.Helper()
	c, err := Open(g.config(change...))
	if err != nil {
		g.t.Fatalf("Open: %v", err)
	}
	g.cluster = c
	return c
}

// The power goes at each step of a removal, with the names and bytes that were not synced kept or lost, and in the log between any two calls. Whatever
// is left: the next start finishes the removal or finds the replica whole, and the next number begins with nothing.
func TestACrashInARemovalLeavesNoHalfReplica(t *testing.T) {
	for _, keep := range []bool{false, true} {
		for step := 1; ; step++ {
			done := false
			t.Run(fmt.Sprintf("kept=%v/step=%d", keep, step), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { done = crashInRemoval(t, step, keep) })
			})
			if done || t.Failed() {
				if step < 5 {
					t.Errorf("vacuous: a removal has only %d steps", step)
				}
				break
			}
		}
	}
}

// The power goes at each step of the opening of a replica that was never here: it opens when the node is back, and is empty.
func TestACrashInAnOpeningLeavesAReplicaThatOpens(t *testing.T) {
	for _, keep := range []bool{false, true} {
		for step := 1; ; step++ {
			done := false
			t.Run(fmt.Sprintf("kept=%v/step=%d", keep, step), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { done = crashInOpening(t, step, keep) })
			})
			if done || t.Failed() {
				if step < 4 {
					t.Errorf("vacuous: an opening has only %d steps", step)
				}
				break
			}
		}
	}
}

func crashInOpening(t *testing.T, step int, keep bool) (done bool) {
	g := newRig(t)
	usual := func(c *Config) { c.FS, c.Bootstrap, c.Replicas = g.fs, true, map[uint32]uint64{0: 1} }
	c := g.openQuietly(usual)
	g.fs.mu.Lock()
	g.fs.failAt = g.fs.steps + step
	g.fs.mu.Unlock()
	_, err := c.OpenReplica(1, 5)
	g.close()
	g.fs = g.fs.crash(keep)
	c = g.openQuietly(usual, func(c *Config) { c.Replicas = map[uint32]uint64{0: 1, 1: 5} })
	defer g.close()
	if s := c.Shard(1); s == nil || s.Number() != 5 || s.Term() != 0 {
		t.Errorf("%+v", s)
	}
	return err == nil
}

// stoppingLog counts the changes of a log with those of the file system, and refuses them after the power went.
type stoppingLog struct {
	*memLog
	fs *memFS
}

func (l *stoppingLog) step() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	return l.fs.step()
}

func (l *stoppingLog) SetUint64(key []byte, value uint64) error {
	if err := l.step(); err != nil {
		return err
	}
	return l.memLog.SetUint64(key, value)
}

func (l *stoppingLog) Drop() error {
	if err := l.step(); err != nil {
		return err
	}
	return l.memLog.Drop()
}

func crashInRemoval(t *testing.T, step int, keep bool) (done bool) {
	g := newRig(t)
	log := newMemLog()
	usual := func(c *Config) {
		c.FS, c.Groups = g.fs, func(uint32) GroupLog { return &stoppingLog{log, g.fs} }
		c.SnapshotAge = time.Hour
	}
	c := g.open(usual)
	g.mustPropose(c.Shard(1), "a")
	if _, _, err := c.Shard(1).Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.mustPropose(c.Shard(1), "b")
	g.fs.mu.Lock()
	g.fs.failAt = g.fs.steps + step
	g.fs.mu.Unlock()
	done = c.RemoveReplica(1) == nil
	g.close()
	g.fs = g.fs.crash(keep)
	c = g.openQuietly(usual)
	defer g.close()
	if s := c.Shard(1); s != nil {
		if done {
			t.Fatal("it is there again")
		}
		eventually(t, "the replica is whole", func() bool { return slices.Equal(g.machine(1).applied(), []string{"a", "b"}) })
		return done
	}
	nothingOf(t, log, g.fs)
	if _, err := c.OpenReplica(1, 9); err != nil {
		t.Fatal(err)
	}
	pass(time.Second)
	if len(g.machine(1).applied()) != 0 || c.Shard(1).Term() != 0 {
		t.Error("the next replica begins with something of the one before")
	}
	return done
}

func TestAVoterThatLostItsStateIsNotALearnerThatNeverHadAny(t *testing.T) {
	learner := func(c *Config) { c.Replicas = map[uint32]uint64{1: 5} }
	voter := func(c *Config) { c.Bootstrap, c.Replicas = true, map[uint32]uint64{1: 1} }
	removeAll := func(g *rig) {
		for _, dir := range []map[string]*memFile{g.fs.entries, g.fs.durable} {
			maps.DeleteFunc(dir, func(name string, _ *memFile) bool { return filepath.Dir(name) == "/data/snapshots/shard-1" })
		}
	}
	for _, row := range []struct {
		name string
		open func(*Config)
		lose func(g *rig)
		want error
	}{
		{"a learner that heard of a term", learner, func(g *rig) { _ = g.logs[1].SetUint64(keyCurrentTerm, 4) }, nil},
		{"a learner that heard nothing", learner, func(*rig) {}, nil},
		{"a voter without its entries", voter, func(g *rig) { _ = g.logs[1].Drop() }, ErrStateLost},
		{"a voter without its whole log", voter, func(g *rig) { g.logs[1] = newMemLog() }, ErrStateLost},
		{"a voter whose directory was emptied", voter, func(g *rig) { removeAll(g); _ = g.logs[1].Drop() }, ErrStateLost},
		{"a learner whose directory was emptied", learner, func(g *rig) { removeAll(g); _ = g.logs[1].SetUint64(keyCurrentTerm, 4) }, ErrStateLost},
		{"a voter of a version without marks", voter, removeAll, nil},
		{"a damaged mark", voter, func(g *rig) {
			g.fs.edit("/data/snapshots/shard-1/"+markName, func(b []byte) []byte { b[5]++; return b })
		}, ErrMark},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t)
				c := g.openQuietly(row.open)
				if c.Shard(1).Number() == 1 {
					eventually(t, "it leads", func() bool { return g.machine(1).leads() })
					g.mustPropose(c.Shard(1), "a")
				}
				g.close()
				row.lose(g)
				c, err := Open(g.config(row.open))
				if !errors.Is(err, row.want) {
					t.Errorf("Open: %v", err)
				}
				if err == nil {
					_ = c.Close()
				}
			})
		})
	}
}

func TestOpeningRemovingAndClosingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		c := g.openQuietly(func(c *Config) { c.Shards, c.Replicas = 8, map[uint32]uint64{} })
		var wg sync.WaitGroup
		for id := range uint32(9) {
			wg.Go(func() {
				for number := uint64(1); ; number++ {
					if _, err := c.OpenReplica(id, number); err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Errorf("open %d of shard %d: %v", number, id, err)
						}
						return
					}
					if err := c.RemoveReplica(id); err != nil && !errors.Is(err, ErrClosed) {
						t.Errorf("remove %d of shard %d: %v", number, id, err)
					}
					pass(time.Millisecond)
				}
			})
		}
		pass(30 * time.Millisecond)
		g.close()
		wg.Wait()
		if len(g.machines[4]) < 3 {
			t.Errorf("vacuous: %d replicas of a shard", len(g.machines[4]))
		}
		for id, machines := range g.machines {
			for _, m := range machines {
				if m.closed != 1 {
					t.Errorf("a machine of shard %d was closed %d times", id, m.closed)
				}
			}
		}
	})
}

// Over the node's own log and file system: the keys of a group that was removed are there, and mean nothing.
func TestARemovedReplicaOverTheNodesLog(t *testing.T) {
	g := &walRig{rig: newRig(t), dir: t.TempDir()}
	c := g.start(t)
	g.mustPropose(c.Shard(3), "a")
	if err := c.RemoveReplica(3); err != nil {
		t.Fatal(err)
	}
	if _, err := c.OpenReplica(3, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := c.OpenReplica(0, 2); err != nil {
		t.Fatal(err)
	}
	g.stop(t)
	log, err := wal.Open(wal.Config{Dir: filepath.Join(g.dir, "wal"), ClusterID: testCluster, SegmentBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c = g.openQuietly(func(c *Config) {
		c.Shards, c.Listener, c.Dial, c.FS, c.Dir = 4, listener, nil, nil, filepath.Join(g.dir, "snapshots")
		c.Groups, c.Replicas = func(shard uint32) GroupLog { return log.Group(shard) }, map[uint32]uint64{0: 2, 3: 2}
	})
	defer g.close()
	if s := c.Shard(3); s.Term() != 0 || s.Number() != 2 || len(g.machine(3).applied()) != 0 {
		t.Errorf("replica %d in term %d", s.Number(), s.Term())
	}
}

// The newest configuration with its index, through everything that moves either.
func TestMembersAndTheirIndexBelongTogether(t *testing.T) {
	store := testStore(t, newMemFS())
	log := logOf(t, span{1, 2, 1})
	m := newMemberLog(store)
	l := raftLog{GroupLog: log, members: m, held: func() error { return nil }, failed: func(err error) { t.Error(err) }}
	at := func(index uint64, names ...string) *raft.Log {
		var c raft.Configuration
		for _, name := range names {
			c.Servers = append(c.Servers, raft.Server{ID: raftID(name, 1), Address: raft.ServerAddress(name)})
		}
		return &raft.Log{Index: index, Term: 1, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(c)}
	}
	expect := func(what string, index uint64, members int) {
		t.Helper()
		if c := m.newest(); c.index != index || len(c.members) != members {
			t.Errorf("%s: %d members at %d, want %d at %d", what, len(c.members), c.index, members, index)
		}
	}
	expect("nothing", 0, 0)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(l.StoreLogs([]*raft.Log{at(3, "a"), {Index: 4, Term: 1, Type: raft.LogCommand}, at(5, "a", "b")}))
	expect("appended", 5, 2)
	m.opened()
	must(l.GetLog(3, new(raft.Log)))
	expect("an old one is read", 5, 2)
	must(l.DeleteRange(1, 4))
	expect("the log is cut in front", 5, 2)
	must(l.DeleteRange(5, 5))
	expect("the end is taken back", 3, 1)
	must(l.StoreLog(at(5, "a", "b", "c")))
	expect("another end", 5, 3)
	must(put(store, 9, 1, "state")) // Its configuration stands at 1: an older one.
	expect("a snapshot with older members", 5, 3)
	must(l.DeleteRange(5, 5)) // All that was left.
	expect("the log is empty", 3, 1)
}
