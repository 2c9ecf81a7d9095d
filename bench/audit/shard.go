package audit

import (
	"sync"

	"github.com/cespare/xxhash/v2"

	"holdfast/bench/sale"
)

// entry is an order that was accepted: hashes and numbers, no pointers.
type entry struct {
	id        uint64
	qty       int64
	key, user uint32
	sku       uint32
	// may are the states it may be in.
	may  stateBits
	seen uint8
	bad  bool
}

// step is something that was done with an order.
type step struct {
	id      uint64
	step    sale.Step
	verdict sale.Verdict
}

// doubt is an order whose outcome its caller was not told.
type doubt struct {
	caller int
	order  sale.Order
}

// chunkEntries is how many entries are made room for at a time: callers are many, and few of them are told much.
const chunkEntries = 512

// shard is what one caller was told.
type shard struct {
	l  *Ledger
	mu sync.Mutex // guards what follows
	// Entries and steps whose id's hash begins with bits zeros are kept.
	bits    uint
	entries [][]entry
	count   int
	steps   []step
	doubts  []doubt
	// What was told of one SKU since it was that one's turn; it goes to its tally when another's comes.
	current                 uint32
	name                    string
	orders, placed, soldOut int64
	_                       [64]byte
}

// sampled reports whether a hash begins with that many zeros.
func sampled(hash uint64, bits uint) bool { return bits == 0 || hash>>(64-bits) == 0 }

func hash32(s string) uint32 { return uint32(xxhash.Sum64String(s)) }

// turn makes a SKU the current one; false for one that is not sold here.
func (s *shard) turn(sku string) bool {
	if s.name == sku && sku != "" {
		return true
	}
	n, known := s.l.numbers[sku]
	if !known {
		s.l.strays.Add(1)
		return false
	}
	s.flush()
	s.current, s.name = n, sku
	return true
}

// flush hands the counts to the current SKU's tally.
func (s *shard) flush() {
	if s.name == "" {
		return
	}
	t := s.l.tallies[s.current]
	if s.orders > 0 {
		t.orders.Add(s.orders)
		t.placed.Add(s.placed)
	}
	if s.soldOut > 0 {
		t.soldOut.Add(s.soldOut)
	}
	s.orders, s.placed, s.soldOut = 0, 0, 0
}

func (s *shard) told(caller int, o *sale.Order, a *sale.Answer) {
	if !s.turn(o.SKU) {
		return
	}
	switch a.Verdict {
	case sale.Accepted:
		s.accepted(o, a.ID)
	case sale.Refused:
		if a.Reason == "sold_out" || a.Reason == "sold_out_pending" {
			s.soldOut++
		} else {
			s.l.tallies[s.current].refused(a.Reason, o.Qty)
		}
	case sale.Unknown:
		s.doubts = append(s.doubts, doubt{caller, *o})
	}
}

func (s *shard) accepted(o *sale.Order, id string) {
	s.orders++
	s.placed += o.Qty
	h := idOf(id, o.Key)
	if !sampled(h, s.bits) {
		return
	}
	last := len(s.entries) - 1
	if last < 0 || len(s.entries[last]) == chunkEntries {
		if s.count >= s.l.perCaller {
			s.thin()
			if !sampled(h, s.bits) {
				return
			}
		}
		if last = len(s.entries) - 1; last < 0 || len(s.entries[last]) == chunkEntries {
			s.entries = append(s.entries, make([]entry, 0, chunkEntries))
			last++
		}
	}
	t := s.l.tallies[s.current]
	s.entries[last] = append(s.entries[last], entry{
		id: h, qty: o.Qty, key: hash32(o.Key), user: hash32(o.User), sku: s.current, may: firstState(&t.sku),
	})
	s.count++
}

// idOf is the hash of an order's id; of its key, where a target's orders have no id.
func idOf(id, key string) uint64 {
	if id == "" {
		id = key
	}
	return xxhash.Sum64String(id)
}

// thin halves the sample.
func (s *shard) thin() {
	s.bits++
	kept := make([][]entry, 0, len(s.entries)/2+1)
	s.count = 0
	for _, chunk := range s.entries {
		for i := range chunk {
			if !sampled(chunk[i].id, s.bits) {
				continue
			}
			if n := len(kept); n == 0 || len(kept[n-1]) == chunkEntries {
				kept = append(kept, make([]entry, 0, chunkEntries))
			}
			kept[len(kept)-1] = append(kept[len(kept)-1], chunk[i])
			s.count++
		}
	}
	s.entries = kept
	steps := s.steps[:0]
	for _, st := range s.steps {
		if sampled(st.id, s.bits) {
			steps = append(steps, st)
		}
	}
	s.steps = steps
}
