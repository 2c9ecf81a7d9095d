package stock

import "fmt"

// Book is the state of a shard: which partitions it owns, its settings, its log time and the ledgers of its SKUs. A ledger may be away, with an
// actor of its own; the commands for it are then the actor's to apply, in the same order. Not safe for concurrent use.
type Book struct {
	level      uint16
	epoch      uint16
	partitions []Partition
	owned      [Partitions]bool
	settings   Settings
	now        Time
	index      uint64
	flushed    uint64
	memory     memory

	slots   []*slot // by SKU number - 1
	byName  map[string]*slot
	due     schedule // of cold SKUs: (earliest deadline, SKU number); some entries are out of date
	journal *Journal

	// sum is that of hashed over all slots; it is brought up to date for those in changed when somebody asks (rule R24).
	sum     uint64
	changed []*slot
}

// slot is a SKU's place in its shard.
type slot struct {
	name   string
	number uint32
	// changed: the ledger may have another hash than hashed, and the slot is in Book.changed.
	changed bool
	ledger  *Ledger // nil while it is away
	dueAt   Time    // what stands in Book.due for it; 0: nothing
	hashed  uint64  // the ledger's hash as it was last asked for; 0 while it is away
}

// NewBook returns the state of a shard before the first entry of its log.
func NewBook() *Book {
	return &Book{level: firstLevel, settings: DefaultSettings(), byName: make(map[string]*slot), journal: NewJournal(0, 0)}
}

// Begin starts the commands of a proposal: log time moves to the proposal's clock, never back (rule R2).
func (b *Book) Begin(h Header, index uint64) Position {
	b.now, b.index = max(b.now, h.Clock), index
	return Position{Index: index, Now: b.now}
}

// Now returns log time.
func (b *Book) Now() Time { return b.now }

// Index returns the index of the last entry that was begun.
func (b *Book) Index() uint64 { return b.index }

// Flushed returns the index of the last flush mark.
func (b *Book) Flushed() uint64 { return b.flushed }

// Settings returns the shard's settings.
func (b *Book) Settings() Settings { return b.settings }

// Owns reports whether a partition is the shard's.
func (b *Book) Owns(p Partition) bool { return b.owned[p%Partitions] }

// Initialized reports whether the log's first command has been applied.
func (b *Book) Initialized() bool { return len(b.partitions) > 0 }

// Owner is where a request is to be answered.
type Owner struct {
	// Ledger owns the SKU; nil when it is away or when there is no such SKU.
	Ledger *Ledger
	// Number is the SKU's; 0 when there is no such SKU.
	Number uint32
}

// Away reports whether the SKU's ledger is with an actor of its own.
func (o Owner) Away() bool { return o.Ledger == nil && o.Number != 0 }

// Owner finds the SKU that a command or query is about.
func (b *Book) Owner(r any) Owner {
	switch r := r.(type) {
	case *Place:
		return b.named(r.SKU)
	case *Confirm:
		return b.numbered(r.Order)
	case *Cancel:
		return b.numbered(r.Order)
	case *Return:
		return b.numbered(r.Order)
	case *GetOrder:
		return b.numbered(r.Order)
	case *Fence:
		return b.named(r.SKU)
	case *Expire:
		return b.named(r.SKU)
	case *Create:
		return b.named(r.Spec.SKU)
	case *Update:
		return b.named(r.SKU)
	case *Adjust:
		return b.named(r.SKU)
	case *Freeze:
		return b.named(r.SKU)
	case *GetOutcome:
		return b.named(r.SKU)
	case *GetSKU:
		return b.named(r.SKU)
	}
	return Owner{}
}

func (b *Book) named(sku string) Owner {
	if s := b.byName[sku]; s != nil {
		return Owner{Ledger: s.ledger, Number: s.number}
	}
	return Owner{}
}

func (b *Book) numbered(id OrderID) Owner {
	if id.SKU == 0 || int(id.SKU) > len(b.slots) || !b.Owns(id.Partition) {
		return Owner{}
	}
	return Owner{Ledger: b.slots[id.SKU-1].ledger, Number: id.SKU}
}

// NotFound is the outcome of a request without an Owner: its SKU or order does not exist, or its partition is another shard's.
func (b *Book) NotFound(r any) Outcome {
	if q, ok := r.(Request); ok && !b.Owns(q.Partition()) {
		return refuseWith(InvalidValue, Detail{Field: "sku", Reason: "wrong shard"})
	}
	switch r.(type) {
	case *Confirm, *Cancel, *Return, *GetOrder:
		return refuse(OrderNotFound)
	}
	return refuse(SKUNotFound)
}

// Apply takes one command in log order. A command for a ledger that is away must not come here; one for all of them is also the away ones' to
// apply.
func (b *Book) Apply(at Position, c Command) Outcome {
	switch c := c.(type) {
	case *Init:
		return b.init(c)
	case *Open:
		return Outcome{Code: OK}
	case *SetSettings:
		return b.set(at, c)
	case *FlushMark:
		b.flushed = max(b.flushed, c.Index)
		b.everyone(at, c)
		return Outcome{Code: OK}
	case *FlushSpan:
		b.flushed = max(b.flushed, c.Index)
		b.everyone(at, c)
		return Outcome{Code: OK}
	case *RaiseLevel:
		return b.raise(at, c)
	case *RaiseEpoch:
		return b.raiseEpoch(at, c)
	case *HashMark:
		return Outcome{Code: OK}
	}
	o := b.Owner(c)
	if create, ok := c.(*Create); ok && o.Number == 0 {
		return b.create(at, create)
	}
	switch {
	case o.Number == 0:
		return b.NotFound(c)
	case o.Ledger == nil:
		panic(fmt.Sprintf("stock: %T for a ledger that is away", c))
	}
	s := b.slots[o.Number-1]
	b.change(s)
	out := o.Ledger.Apply(at, c)
	b.reschedule(s)
	return out
}

// ApplyUnheard is Apply of a command that nobody here waits for; see Ledger.ApplyUnheard. What it returns shows no order that was placed.
func (b *Book) ApplyUnheard(at Position, c Command) Outcome {
	order, ok := c.(*Place)
	if !ok {
		return b.Apply(at, c)
	}
	l := b.named(order.SKU).Ledger
	if l == nil {
		return b.Apply(at, c)
	}
	l.unheard = true
	out := b.Apply(at, c)
	l.unheard = false
	return out
}

// Broadcast reports whether a command is applied by every ledger of the shard, or by every one that it Reaches.
func Broadcast(c Command) bool {
	switch c := c.(type) {
	case *SetSettings, *FlushMark, *FlushSpan, *RaiseEpoch:
		return true
	case *RaiseLevel:
		return c.Level >= LevelRefusals
	}
	return false
}

// init says what the shard is, once: a leader that opens twice before its first Init is applied proposes another one.
func (b *Book) init(c *Init) Outcome {
	if b.Initialized() {
		return Outcome{Code: OK}
	}
	if out := c.Settings.refusal(); out.Code != 0 {
		return out
	}
	b.epoch, b.settings = c.Epoch, c.Settings
	b.own(c.Partitions)
	return Outcome{Code: OK}
}

func (b *Book) own(partitions []Partition) {
	b.partitions = partitions
	b.owned = [Partitions]bool{}
	for _, p := range partitions {
		b.owned[p%Partitions] = true
	}
}

// set replaces the settings. The shard's memory is touched here alone: what it holds may not depend on which ledgers are away.
func (b *Book) set(at Position, c *SetSettings) Outcome {
	b.memory.forget(at.Now)
	if out := b.standing(at, c); out.Code != 0 {
		return out
	}
	b.settings = c.Settings
	b.everyone(at, c)
	out := Outcome{Code: OK}
	b.memory.remember(settingsKey(c), c.Deadline, at.Now, out)
	return out
}

// standing returns what stands against a change of settings: it was made before, comes late, or is out of range; a zero outcome means nothing.
func (b *Book) standing(at Position, c *SetSettings) Outcome {
	if out, ok := b.memory.recall(settingsKey(c), at.Now); ok {
		return out
	}
	if c.Deadline != 0 && at.Now >= c.Deadline {
		return refuse(DeadlineExceeded)
	}
	return c.Settings.refusal()
}

func settingsKey(c *SetSettings) memoryKey {
	return memoryKey{Space: spaceAdmin, Caller: c.Caller, Key: c.Key}
}

func (b *Book) everyone(at Position, c Command) {
	slots := b.slots
	if span, ok := c.(*FlushSpan); ok {
		last := min(int(span.Last), len(slots))
		slots = slots[min(max(int(span.First), 1)-1, last):last]
	}
	for _, s := range slots {
		if s.ledger != nil {
			b.change(s)
			s.ledger.Apply(at, c)
		}
	}
}

func (b *Book) create(at Position, c *Create) Outcome {
	switch {
	case !b.Owns(PartitionOf(c.Spec.SKU)):
		return b.NotFound(c)
	case c.Deadline != 0 && at.Now >= c.Deadline:
		return refuse(DeadlineExceeded)
	}
	if field, reason := c.Spec.Check(); field != "" {
		return refuseWith(InvalidValue, Detail{Field: field, Reason: reason})
	}
	l := newLedger(c.Spec, uint32(len(b.slots)+1), b.epoch, b.settings, b.journal)
	l.level, l.now, l.index = b.level, at.Now, at.Index
	l.touch()
	b.insert(l)
	out := Outcome{Code: OK, SKU: l.View()}
	l.memory.remember(memoryKey{Space: spaceAdmin, Caller: c.Caller, Key: c.Key}, c.Deadline, at.Now, out)
	return out
}

func (b *Book) insert(l *Ledger) {
	s := &slot{name: l.spec.SKU, number: l.number, ledger: l}
	b.slots = append(b.slots, s)
	b.byName[s.name] = s
	b.change(s)
}

// Detach gives a ledger away to an actor of its own, with a journal of its own.
func (b *Book) Detach(number uint32) *Ledger {
	s := b.slots[number-1]
	l := s.ledger
	s.ledger, s.dueAt = nil, 0
	b.sum -= s.hashed
	s.hashed = 0
	l.journal = b.journal.part(number, l.rows.len(), b.index)
	return l
}

// Attach takes a ledger back.
func (b *Book) Attach(l *Ledger) {
	s := b.slots[l.number-1]
	s.ledger = l
	b.journal.merge(l.journal)
	l.journal = b.journal
	b.change(s)
	b.reschedule(s)
}

// Each visits the ledgers that are not away, by number.
func (b *Book) Each(visit func(*Ledger)) {
	for _, s := range b.slots {
		if s.ledger != nil {
			visit(s.ledger)
		}
	}
}

// Changes returns what changed in the ledgers that are not away; see Journal.Changes.
func (b *Book) Changes(s Span) Changes {
	s.Applied = b.index
	return b.journal.Changes(s, func(n uint32) *Ledger { return b.slots[n-1].ledger }, b.Each)
}

// Changes returns what changed in a ledger that has a journal of its own; Span.Applied is the last entry of the shard's log it has seen.
func (l *Ledger) Changes(s Span) Changes {
	return l.journal.Changes(s,
		func(uint32) *Ledger { return l }, func(visit func(*Ledger)) { visit(l) })
}
