package wal_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/hashicorp/raft"

	"holdfast/wal"
)

// The mixed workload, for tests on a real file system: appends of several sizes, truncations of both ends, terms and votes
// of several groups at once. A call is a few numbers from which all its bytes follow, so that another process can say
// what must be there.

// callKind says what a mixedCall does.
type callKind uint8

const (
	callAppend callKind = iota
	callPrefix          // removes the entries up to index
	callSuffix          // removes the entries from index on
	callDrop
	callTerm // stores version as the term
	callVote // stores version as the vote
)

// mixedCall is one call on one group.
type mixedCall struct {
	kind    callKind
	group   uint32
	index   uint64
	count   uint32 // entries appended
	version uint32
}

var termKey, voteKey = []byte("CurrentTerm"), []byte("LastVoteCand")

// mixedEntry is an entry of some bytes, some kilobytes or, one in sixty-four, as long as a quarter of a segment.
func mixedEntry(group uint32, index uint64, version uint32) *raft.Log {
	h := (index*0x9e3779b97f4a7c15 ^ uint64(version)*0xbf58476d1ce4e5b9) >> 20
	size := int(h>>6) % 400
	switch n := h % 64; {
	case n == 0:
		size = mixedSegment / 4
	case n < 5:
		size = 4 << 10
	}
	return entry(group, index, int(version), size)
}

func (c mixedCall) do(g *wal.Group) error {
	switch c.kind {
	case callAppend:
		logs := make([]*raft.Log, c.count)
		for i := range logs {
			logs[i] = mixedEntry(c.group, c.index+uint64(i), c.version)
		}
		return g.StoreLogs(logs)
	case callPrefix:
		return g.DeleteRange(0, c.index)
	case callSuffix:
		return g.DeleteRange(c.index, ^uint64(0))
	case callDrop:
		return g.Drop()
	case callTerm:
		return g.SetUint64(termKey, uint64(c.version))
	}
	return g.Set(voteKey, fmt.Appendf(nil, "node %d", c.version))
}

// holding is what one group holds: its entries by version, and the versions of its term and vote, 0 for none.
type holding struct {
	first      uint64
	versions   []uint32
	term, vote uint32
}

func (h holding) next() uint64 { return h.first + uint64(len(h.versions)) }

// after is the state when so many entries of a call are there, which counts only for appends.
func (h holding) after(c mixedCall, entries uint32) holding {
	switch c.kind {
	case callAppend:
		if len(h.versions) == 0 {
			h.first = c.index
		}
		h.versions = slices.Concat(h.versions, slices.Repeat([]uint32{c.version}, int(entries)))
	case callPrefix:
		h.first, h.versions = c.index+1, h.versions[c.index+1-h.first:]
	case callSuffix:
		h.versions = h.versions[: c.index-h.first : c.index-h.first]
	case callDrop:
		h.versions = nil
	case callTerm:
		h.term = c.version
	case callVote:
		h.vote = c.version
	}
	return h
}

// possible are the states a group may be in when the process died in the middle of c: a part of an append is there from
// its first entry on.
func (h holding) possible(c mixedCall) []holding {
	states := []holding{h}
	if c.kind != callAppend {
		return append(states, h.after(c, 0))
	}
	for n := uint32(1); n <= c.count; n++ {
		states = append(states, h.after(c, n))
	}
	return states
}

// differs says in what g is not as h says, "" when in nothing.
func (h holding) differs(g *wal.Group) string {
	first, err := g.FirstIndex()
	if err != nil {
		return err.Error()
	}
	last, err := g.LastIndex()
	if err != nil {
		return err.Error()
	}
	wantFirst, wantLast := h.first, h.next()-1
	if len(h.versions) == 0 {
		wantFirst, wantLast = 0, 0
	}
	if first != wantFirst || last != wantLast {
		return fmt.Sprintf("entries %d to %d, not %d to %d", first, last, wantFirst, wantLast)
	}
	for i, version := range h.versions {
		if d := h.entryDiffers(g, h.first+uint64(i), version); d != "" {
			return d
		}
	}
	if got, want := string(value(g, termKey)), string(termValue(h.term)); got != want {
		return fmt.Sprintf("term %x, not %x", got, want)
	}
	if got, want := string(value(g, voteKey)), voteValue(h.vote); got != want {
		return fmt.Sprintf("vote %q, not %q", got, want)
	}
	return ""
}

func (h holding) entryDiffers(g *wal.Group, index uint64, version uint32) string {
	var got raft.Log
	if err := g.GetLog(index, &got); err != nil {
		return fmt.Sprintf("entry %d: %v", index, err)
	}
	if want := mixedEntry(g.ID(), index, version); !equal(&got, want) {
		return fmt.Sprintf("entry %d is not that of version %d: index %d, term %d, %d bytes, beginning %.40q", index, version,
			got.Index, got.Term, len(got.Data), got.Data)
	}
	return ""
}

// equal compares all that the log keeps, bit for bit.
func equal(a, b *raft.Log) bool {
	return a.Index == b.Index && a.Term == b.Term && a.Type == b.Type && a.AppendedAt.Equal(b.AppendedAt) &&
		string(a.Data) == string(b.Data) && string(a.Extensions) == string(b.Extensions)
}

// value is that of a key, nil when there is none.
func value(g *wal.Group, key []byte) []byte {
	v, err := g.Get(key)
	if err != nil {
		return nil
	}
	return v
}

func termValue(version uint32) []byte {
	if version == 0 {
		return nil
	}
	return []byte{0, 0, 0, 0, byte(version >> 24), byte(version >> 16), byte(version >> 8), byte(version)}
}

func voteValue(version uint32) string {
	if version == 0 {
		return ""
	}
	return fmt.Sprintf("node %d", version)
}

const (
	mixedGroups  = 6
	mixedSegment = 128 << 10
	mixedLive    = 300 // entries a group has at most, and some
)

// mixedConfig has small segments and rewrites early, so that a few thousand calls go through everything.
func mixedConfig(dir string) wal.Config {
	return wal.Config{Dir: dir, ClusterID: cluster, SegmentBytes: mixedSegment, DeadBytes: mixedSegment, CacheBytes: 64 << 10, Logger: quiet}
}

// mixer chooses calls for one group. Group 0 stands still for long, so that what it has is rewritten forward.
type mixer struct {
	holding
	group   uint32
	version uint32
	r       *rand.Rand
}

func newMixer(group uint32, seed uint64, h holding, version uint32) *mixer {
	return &mixer{holding: h, group: group, version: version, r: rand.New(rand.NewPCG(seed, uint64(group)))}
}

// choose returns the next call, with a version that no call of this group had before.
func (m *mixer) choose() mixedCall {
	m.version++
	c := mixedCall{group: m.group, version: m.version, kind: callTerm + callKind(m.r.IntN(2))}
	n := m.r.IntN(40)
	if m.group == 0 && len(m.versions) > 4 && m.r.IntN(200) > 0 {
		n = 39
	}
	live := uint64(len(m.versions))
	switch {
	case live > 0 && (n < 3 || live > mixedLive):
		c.kind, c.index = callPrefix, m.first+m.r.Uint64N(live)
	case live > 0 && n < 6:
		c.kind, c.index = callSuffix, m.first+m.r.Uint64N(live)
	case live > 0 && n == 6 && m.r.IntN(8) == 0:
		c.kind = callDrop
	case n < 32:
		c.kind, c.index, c.count = callAppend, max(1, m.next()), 1
		if m.r.IntN(4) == 0 {
			c.count += m.r.Uint32N(24)
		}
		if live == 0 {
			c.index += m.r.Uint64N(1000) // an empty group may go on anywhere
		}
	}
	return c
}

// played is what a group was told when it played on a log in this process.
type played struct {
	holding
	pending *mixedCall // refused: nobody knows whether it is there
	err     error      // the first refusal
	acked   int
}

// play makes so many calls on each group at once, or fewer when they are refused.
func play(l *wal.Log, all []played, seed uint64, version uint32, calls int) {
	var wait sync.WaitGroup
	for id := range all {
		wait.Go(func() {
			p, g := &all[id], l.Group(uint32(id))
			m := newMixer(g.ID(), seed, p.holding, version)
			for range calls {
				c := m.choose()
				if p.err = c.do(g); p.err != nil {
					p.pending = &c
					break
				}
				m.holding = m.after(c, c.count)
				p.acked++
			}
			p.holding = m.holding
		})
	}
	wait.Wait()
}

// settleAll compares all groups of a log with what they were told, and goes on from what it found.
func settleAll(t *testing.T, l *wal.Log, all []played) {
	t.Helper()
	for id := range all {
		p := &all[id]
		found, states, told := settle(p.holding, p.pending, l.Group(uint32(id)))
		if found < 0 {
			t.Errorf("group %d: %s", id, told)
			continue
		}
		p.holding, p.pending, p.err = states[found], nil, nil
	}
}
