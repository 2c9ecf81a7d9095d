package stock

import "fmt"

// A shard's hash is a sum: of a hash of its own settings and memory, and one of each SKU. A SKU's covers its counters and settings and three parts
// that are kept up with each change (rule R24): the sum over its orders, users and returns, and chains over what it remembers and over its
// adjustments. What is derived from these, the lookup tables and the schedules of deadlines, is in no hash: when it is wrong, it shows in what it
// leads to.

// Hash returns the hash of the shard's state without the ledgers that are away; the sum with theirs is the hash of the whole state. It rests on
// what was kept up with the changes, and costs a look at each SKU that changed since it was last asked for.
func (b *Book) Hash() uint64 {
	for i, s := range b.changed {
		b.changed[i], s.changed = nil, false
		if s.ledger == nil {
			continue
		}
		h := s.ledger.Hash()
		b.sum += h - s.hashed
		s.hashed = h
	}
	b.changed = b.changed[:0]
	head := b.facts()
	return head.hash(uint64(len(b.memory.list)), b.memory.hash) + b.sum
}

// change notes that a ledger is about to change.
func (b *Book) change(s *slot) {
	if !s.changed {
		s.changed = true
		b.changed = append(b.changed, s)
	}
}

// Hash returns the hash of the ledger's state, from what was kept up with its changes.
func (l *Ledger) Hash() uint64 {
	head := l.facts()
	return head.hash(lists{l.level >= LevelRefusals, l.callers, uint64(len(l.adjusts)), l.adjustsHash, uint64(len(l.memory.list)), l.memory.hash})
}

// lists are what a ledger's head lacks: whether it follows LevelRefusals, and the parts whose hashes are kept up, with their lengths. Callers are
// few. A lower level is the shard's alone: ledgers are not told of it.
type lists struct {
	refusals bool
	callers  []string
	adjusts  uint64
	adjusted chain
	memory   uint64
	recalled chain
}

func (h *ledgerHead) hash(of lists) uint64 {
	var d digest
	d.word(uint64(h.Number) | uint64(h.Epoch)<<32)
	h.Spec.digest(&d)
	h.Creation.digest(&d)
	h.Settings.digest(&d)
	d.flag(h.Frozen)
	d.flag(h.Broken)
	d.flag(of.refusals)
	for _, n := range [...]int64{h.Available, h.Held, h.Sold, int64(h.Now), h.Waiting} {
		d.word(uint64(n))
	}
	for _, n := range [...]uint64{
		h.Index, h.Version, h.Rows, h.Users, h.Returns, h.Tables, of.adjusts, uint64(of.adjusted), of.memory, uint64(of.recalled),
	} {
		d.word(n)
	}
	d.word(uint64(len(of.callers)))
	for _, name := range of.callers {
		d.text(name)
	}
	return uint64(d)
}

func (h *bookHead) hash(memory uint64, recalled chain) uint64 {
	var d digest
	d.word(uint64(h.Level) | uint64(h.Epoch)<<16)
	d.word(uint64(len(h.Partitions)))
	for _, p := range h.Partitions {
		d.word(uint64(p))
	}
	h.Settings.digest(&d)
	for _, n := range [...]uint64{uint64(h.Now), h.Index, h.Flushed, h.Ledgers, memory, uint64(recalled)} {
		d.word(n)
	}
	return uint64(d)
}

// Hash returns the hash of the whole cut, made from scratch: equal states have equal hashes.
func (c *Cut) Hash() uint64 {
	h := c.own()
	for _, l := range c.ledgers {
		h += l.hash()
	}
	return h
}

// own makes the hash of the shard's own part from scratch.
func (c *Cut) own() uint64 { return c.head.hash(uint64(len(c.head.Memory)), chainOf(c.head.Memory)) }

// hash makes the ledger's hash from scratch.
func (l *LedgerCut) hash() uint64 {
	h := l.head
	h.Tables = l.tables()
	return h.hash(lists{l.refusals, h.Callers, uint64(len(h.Adjusts)), chainOf(h.Adjusts), uint64(len(h.Memory)), chainOf(h.Memory)})
}

// kept returns the ledger's hash as it was kept up with its changes.
func (l *LedgerCut) kept() uint64 {
	h := &l.head
	return h.hash(lists{l.refusals, h.Callers, uint64(len(h.Adjusts)), l.adjusts, uint64(len(h.Memory)), l.memory})
}

// tables makes the hash of the rows, users and returns from scratch.
func (l *LedgerCut) tables() (sum uint64) {
	for i, r := range l.rows.all() {
		sum += r.hash(i + 1)
	}
	for i, a := range l.users.all() {
		p := l.users.of(a)
		sum += p.hash(i)
	}
	for i, r := range l.returns.all() {
		sum += r.hash(i)
	}
	return sum
}

// audit holds the hashes of a cut, made from scratch part by part as it is written, against those that were kept up.
type audit struct {
	sum, kept uint64
	err       error
}

// ledger looks at a ledger of the cut.
func (a *audit) ledger(l *LedgerCut) {
	h, kept := l.hash(), l.kept()
	a.sum += h
	if l.away {
		a.kept += kept
	}
	if (h != kept || !l.away && kept != l.summed) && a.err == nil {
		a.err = fmt.Errorf("%w: SKU number %d has another hash than was kept up with its changes", ErrCorrupt, l.head.Number)
	}
}

// end looks at what is left, and tells whoever wants to know.
func (a *audit) end(c *Cut) error {
	if a.sum+c.own() != a.kept+c.kept && a.err == nil {
		a.err = fmt.Errorf("%w: the shard has another hash than was kept up with its changes", ErrCorrupt)
	}
	if a.err != nil && c.OnCorrupt != nil {
		c.OnCorrupt(a.err)
	}
	return a.err
}
