package stock

import (
	"slices"
	"sort"
)

// Cut is a shard's state at one place of its log, which no longer changes while the actors go on (rule R23).
type Cut struct {
	// OnCorrupt, when set, is told when the state turns out to be damaged while it is written; err wraps ErrCorrupt.
	OnCorrupt func(err error)

	head    bookHead
	ledgers []*LedgerCut
	// kept is the hash of the state without the ledgers that were away, as it was kept up with the changes.
	kept uint64
}

// LedgerCut is one SKU's part of a cut.
type LedgerCut struct {
	head ledgerHead
	// refusals: the ledger follows LevelRefusals. adjusts and memory are hashes of lists as they were kept up with the changes.
	refusals        bool
	adjusts, memory chain
	// away: it comes from an actor of its own. Else summed is what stands for it in the sum over all SKUs.
	away   bool
	summed uint64

	rows    rows
	users   people
	returns pages[returned]
}

// bookHead is a shard's state without its ledgers.
type bookHead struct {
	Level      uint16
	Epoch      uint16
	Partitions []Partition
	Settings   Settings
	Now        Time
	Index      uint64
	Flushed    uint64
	Memory     []*remembered
	Ledgers    uint64
}

// ledgerHead is a ledger's state without its tables.
type ledgerHead struct {
	Spec                  Spec
	Creation              Spec
	Settings              Settings
	Available, Held, Sold int64
	Number                uint32
	Epoch                 uint16
	Frozen, Broken        bool
	Now                   Time
	Index, Version        uint64
	Waiting               int64
	Callers               []string
	Adjusts               []*adjusted
	Memory                []*remembered
	// Rows, Users and Returns are how many of each there ever were.
	Rows, Users, Returns uint64
	// Tables is the sum of the hashes of all rows, users and returns.
	Tables uint64
}

// Cut returns the state of the shard without the ledgers that are away; their actors add theirs.
func (b *Book) Cut() *Cut {
	c := &Cut{head: b.head(), kept: b.Hash()}
	for _, s := range b.slots {
		if s.ledger != nil {
			part := s.ledger.Cut()
			part.summed = s.hashed
			c.ledgers = append(c.ledgers, part)
		}
	}
	return c
}

// Add puts the part of a ledger that is away into the cut.
func (c *Cut) Add(l *LedgerCut) {
	l.away = true
	c.ledgers = append(c.ledgers, l)
}

func (c *Cut) sort() {
	sort.Slice(c.ledgers, func(a, b int) bool { return c.ledgers[a].head.Spec.SKU < c.ledgers[b].head.Spec.SKU })
	c.head.Ledgers = uint64(len(c.ledgers))
}

func (b *Book) head() bookHead {
	h := b.facts()
	h.Memory = slices.Clone(b.memory.list)
	return h
}

// facts returns the head without its list.
func (b *Book) facts() bookHead {
	return bookHead{
		Level: b.level, Epoch: b.epoch, Partitions: b.partitions, Settings: b.settings, Now: b.now, Index: b.index, Flushed: b.flushed,
		Ledgers: uint64(len(b.slots)),
	}
}

// Cut returns the ledger's state. The ledger copies a page of rows before it next writes to it.
func (l *Ledger) Cut() *LedgerCut {
	c := &LedgerCut{head: l.head(), refusals: l.level >= LevelRefusals, adjusts: l.adjustsHash, memory: l.memory.hash}
	if !l.idle() {
		c.rows, c.users, c.returns = l.rows.cut(), l.users.cut(), l.returns.cut()
	}
	return c
}

func (l *Ledger) head() ledgerHead {
	h := l.facts()
	h.Callers, h.Adjusts, h.Memory = slices.Clone(l.callers), slices.Clone(l.adjusts), slices.Clone(l.memory.list)
	return h
}

// facts returns the head without its lists.
func (l *Ledger) facts() ledgerHead {
	return ledgerHead{
		Spec: l.spec, Creation: *l.created(), Settings: l.settings, Available: l.available, Held: l.held, Sold: l.sold,
		Number: l.number, Epoch: l.epoch, Frozen: l.frozen, Broken: l.broken, Now: l.now, Index: l.index, Version: l.version,
		Waiting: l.waiting, Rows: l.rows.len(), Users: l.users.len(), Returns: l.returns.len(), Tables: l.hash,
	}
}
