package stock

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"
	"pgregory.net/rapid"
)

// Hashes for the tests of an index: a good one and ones that collide, in all bits or in those that some part of the index goes by.
var testHashes = map[string]func(uint32) uint32{
	"good": func(v uint32) uint32 {
		return uint32(xxhash.Sum64([]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}))
	},
	"none":                   func(uint32) uint32 { return 0 },
	"all bits set":           func(uint32) uint32 { return 1<<32 - 1 },
	"three values":           func(v uint32) uint32 { return v % 3 << 30 },
	"first bits alike":       func(v uint32) uint32 { return v & 0xFFFF },
	"last bits alike":        func(v uint32) uint32 { return v << 16 },
	"one differs":            func(v uint32) uint32 { return uint32(v%1000/999) << 31 },
	"in a row":               func(v uint32) uint32 { return v },
	"alike but for the last": func(v uint32) uint32 { return v & 1 },
}

// indexModel runs random operations on an index and on a map.
type indexModel struct {
	t    *rapid.T
	hash func(uint32) uint32
	got  index
	want map[uint32]map[uint32]bool // by hash
	n    int
	next uint32
}

func (m *indexModel) add(n int) {
	for range n {
		m.next++
		h := m.hash(m.next)
		m.got.add(h, m.next)
		if m.want[h] == nil {
			m.want[h] = make(map[uint32]bool)
		}
		m.want[h][m.next] = true
		m.n++
	}
}

// remove takes out places that are there, and one that is not.
func (m *indexModel) remove(from uint32, n int) {
	for place := from; place < from+uint32(n); place++ {
		h := m.hash(place)
		m.got.remove(h, place)
		if m.want[h][place] {
			delete(m.want[h], place)
			m.n--
		}
	}
}

func (m *indexModel) check() {
	if m.got.len() != m.n {
		m.t.Fatalf("%d entries, want %d", m.got.len(), m.n)
	}
	for h, want := range m.want {
		var got []uint32
		for p := m.got.seek(h); ; {
			place := p.next()
			if place == 0 {
				break
			}
			got = append(got, place)
		}
		slices.Sort(got)
		if !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
			m.t.Fatalf("under %#x stand %d places, want %d", h, len(got), len(want))
		}
	}
}

func TestIndexAgainstAMap(t *testing.T) {
	for name, hash := range testHashes {
		t.Run(name, func(t *testing.T) {
			most := 20_000
			if name != "good" {
				most = 2500 // of which many look at each other
			}
			rapid.Check(t, func(t *rapid.T) {
				m := &indexModel{t: t, hash: hash, want: make(map[uint32]map[uint32]bool)}
				m.got.reserve(rapid.SampledFrom([]int{0, 1, 700, 1000, 30_000}).Draw(t, "reserved"))
				for range rapid.IntRange(1, 8).Draw(t, "steps") {
					if rapid.IntRange(0, 2).Draw(t, "what") > 0 {
						m.add(min(rapid.SampledFrom([]int{1, 5, 6, 7, 100, 833, 5000}).Draw(t, "places"), most-int(m.next)))
					} else {
						from := rapid.Uint32Range(1, m.next+1).Draw(t, "from")
						m.remove(from, rapid.SampledFrom([]int{1, 2, 700, 10_000}).Draw(t, "gone"))
					}
				}
				m.check()
			})
		})
	}
}

// No table of an index with fair hashes is larger than it may be, its directory is no larger than it must be, and what is taken out again leaves
// no room behind.
func TestIndexKeepsItsTablesSmall(t *testing.T) {
	var x index
	const n = 200_000
	hash := testHashes["good"]
	slots := func() (sum int) {
		seen := make(map[*indexTable]bool)
		for _, t := range append(slices.Clone(x.tables), &x.only) {
			if !seen[t] {
				seen[t] = true
				sum += len(t.slots)
			}
		}
		return sum
	}
	for i := range uint32(n) {
		x.add(hash(i+1), i+1)
		if n := int(i) + 1; n%997 == 0 && n > 5000 && slots() > n*8/5 {
			t.Fatalf("%d entries have %d slots", n, slots())
		}
	}
	for _, table := range x.tables {
		if len(table.slots) > indexSlots || crowded(table.n, len(table.slots)) {
			t.Fatalf("%d entries in a table of %d", table.n, len(table.slots))
		}
	}
	if len(x.tables) > 4*n/indexSlots*2 {
		t.Errorf("a directory of %d", len(x.tables))
	}
	for i := range uint32(n) {
		x.remove(hash(i+1), i+1)
	}
	if s := slots(); x.len() != 0 || s > indexSizes[0]*len(x.tables) {
		t.Errorf("%d entries and %d slots are left", x.len(), s)
	}
}

// Keys whose hashes are alike are told apart, by callers too, also when one of them leaves memory and after a restore.
func TestKeysThatCollide(t *testing.T) {
	b, apply := shard(t)
	settings := DefaultSettings()
	settings.RetentionMS = 1
	apply(1, &SetSettings{Meta: Meta{Key: "s"}, Settings: settings})
	apply(1, create("shoe", 1_000_000))
	type asked struct{ caller, key string }
	seen, pairs := make(map[uint32]asked), [][2]asked(nil)
	for i := range 400_000 {
		c, a := uint32(i%2), asked{[]string{"", "shop"}[i%2], fmt.Sprint("key-", i/2)}
		h := keyHash(c, xxhash.Sum64String(a.key))
		if other, twice := seen[h]; twice {
			pairs = append(pairs, [2]asked{other, a})
		}
		seen[h] = a
	}
	if len(pairs) < 5 {
		t.Fatalf("vacuous: %d pairs", len(pairs))
	}
	place := func(b *Book, a asked) Outcome {
		return b.Apply(b.Begin(Header{Clock: 2}, b.Index()+1), &Place{Meta: Meta{Caller: a.caller, Key: a.key}, SKU: "shoe", User: a.key, Qty: 1})
	}
	place(b, asked{"", "first"}) // so that the callers have the numbers meant
	place(b, asked{"shop", "first"})
	check := func(b *Book, a asked, replayed bool) Outcome {
		t.Helper()
		out := place(b, a)
		if out.Code != OK || out.Replayed != replayed || out.Order.Key != a.key || out.Order.Caller != a.caller || out.Order.User != a.key {
			t.Fatalf("%v: %+v", a, out)
		}
		return out
	}
	for _, p := range pairs {
		first := check(b, p[0], false)
		check(b, p[1], false)
		check(b, p[0], true)
		check(restored(t, b), p[1], true)
		b.Apply(b.Begin(Header{}, b.Index()+1), &Cancel{Order: first.Order.ID})
		b.Apply(b.Begin(Header{Clock: b.Now() + 9}, b.Index()+1), &FlushMark{Index: b.Index()})
		check(b, p[1], true)
		check(b, p[0], false)
	}
}

// Hashes of which each next 416 have one more first bit in common would double the directory with every few hundred entries.
func TestIndexDirectoryIsNoLargerThanItsEntries(t *testing.T) {
	var x index
	const levels = 20
	hash := func(v uint32) uint32 {
		level := v / (indexSlots * 13 / 32)
		return ^uint32(0)<<(32-level)&^(1<<(31-level)) | v*2654435761>>(level+1)&(1<<(31-level)-1)
	}
	n := uint32(levels * (indexSlots * 13 / 32))
	for v := range n {
		x.add(hash(v), v+1)
	}
	if len(x.tables)*indexSparse > int(n) {
		t.Errorf("%d entries have a directory of %d places", n, len(x.tables))
	}
	for v := range n {
		p := x.seek(hash(v))
		for place := p.next(); place != v+1; place = p.next() {
			if place == 0 {
				t.Fatalf("entry %d is not found", v)
			}
		}
	}
}

// Users whose hashes are alike have limits of their own, after a restore too.
func TestUsersThatCollide(t *testing.T) {
	b, apply := shard(t)
	c := create("shoe", 1000)
	c.Spec.LimitPerUser = 1
	apply(1, c)
	seen, pairs := make(map[uint32]string), 0
	for i := range 400_000 {
		name := fmt.Sprint("user-", i)
		h := nameHash(xxhash.Sum64String(name))
		other, twice := seen[h]
		seen[h] = name
		if !twice {
			continue
		}
		pairs++
		if out := apply(2, order("shoe", other, "k"+other, 1)); out.Code != OK {
			t.Fatalf("%s: %+v", other, out)
		}
		for _, l := range []*Ledger{b.slots[0].ledger, restored(t, b).slots[0].ledger} {
			if l.used(other) != 1 || l.used(name) != 0 {
				t.Fatalf("%s has %d units and %s %d", other, l.used(other), name, l.used(name))
			}
		}
		if out := apply(2, order("shoe", name, "k"+name, 1)); out.Code != OK {
			t.Fatalf("%s: %+v", name, out)
		}
		for _, l := range []*Ledger{b.slots[0].ledger, restored(t, b).slots[0].ledger} {
			if l.used(other) != 1 || l.used(name) != 1 {
				t.Fatalf("%s has %d units and %s %d", other, l.used(other), name, l.used(name))
			}
		}
	}
	if pairs < 5 {
		t.Fatalf("vacuous: %d pairs", pairs)
	}
}
