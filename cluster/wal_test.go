package cluster

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"testing"

	"holdfast/wal"
)

// walRig is a node over real files and sockets.
type walRig struct {
	*rig
	dir string
	log *wal.Log
}

func (g *walRig) start(tb testing.TB, change ...func(*Config)) *Cluster {
	tb.Helper()
	var err error
	if g.log, err = wal.Open(wal.Config{Dir: filepath.Join(g.dir, "wal"), ClusterID: testCluster, SegmentBytes: 1 << 20}); err != nil {
		tb.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return g.open(append([]func(*Config){func(c *Config) {
		c.Shards, c.Listener, c.Dial, c.FS, c.Dir = 4, listener, nil, nil, filepath.Join(g.dir, "snapshots")
		c.Groups = func(shard uint32) GroupLog { return g.log.Group(shard) }
	}}, change...)...)
}

func (g *walRig) stop(tb testing.TB) {
	tb.Helper()
	g.close()
	if err := g.log.Close(); err != nil {
		tb.Error(err)
	}
}

// Three lives over the node's real log: with the log alone, with a snapshot and the log after it, and with a log that the snapshot overtook.
func TestOverTheNodesLog(t *testing.T) {
	g := &walRig{rig: newRig(t), dir: t.TempDir()}
	want := make(map[uint32][]string)
	live := func(life int) {
		c := g.start(t)
		defer g.stop(t)
		for _, s := range c.Shards() {
			eventually(t, "the state is back", func() bool { return slices.Equal(g.machine(s.ID()).applied(), want[s.ID()]) })
			for i := range 50 {
				data := fmt.Sprint(life, "-", i, "-", s.ID())
				g.mustPropose(s, data)
				want[s.ID()] = append(want[s.ID()], data)
			}
			if index, _, err := s.Snapshot(t.Context()); life > 0 && (err != nil || index != s.CommitIndex()) {
				t.Errorf("snapshot at %d of %d: %v", index, s.CommitIndex(), err)
			}
			g.mustPropose(s, "last")
			want[s.ID()] = append(want[s.ID()], "last")
		}
	}
	for life := range 3 {
		live(life)
	}
	// A snapshot from a leader is durable, the old log is still there: power cut.
	log, err := wal.Open(wal.Config{Dir: filepath.Join(g.dir, "wal"), ClusterID: testCluster, SegmentBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	last, _ := log.Group(2).LastIndex()
	term, _ := log.Group(2).GetUint64(keyCurrentTerm)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	store, err := openSnapshotStore(OS{}, filepath.Join(g.dir, "snapshots"), testCluster, 2, discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := put(store, last+10, term, string(cutOf(last+10, "installed"))); err != nil {
		t.Fatal(err)
	}
	want[2] = []string{"installed"}
	live(3)
	live(4)
}

// BenchmarkPropose is one proposal after another of one shard, and two outstanding.
func BenchmarkPropose(b *testing.B) {
	for _, size := range []int{256, 64 << 10} {
		for _, outstanding := range []int{1, 2} {
			b.Run(fmt.Sprintf("bytes=%d/outstanding=%d", size, outstanding), func(b *testing.B) {
				g := &walRig{rig: newRig(b), dir: b.TempDir()}
				g.setup = func(m *recorder) { m.forget = true }
				c := g.start(b)
				defer g.stop(b)
				s, data := c.Shard(1), []byte(big(size))
				slots := make(chan struct{}, outstanding)
				b.SetBytes(int64(size))
				for b.Loop() {
					slots <- struct{}{}
					s.Propose(data, func(err error) {
						if err != nil {
							b.Error(err)
						}
						<-slots
					})
				}
				for range outstanding {
					slots <- struct{}{}
				}
			})
		}
	}
}
