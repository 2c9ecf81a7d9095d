package stock

import (
	"slices"
	"sort"

	"github.com/cespare/xxhash/v2"
)

// level is the version of the rules that apply follows (rule R1). A state of another level is refused.
const level = 1

// Cut is a shard's state at one place of its log, which no longer changes while the actors go on (rule R23).
type Cut struct {
	head    bookHead
	ledgers []*LedgerCut
}

// LedgerCut is one SKU's part of a cut.
type LedgerCut struct {
	head    ledgerHead
	rows    pages[row]
	users   pages[person]
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
	c := &Cut{head: b.head()}
	b.Each(func(l *Ledger) { c.Add(l.Cut()) })
	return c
}

// Add puts a ledger's part into the cut.
func (c *Cut) Add(l *LedgerCut) { c.ledgers = append(c.ledgers, l) }

// Hash returns the hash of the whole cut: equal states have equal hashes.
func (c *Cut) Hash() uint64 {
	h := c.head.hash()
	for _, l := range c.ledgers {
		h += l.head.hash()
	}
	return h
}

func (c *Cut) sort() {
	sort.Slice(c.ledgers, func(a, b int) bool { return c.ledgers[a].head.Spec.SKU < c.ledgers[b].head.Spec.SKU })
	c.head.Ledgers = uint64(len(c.ledgers))
}

func (b *Book) head() bookHead {
	return bookHead{
		Level: level, Epoch: b.epoch, Partitions: b.partitions, Settings: b.settings, Now: b.now, Index: b.index, Flushed: b.flushed,
		Memory: slices.Clone(b.memory.list), Ledgers: uint64(len(b.slots)),
	}
}

// Hash returns the hash of the shard's state without the ledgers that are away; the sum with theirs is the hash of the whole state.
func (b *Book) Hash() uint64 {
	head := b.head()
	h := head.hash()
	b.Each(func(l *Ledger) { h += l.Hash() })
	return h
}

// Cut returns the ledger's state. The ledger copies a page of rows before it next writes to it.
func (l *Ledger) Cut() *LedgerCut {
	return &LedgerCut{head: l.head(), rows: l.rows.cut(), users: l.users.cut(), returns: l.returns.cut()}
}

func (l *Ledger) head() ledgerHead {
	return ledgerHead{
		Spec: l.spec, Creation: l.creation, Settings: l.settings, Available: l.available, Held: l.held, Sold: l.sold,
		Number: l.number, Epoch: l.epoch, Frozen: l.frozen, Broken: l.broken, Now: l.now, Index: l.index, Version: l.version,
		Waiting: l.waiting, Callers: slices.Clone(l.callers), Adjusts: slices.Clone(l.adjusts), Memory: slices.Clone(l.memory.list),
		Rows: l.rows.len(), Users: l.users.len(), Returns: l.returns.len(), Tables: l.hash,
	}
}

// Hash returns the hash of the ledger's state.
func (l *Ledger) Hash() uint64 {
	head := l.head()
	return head.hash()
}

func (h *bookHead) hash() uint64   { return xxhash.Sum64(marshal(h)) }
func (h *ledgerHead) hash() uint64 { return xxhash.Sum64(marshal(h)) }

// tables recomputes the hash of the rows, users and returns from scratch.
func (l *LedgerCut) tables() (sum uint64) {
	for i, r := range l.rows.all() {
		sum += r.hash(i + 1)
	}
	for i, p := range l.users.all() {
		sum += p.hash(i)
	}
	for i, r := range l.returns.all() {
		sum += r.hash(i)
	}
	return sum
}
