package actors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"holdfast/stock"
)

// trio is a shard of three replicas: a node that leads, a#1, and two that are handed its log, b#1 and c#1.
type trio struct {
	*node
	members   []string
	followers []*twin
	// silent followers do not report.
	silent map[string]bool
}

// twin is a follower.
type twin struct {
	id      string
	replica *Replica
	faults  chan fault
	fed     int
	down    bool
}

const hashEvery = 10 * time.Second

func identified(c *ReplicaConfig, id string, members ...string) {
	c.ID, c.HashEvery = id, hashEvery
	c.Level = func() uint16 { return stock.Level }
	c.Members = func() []string { return append([]string(nil), members...) }
}

func startTrio(t *testing.T) *trio {
	g := &trio{members: []string{"c#1", "a#1", "b#1"}, silent: map[string]bool{}}
	g.node = start(t, func(c *ReplicaConfig) { identified(c, "a#1", g.members...) })
	for _, id := range []string{"b#1", "c#1"} {
		g.followers = append(g.followers, g.twin(id))
	}
	return g
}

// twin returns a replica with a log of its own, which stays empty.
func (g *trio) twin(id string) *twin {
	g.t.Helper()
	f := &twin{id: id, faults: make(chan fault, 16)}
	cfg := g.cfg
	cfg.Log = &testLog{}
	cfg.OnFault = func(index uint64, err error) { f.faults <- fault{index, err} }
	identified(&cfg, id, g.members...)
	var err error
	if f.replica, err = g.system.NewReplica(cfg); err != nil {
		g.t.Fatal(err)
	}
	return f
}

// feed hands a follower what it has not got yet.
func (g *trio) feed(f *twin) {
	g.t.Helper()
	for ; f.fed < g.log.length(); f.fed++ {
		if err := f.replica.Apply(uint64(f.fed+1), g.log.terms[f.fed], g.log.entries[f.fed]); err != nil {
			g.t.Fatal(err)
		}
	}
}

// pass lets time go by, second by second, in which followers get the log and everybody hears from everybody else.
func (g *trio) pass(d time.Duration) {
	g.t.Helper()
	for range d / time.Second {
		advance(time.Second)
		for _, f := range g.followers {
			if !f.down {
				g.feed(f)
			}
		}
		synctest.Wait()
		g.exchange()
	}
}

func (g *trio) exchange() {
	all := append([]*twin{{id: "a#1", replica: g.replica}}, g.followers...)
	for _, from := range all {
		if from.down || g.silent[from.id] {
			continue
		}
		index, hash := from.replica.Identity()
		for _, to := range all {
			to.replica.ReportHash(from.id, index, hash)
		}
	}
}

// work makes a little work, in every SKU.
func (g *trio) work(skus ...string) {
	g.t.Helper()
	for _, sku := range skus {
		g.must(place(sku, "u", fmt.Sprint("k", g.log.length())))
	}
}

func (g *trio) closeAll() {
	for _, f := range g.followers {
		f.replica.Close()
	}
	g.shut()
}

func (n *node) hashMarks() int { return n.log.count(n.t, isA[*stock.HashMark]) }

// flip changes a bit of a field of a SKU's ledger behind its back, on its own actor.
func flip(t *testing.T, r *Replica, sku, field string) {
	t.Helper()
	flipped := false
	change := func(l *stock.Ledger) {
		if l.Name() == sku {
			f := reflect.ValueOf(l).Elem().FieldByName(field)
			*(*int64)(unsafe.Pointer(f.UnsafeAddr())) ^= 1
			flipped = true
		}
	}
	m := &mark{book: func(b *stock.Book) { b.Each(change) }, ledger: func(l *stock.Ledger, _ uint64) { change(l) }}
	if err := r.visit(context.Background(), m); err != nil || !flipped {
		t.Fatalf("flipped %v: %v", flipped, err)
	}
}

// identicalAt holds the hash that a replica noted against a plain replay of the log to that place.
func (g *trio) identicalAt(r *Replica) (index uint64) {
	g.t.Helper()
	index, hash := r.Identity()
	if plain := g.log.replayTo(g.t, stock.NewBook(), 0, index); index != 0 && plain.Hash() != hash {
		g.t.Errorf("noted %x at %d, the log replays to %x", hash, index, plain.Hash())
	}
	return index
}

// Replicas that are alike note the same hash at each mark, marks carry all reports, and nobody stops. Without work nothing is written.
func TestHashMarksOfReplicasThatAreAlike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := startTrio(t)
		defer g.closeAll()
		g.must(spec("cold", 1000, false))
		g.must(spec("hot", 1000, true))
		for range 100 {
			g.work("cold", "hot")
			g.pass(time.Second)
		}
		if n := g.hashMarks(); n < 8 || n > 10 {
			t.Errorf("%d marks in 100 seconds", n)
		}
		g.pass(2 * hashEvery)
		marks, last := g.hashMarks(), uint64(0)
		for _, r := range []*Replica{g.replica, g.followers[0].replica, g.followers[1].replica} {
			if last = g.identicalAt(r); last == 0 {
				t.Error("nothing noted")
			}
		}
		full := 0
		g.log.each(t, func(_ uint64, _ stock.Header, c stock.Command, _ bool) {
			if m, ok := c.(*stock.HashMark); ok && len(m.Reports) == 3 && len(m.Odd()) == 0 {
				full++
			}
		})
		if full != marks-1 {
			t.Errorf("%d of %d marks carry the reports of all", full, marks)
		}
		g.pass(12 * time.Minute)
		if n := g.hashMarks() - marks; n < 8 || n > 12 {
			t.Errorf("%d marks while holds fell due for 100 seconds", n)
		}
		was := g.log.length()
		g.pass(10 * time.Minute)
		if n := g.log.length(); n != was {
			t.Errorf("%d entries while idle", n-was)
		}
		if g.identicalAt(g.replica) <= last {
			t.Error("holds that fell due asked for no mark")
		}
		g.sameAsReplay()
		if len(g.faults)+len(g.followers[0].faults)+len(g.followers[1].faults) != 0 {
			t.Error("a replica stopped")
		}
	})
}

// No marks with one voter, below their level, or when they are switched off.
func TestNoHashMarks(t *testing.T) {
	for name, change := range map[string]func(*ReplicaConfig){
		"one voter": func(c *ReplicaConfig) { identified(c, "a#1", "a#1") },
		"level 1": func(c *ReplicaConfig) {
			identified(c, "a#1", "a#1", "b#1")
			c.Level = func() uint16 { return 1 }
		},
		"a level to come": func(c *ReplicaConfig) {
			identified(c, "a#1", "a#1", "b#1")
			c.Level = func() uint16 { return stock.Level + 1 }
		},
		"off": func(c *ReplicaConfig) {
			identified(c, "a#1", "a#1", "b#1")
			c.HashEvery = -1
		},
		"nobody to ask": func(*ReplicaConfig) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := start(t, change)
				defer n.close()
				n.must(spec("shoe", 10, false))
				n.must(place("shoe", "u", "1"))
				advance(time.Minute)
				if n.hashMarks() != 0 {
					t.Errorf("%d marks", n.hashMarks())
				}
				n.sameAsReplay()
			})
		})
	}
}

// One bit in one replica's counters: the next marks find it. The replica that is not like the majority stops, the leader included; without a
// majority all that reported do.
func TestDivergedReplicaStops(t *testing.T) {
	for _, c := range []struct {
		name, victim string
		down         bool
		stops        []string
	}{
		{"the leader", "a#1", false, []string{"a#1"}},
		{"a follower", "b#1", false, []string{"b#1"}},
		{"the leader, one down", "a#1", true, []string{"a#1", "b#1"}},
		{"a follower, one down", "b#1", true, []string{"a#1", "b#1"}},
	} {
		for _, field := range []string{"available", "hash"} {
			t.Run(c.name+", "+field, func(t *testing.T) {
				eachTemperature(t, func(t *testing.T, hot bool) {
					synctest.Test(t, func(t *testing.T) { diverge(t, c.victim, field, c.down, c.stops, hot) })
				})
			})
		}
	}
}

func diverge(t *testing.T, victim, field string, down bool, stops []string, hot bool) {
	g := startTrio(t)
	defer g.closeAll()
	g.must(spec("shoe", 1000, hot))
	g.followers[1].down = down
	g.pass(15 * time.Second)
	replicas := map[string]*Replica{"a#1": g.replica, "b#1": g.followers[0].replica, "c#1": g.followers[1].replica}
	faults := map[string]chan fault{"a#1": g.faults, "b#1": g.followers[0].faults, "c#1": g.followers[1].faults}
	flip(t, replicas[victim], "shoe", field)
	g.do(place("shoe", "u", "after"))
	g.pass(2 * hashEvery)
	if down {
		g.pass(2 * hashEvery) // for the one that might decide
	}
	for id, ch := range faults {
		should := id == stops[0] || id == stops[len(stops)-1]
		select {
		case f := <-ch:
			if !should || !errors.Is(f.err, ErrDiverged) || !errors.Is(f.err, stock.ErrDiverged) || f.index == 0 {
				t.Errorf("%s stopped at %d: %v", id, f.index, f.err)
			}
		default:
			if should {
				t.Errorf("%s goes on", id)
			}
		}
	}
	if gone := stops[0] == "a#1"; gone != (g.replica.Term() == 0) {
		t.Errorf("the leader is open for term %d", g.replica.Term())
	} else if gone {
		before := g.log.length()
		g.elect(2, false)
		advance(time.Second)
		if out := g.within(time.Second, place("shoe", "u", "late")); out.Code.Executed() || g.replica.Term() != 0 {
			t.Errorf("a condemned leader answers %v", out.Code)
		}
		applied := g.replica.Applied()
		if g.log.length() == before || applied >= uint64(g.log.length()) {
			t.Errorf("applied %d of %d", applied, g.log.length())
		}
	}
	g.replays(stops[0])
}

// replays hands the log, with its verdict, to a replica of the same name, which stops at once, and to one of another, which is not meant.
func (g *trio) replays(condemned string) {
	g.t.Helper()
	for _, id := range []string{condemned, "d#1"} {
		f := g.twin(id)
		g.feed(f)
		synctest.Wait()
		if stopped := len(f.faults) == 1; stopped != (id == condemned) {
			g.t.Errorf("%s, built again from the log, stopped: %v", id, stopped)
		}
		f.replica.Close()
	}
}

// As long as a third may tell which of two is right, its report is waited for.
func TestVerdictWaitsForWhoMayDecide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := startTrio(t)
		defer g.closeAll()
		g.must(spec("shoe", 1000, false))
		g.pass(hashEvery)
		flip(t, g.followers[0].replica, "shoe", "available")
		g.work("shoe")
		g.silent["c#1"] = true
		g.pass(15 * time.Second)
		if len(g.followers[0].faults) != 0 {
			t.Fatal("judged too soon")
		}
		g.silent["c#1"] = false
		g.pass(3 * time.Second)
		if len(g.followers[0].faults) != 1 || len(g.faults) != 0 || len(g.followers[1].faults) != 0 {
			t.Errorf("stopped: %d %d %d", len(g.faults), len(g.followers[0].faults), len(g.followers[1].faults))
		}
		g.work("shoe")
		g.pass(hashEvery)
		if g.identicalAt(g.replica) != g.identicalAt(g.followers[1].replica) {
			t.Error("the others do not go on")
		}
	})
}

// A new leader has heard what the old one heard: its first mark carries all reports.
func TestReportsOutliveTheLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := startTrio(t)
		defer g.closeAll()
		g.must(spec("shoe", 1000, false))
		g.pass(15 * time.Second)
		index, _ := g.replica.Identity()
		g.elect(2, true)
		g.eventually("it opens again", func() bool { return g.replica.Term() == 2 })
		g.work("shoe")
		g.pass(15 * time.Second)
		var last *stock.HashMark
		g.log.each(t, func(_ uint64, _ stock.Header, c stock.Command, void bool) {
			if m, ok := c.(*stock.HashMark); ok && !void {
				last = m
			}
		})
		if index == 0 || last.Index != index || len(last.Reports) != 3 {
			t.Errorf("after the mark at %d came %+v", index, last)
		}
	})
}

// Marks among promotions, demotions, snapshots and a crowd: every replica notes, at every mark, what a plain replay has there.
func TestHashMarksAmidMoves(t *testing.T) {
	for seed := range uint64(*seeds) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { markMoves(t, seed) })
		})
	}
}

func markMoves(t *testing.T, seed uint64) {
	g := startTrio(t)
	defer g.closeAll()
	dice := rand.New(rand.NewPCG(seed, 7))
	skus := []string{"shoe", "hat", "bag"}
	for _, sku := range skus {
		g.must(spec(sku, 30, dice.IntN(2) == 0))
	}
	var noted atomic.Int64
	for i := range 150 {
		sku := skus[dice.IntN(len(skus))]
		switch dice.IntN(6) {
		case 0:
			hot := dice.IntN(2) == 0
			g.begin(context.Background(), &stock.Update{SKU: sku, Patch: stock.Patch{Hot: &hot}})
		case 1, 2:
			g.replica.submit([]item{{cmd: &stock.HashMark{}, term: g.replica.Term()}})
		case 3:
			if _, err := g.replica.Snapshot(); err != nil {
				t.Fatal(err)
			}
		default:
			for k := range 1 + dice.IntN(5) {
				g.begin(context.Background(), place(sku, fmt.Sprint("u", k), fmt.Sprint(i, "-", k)))
			}
		}
		if dice.IntN(3) == 0 {
			synctest.Wait()
			g.identicalAt(g.replica)
		}
	}
	g.settled()
	synctest.Wait()
	f := g.followers[0]
	for i, data := range g.log.entries {
		if err := f.replica.Apply(uint64(i+1), g.log.terms[i], data); err != nil {
			t.Fatal(err)
		}
		if dice.IntN(2) == 0 {
			synctest.Wait()
			if g.identicalAt(f.replica) == uint64(i+1) {
				noted.Add(1)
			}
		}
	}
	synctest.Wait()
	if a, b := g.identicalAt(g.replica), g.identicalAt(f.replica); a != b || a == 0 || noted.Load() == 0 {
		t.Errorf("noted at %d and %d, %d times", a, b, noted.Load())
	}
	g.sameAsReplay()
}

// A replica whose state was replaced has noted nothing, and notes the next mark like the others.
func TestIdentityAfterRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := startTrio(t)
		defer g.closeAll()
		g.must(spec("cold", 1000, false))
		g.must(spec("hot", 1000, true))
		g.work("cold", "hot")
		g.pass(2 * hashEvery)
		cut, err := g.replica.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		var state bytes.Buffer
		if _, err := cut.WriteTo(&state); err != nil {
			t.Fatal(err)
		}
		f := g.followers[1]
		if err := f.replica.Restore(&state); err != nil {
			t.Fatal(err)
		}
		if index, _ := f.replica.Identity(); index != 0 {
			t.Errorf("noted at %d", index)
		}
		g.work("cold", "hot")
		g.pass(2 * hashEvery)
		if a, b := g.identicalAt(g.replica), g.identicalAt(f.replica); a != b || a == 0 {
			t.Errorf("noted at %d and %d", a, b)
		}
	})
}

// A snapshot makes the hashes from scratch: damage takes the replica down, and no snapshot of it is kept.
func TestSnapshotFindsDamage(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			n.must(spec("shoe", 10, hot))
			n.must(place("shoe", "u", "1"))
			n.snapshot()
			flip(t, n.replica, "shoe", "hash")
			cut, err := n.replica.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := cut.WriteTo(&bytes.Buffer{}); !errors.Is(err, stock.ErrCorrupt) {
				t.Errorf("written: %v", err)
			}
			if f := <-n.faults; !errors.Is(f.err, ErrDamaged) || !errors.Is(f.err, stock.ErrCorrupt) {
				t.Errorf("fault: %v", f.err)
			}
			n.shut()
			n.rebuild()
		})
	})
}

// What is reported twice, late, of oneself or by too many changes nothing.
func TestReportHash(t *testing.T) {
	n := start(t, func(c *ReplicaConfig) { identified(c, "a#1", "a#1", "b#1") })
	defer n.close()
	r := n.replica
	r.identity.note(9, 1)
	r.identity.note(8, 2)
	for _, said := range []struct {
		who         string
		index, hash uint64
	}{{"b#1", 9, 5}, {"b#1", 9, 6}, {"b#1", 8, 7}, {"b#1", 0, 0}, {"a#1", 9, 8}, {"x#1", 9, 9}} {
		r.ReportHash(said.who, said.index, said.hash)
	}
	m, missing := r.identity.told("a#1", []string{"b#1", "a#1", "d#1"})
	want := []stock.HashReport{{Replica: "a#1", Hash: 1}, {Replica: "b#1", Hash: 5}}
	if m.Index != 9 || missing != 1 || !reflect.DeepEqual(m.Reports, want) {
		t.Errorf("%+v, %d missing", m, missing)
	}
	for i := range 10 * maxReporters {
		r.ReportHash(fmt.Sprint("z#", i), 9, 1)
	}
	if len(r.identity.others) > maxReporters {
		t.Errorf("%d reports are kept", len(r.identity.others))
	}
}
