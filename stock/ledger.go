// Step 10 of an order: Apply(now, command). The same command, in the same place of the log, has the same outcome on every replica.

package stock

import (
	"fmt"
	"strings"
)

// Ledger owns the stock of one SKU: its counters, its orders and the keys they were placed under. It is a function of the commands addressed to
// it and of nothing else (rules R1, R3). It is not safe for concurrent use: one actor owns it.
type Ledger struct {
	// Invariant: spec.Stock == available + held + sold, and none of them is negative.
	spec                  Spec
	available, held, sold int64
	// creation is the spec the SKU was created with, to tell a repeated creation from another one; nil while it is spec.
	creation *Spec
	settings Settings
	// level is the shard's: what it brings counts from the same place of the log for every ledger.
	level uint16

	number    uint32
	epoch     uint16
	partition Partition
	frozen    bool
	// unheard: nobody waits for the outcome of the command that is being applied.
	unheard bool
	broken  bool

	// now and index are those of the last command; version is the index of the last change.
	now            Time
	index, version uint64
	// Invariant: waiting is the number of open and held orders.
	waiting int64

	// tables is noTables until there is something to put into one.
	*tables
	memory memory

	// hash is the sum of the hashes of all rows, users and returns, kept up with each change (rule R24).
	hash    uint64
	journal *Journal
}

type scopedKey struct {
	caller uint32
	key    string
}

func newLedger(spec Spec, number uint32, epoch uint16, settings Settings, journal *Journal) *Ledger {
	spec.SKU = strings.Clone(spec.SKU)
	return &Ledger{
		spec: spec, available: spec.Stock, settings: settings, tables: noTables,
		number: number, epoch: epoch, partition: PartitionOf(spec.SKU),
		journal: journal,
	}
}

// Name returns the SKU's name.
func (l *Ledger) Name() string { return l.spec.SKU }

// Number returns the SKU's number in its shard.
func (l *Ledger) Number() uint32 { return l.number }

// Hot reports whether the SKU is to have an actor of its own.
func (l *Ledger) Hot() bool { return l.spec.Hot }

// Broken reports whether an invariant did not hold; the SKU is then frozen for good.
func (l *Ledger) Broken() bool { return l.broken }

// Apply takes one command addressed to the SKU, in log order, and returns its outcome.
func (l *Ledger) Apply(at Position, c Command) Outcome {
	l.now, l.index = at.Now, at.Index
	l.memory.forget(at.Now)
	if l.idle() {
		if Broadcast(c) {
			return l.pass(c)
		}
		l.wake()
	}
	l.buf = l.buf[:0]
	out := l.once(c)
	l.check()
	l.tidy()
	return out
}

// ApplyUnheard is Apply of a command that nobody here waits for, as on a follower: it does the same to the state, and shows nobody the order that it
// placed.
func (l *Ledger) ApplyUnheard(at Position, c Command) {
	l.unheard = true
	l.Apply(at, c)
	l.unheard = false
}

func (l *Ledger) apply(c Command) Outcome {
	switch c := c.(type) {
	case *Place:
		return l.place(c)
	case *Confirm:
		return l.confirm(c)
	case *Cancel:
		return l.cancel(c)
	case *Return:
		return l.takeBack(c)
	case *Fence:
		return l.fence(c)
	case *Expire:
		return l.expire()
	case *Create, *Update, *Freeze:
		return l.administer(c)
	case *Adjust:
		return l.adjust(c)
	case *SetSettings:
		l.settings = c.Settings
		return Outcome{Code: OK}
	case *RaiseLevel:
		l.level = max(l.level, c.Level)
		return Outcome{Code: OK}
	case *RaiseEpoch:
		l.epoch = max(l.epoch, c.Epoch)
		return Outcome{Code: OK}
	case *FlushMark:
		return l.evict(c.Index)
	case *FlushSpan:
		return l.evict(c.Index)
	}
	panic(fmt.Sprintf("stock: %T does not belong to a ledger", c))
}

// check holds the invariants after every command. A ledger that breaks one refuses every mutation from then on (rule R8).
func (l *Ledger) check() {
	if !l.broken && !l.sound() {
		l.broken = true
		l.touch()
	}
}

// sound reports whether the invariants hold. No sum of counters that are each at most the stock overflows.
func (l *Ledger) sound() bool {
	stock := l.spec.Stock
	return min(l.available, l.held, l.sold, l.waiting) >= 0 && max(stock, l.available, l.held, l.sold) <= MaxStock &&
		stock == l.available+l.held+l.sold
}

// touch notes that the SKU itself changed: a counter moved, or what later orders are accepted under.
func (l *Ledger) touch() {
	l.version = l.index
	l.journal.note(l.index, l.number, 0)
}

func (l *Ledger) late(m *Meta) bool { return m.Deadline != 0 && l.now >= m.Deadline }

func refuse(c Code) Outcome { return Outcome{Code: c} }

func refuseWith(c Code, d Detail) Outcome { return Outcome{Code: c, Detail: &d} }
