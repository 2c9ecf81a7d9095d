package storage

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestLeastFlushed(t *testing.T) {
	at := func(index uint64) SinkIndex { return SinkIndex{Index: index, Known: true} }
	late := func(index uint64) SinkIndex { return SinkIndex{Index: index, Known: true, Late: true} }
	unknown := SinkIndex{}
	for _, tc := range []struct {
		name  string
		mark  uint64
		sinks []SinkIndex
		want  uint64
	}{
		{"nobody", 5, nil, 5},
		{"one node", 5, []SinkIndex{at(9)}, 9},
		{"one node, and its sink is not read yet", 5, []SinkIndex{unknown}, 5},
		{"one node, and its sink was lost", 5, []SinkIndex{at(2)}, 5},
		{"the least of three", 5, []SinkIndex{at(9), at(7), at(8)}, 7},
		{"nothing is known of one", 5, []SinkIndex{at(9), unknown, at(8)}, 5},
		{"one is late", 5, []SinkIndex{at(9), late(6), at(8)}, 8},
		{"one that is unknown is late", 5, []SinkIndex{at(9), {Late: true}, at(8)}, 8},
		{"the mark went by one", 5, []SinkIndex{at(9), at(4), at(8)}, 8},
		{"one reached the mark again", 5, []SinkIndex{at(9), at(5), at(8)}, 5},
		{"two of three are late: no minority has the only rows", 5, []SinkIndex{at(9), late(6), late(7)}, 7},
		{"two of three are gone", 5, []SinkIndex{at(9), late(1), late(2)}, 5},
		{"two nodes are both waited for", 5, []SinkIndex{at(9), late(6)}, 6},
		{"a learner counts as well", 5, []SinkIndex{at(9), at(9), at(9), at(6)}, 6},
		{"a late learner", 5, []SinkIndex{at(9), at(8), at(9), late(6)}, 8},
	} {
		if have := LeastFlushed(tc.mark, tc.sinks...); have != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, have, tc.want)
		}
	}
}

// Whatever sinks do, a mark is never beyond one that is waited for, never beyond a majority, and never goes back.
func TestAMarkIsHeldByWhoeverMustHaveTheRows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		mark := rapid.Uint64Range(0, 20).Draw(rt, "mark")
		sinks := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) SinkIndex {
			s := SinkIndex{Known: rapid.IntRange(0, 5).Draw(rt, "known") > 0, Late: rapid.IntRange(0, 3).Draw(rt, "late") == 0}
			if s.Known {
				s.Index = rapid.Uint64Range(0, 30).Draw(rt, "index")
			}
			return s
		}), 1, 7).Draw(rt, "sinks")
		least := LeastFlushed(mark, sinks...)
		have := 0
		for _, s := range sinks {
			if s.Known && s.Index >= least {
				have++
			}
			if waited := !s.Late && (!s.Known || s.Index >= mark); waited && least > max(s.Index, mark) {
				rt.Errorf("%d is beyond %+v", least, s)
			}
		}
		if least < mark || least > mark && 2*have <= len(sinks) {
			rt.Errorf("from %d to %d, which %d of %d sinks have", mark, least, have, len(sinks))
		}
		slices.Reverse(sinks)
		if again := LeastFlushed(mark, sinks...); again != least {
			rt.Errorf("%d, and %d in another order", least, again)
		}
	})
}

func TestWhoIsLate(t *testing.T) {
	began := time.Unix(1_700_000_000, 0)
	l := Laggards{Patience: 10 * time.Second}
	// Each step is a second; an index of -1 says that nothing is known.
	var late []string
	step := func(second int, indexes map[string]int) {
		sinks := make(map[string]SinkIndex)
		for name, index := range indexes {
			sinks[name] = SinkIndex{Index: uint64(max(0, index)), Known: index >= 0}
		}
		l.Mark(began.Add(time.Duration(second)*time.Second), sinks)
		late = late[:0]
		for name, s := range sinks {
			if s.Late {
				late = append(late, name)
			}
		}
		slices.Sort(late)
	}
	expect := func(what string, want ...string) {
		t.Helper()
		if fmt.Sprint(late) != fmt.Sprint(want) {
			t.Errorf("%s: late are %v, want %v", what, late, want)
		}
	}
	for s := range 10 { // slow is five seconds behind, stuck does not move, silent was never heard
		step(s, map[string]int{"quick": 100 * s, "slow": 100 * max(0, s-5), "stuck": 0, "silent": -1})
		expect("at first")
	}
	step(12, map[string]int{"quick": 1200, "slow": 700, "stuck": 0, "silent": -1})
	expect("after ten seconds", "silent", "stuck")
	step(13, map[string]int{"quick": 1300, "slow": 800, "stuck": 1300, "silent": 1200})
	expect("when they are back")
	for s := 14; s < 60; s++ {
		step(s, map[string]int{"quick": 1300, "slow": min(1300, 100*(s-5)), "stuck": 1300, "silent": 1300})
		expect("in an idle shard")
	}
	for s := 60; s < 90; s += 5 { // one that moves, but loses ground
		step(s, map[string]int{"quick": 1300 + 100*(s-59), "slow": 1300 + 10*(s-59)})
	}
	expect("losing ground", "slow")
	step(90, map[string]int{"quick": 0, "slow": 10}) // databases were lost
	step(120, map[string]int{"quick": 0, "slow": 10})
	expect("the furthest is never late", "quick")
}
