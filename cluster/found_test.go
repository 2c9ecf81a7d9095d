package cluster

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/cluster/meta"
)

func founding(g *rig) *Founding {
	cfg := g.config()
	return &Founding{
		NodeID: cfg.NodeID, ClusterID: cfg.ClusterID, FS: g.fs, Dir: cfg.Dir, Log: cfg.Groups(1), Shard: 1, Index: 70, Term: 5, First: []byte("first"),
	}
}

func stateOf(last uint64, commands ...string) io.Reader {
	return strings.NewReader(string(cutOf(last, commands...)))
}

// A group that is founded with a state goes on from it: behind its index, in its term or a later one, with the first entry before any other, as the
// only voter; over restarts, too.
func TestAGroupBeginsWithAState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		if err := Found(founding(g), stateOf(70, "a", "b")); err != nil {
			t.Fatal(err)
		}
		c := g.open()
		s := c.Shard(1)
		if members, ok := s.Group(); !ok || len(members.Members) != 1 || members.Members[0].Node != "n1" || members.Members[0].Number != 1 ||
			members.Members[0].Role != meta.Voter {
			t.Errorf("the group is %+v, %v", members, ok)
		}
		g.mustPropose(s, "c")
		if got := g.machine(1).applied(); !slices.Equal(got, []string{"a", "b", "first", "c"}) {
			t.Errorf("applied %q", got)
		}
		if s.CommitIndex() < 72 || s.Term() <= 5 {
			t.Errorf("committed %d in term %d", s.CommitIndex(), s.Term())
		}
		g.close()
		g.open()
		defer g.close()
		eventually(t, "all is there again", func() bool { return slices.Equal(g.machine(1).applied(), []string{"a", "b", "first", "c"}) })
	})
}

// What was founded is durable when Found returns.
func TestAFoundingIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		if err := Found(founding(g), stateOf(70, "a")); err != nil {
			t.Fatal(err)
		}
		g.fs = g.fs.crash(false)
		g.open()
		defer g.close()
		eventually(t, "all is there", func() bool { return slices.Equal(g.machine(1).applied(), []string{"a", "first"}) })
	})
}

func TestAFoundingIsRefused(t *testing.T) {
	g := newRig(t)
	for name, spoil := range map[string]func(*Founding){
		"no node": func(f *Founding) { f.NodeID = "" }, "no index": func(f *Founding) { f.Index = 0 }, "no term": func(f *Founding) { f.Term = 0 },
		"no cluster": func(f *Founding) { f.ClusterID = [16]byte{} }, "no first entry": func(f *Founding) { f.First = nil },
	} {
		f := founding(g)
		if spoil(f); !errors.Is(Found(f, stateOf(70)), ErrConfig) {
			t.Error(name)
		}
	}
	if err := Found(founding(g), io.MultiReader(stateOf(70), brokenReader{})); !errors.Is(err, errBroken) {
		t.Errorf("a state that cannot be read: %v", err)
	}
	if err := Found(founding(g), stateOf(70)); !errors.Is(err, ErrReplicaOther) {
		t.Errorf("over the remains of one: %v", err)
	}
	g = newRig(t)
	if err := founding(g).Log.SetUint64(keyCurrentTerm, 1); err != nil {
		t.Fatal(err)
	}
	if err := Found(founding(g), stateOf(70)); !errors.Is(err, ErrReplicaOther) {
		t.Errorf("over a log that was in a term: %v", err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errBroken }

// A snapshot after a barrier holds what was acknowledged before it, and goes on being read when the next one has taken its place.
func TestASnapshotIsReadToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		c := g.open()
		defer g.close()
		s := c.Shard(1)
		if _, err := s.OpenSnapshot(); !errors.Is(err, ErrNoSnapshot) {
			t.Errorf("without one: %v", err)
		}
		g.mustPropose(s, "a", "b")
		taken := func() *SnapshotState {
			if err := s.Barrier(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Snapshot(t.Context()); err != nil {
				t.Fatal(err)
			}
			state, err := s.OpenSnapshot()
			if err != nil {
				t.Fatal(err)
			}
			return state
		}
		old := taken()
		defer old.Close()
		g.mustPropose(s, "c")
		next := taken()
		defer next.Close()
		if next.Index <= old.Index || next.Term != s.Term() {
			t.Errorf("the next is at %d of term %d, the one before at %d", next.Index, next.Term, old.Index)
		}
		if b, err := io.ReadAll(old); err != nil || string(b[8:]) != "a\nb" || int64(len(b)) != old.Bytes {
			t.Errorf("the old one: %q of %d bytes, %v", b, old.Bytes, err)
		}
	})
}

// A leader that was cut off says nothing of what its successor acknowledged: its barrier never passes.
func TestABarrierWantsTheLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := three(t)
		defer f.close()
		old := f.leader(1, "a", "b", "c")
		if err := old.Barrier(t.Context()); err != nil {
			t.Fatalf("on the leader: %v", err)
		}
		var others []string
		for _, name := range []string{"a", "b", "c"} {
			if s := f.shard(name, 1); s != old {
				others = append(others, name)
				if err := s.Barrier(t.Context()); !errors.Is(err, ErrNotLeader) || !isNotExecuted(err) {
					t.Errorf("on %s, which follows: %v", name, err)
				}
			}
		}
		f.isolate(old.cluster.cfg.NodeID)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := old.Barrier(ctx); err == nil {
			t.Error("a leader that nobody hears passed its barrier")
		}
		if err := f.leader(1, others...).Barrier(t.Context()); err != nil {
			t.Errorf("on the next leader: %v", err)
		}
	})
}
