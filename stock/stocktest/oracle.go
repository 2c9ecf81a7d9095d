package stocktest

import (
	"maps"
	"slices"

	"holdfast/stock"
)

// Oracle is the state of one shard. The zero value is not usable; see NewOracle.
type Oracle struct {
	epoch    uint16
	level    uint16
	owned    [stock.Partitions]bool
	settings stock.Settings
	// skus are in order of their numbers: number n is at n-1.
	skus []*sku
	// done remembers the outcomes of SetSettings by their node-made keys.
	done map[scope]memory
}

// scope is what a key is unique in, within a SKU and a key space.
type scope struct{ caller, key string }

func scopeOf(m *stock.Meta) scope { return scope{m.Caller, m.Key} }

// copyOf is what copies of one command have alike.
type copyOf struct {
	kind stock.Kind
	scope
}

// memory is an outcome that is given again until a deadline; with a zero deadline it is not bound by time.
type memory struct {
	outcome stock.Outcome
	until   stock.Time
}

func remember(outcome stock.Outcome, until stock.Time) memory { return memory{fresh(outcome), until} }

func (m memory) holds(now stock.Time) bool { return m.until == 0 || now < m.until }

func (m memory) again() stock.Outcome { return fresh(m.outcome) }

// fresh returns a copy of an outcome that shares nothing with it.
func fresh(outcome stock.Outcome) stock.Outcome {
	outcome.Order, outcome.SKU = copied(outcome.Order), copied(outcome.SKU)
	if outcome.Detail = copied(outcome.Detail); outcome.Detail != nil {
		outcome.Detail.Differs = slices.Clone(outcome.Detail.Differs)
	}
	return outcome
}

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// NewOracle returns a shard before its Init: it owns no partition.
func NewOracle() *Oracle { return &Oracle{done: map[scope]memory{}} }

// Apply decides a command at a position of the log. The bool reports whether somebody waits for the outcome: false for the commands that
// leaders make by themselves.
func (o *Oracle) Apply(at stock.Position, c stock.Command) (stock.Outcome, bool) {
	switch c := c.(type) {
	case *stock.Init:
		o.init(c)
	case *stock.FlushMark:
		o.mark(at, c.Index, o.skus)
	case *stock.FlushSpan:
		var within []*sku
		for _, s := range o.skus {
			if s.row.Number >= c.First && s.row.Number <= c.Last {
				within = append(within, s)
			}
		}
		o.mark(at, c.Index, within)
	case *stock.Expire:
		o.expire(at, c)
	case *stock.RaiseLevel:
		o.level = max(o.level, c.Level)
	case *stock.RaiseEpoch:
		o.epoch = max(o.epoch, c.Epoch)
	case *stock.SetSettings:
		return o.setSettings(at, c), true
	case *stock.Place:
		return o.place(at, c), true
	case *stock.Fence:
		return o.fence(at, c), true
	case *stock.Confirm:
		s, _, _ := o.findOrder(c.Order)
		return o.copies(s, at, c, func() stock.Outcome { return o.confirm(at, c) }), true
	case *stock.Cancel:
		return o.cancel(at, c), true
	case *stock.Return:
		s, _, _ := o.findOrder(c.Order)
		return o.copies(s, at, c, func() stock.Outcome { return o.giveBack(at, c) }), true
	case *stock.Create:
		return o.create(at, c), true
	case *stock.Update:
		return o.update(at, c), true
	case *stock.Adjust:
		s, _ := o.find(c.SKU)
		return o.copies(s, at, c, func() stock.Outcome { return o.adjust(at, c) }), true
	case *stock.Freeze:
		return o.freeze(at, c), true
	}
	return stock.Outcome{}, false
}

// copies decides a command unless a copy of it was refused while another one was under way: that refusal is given again until its deadline.
func (o *Oracle) copies(s *sku, at stock.Position, c stock.Command, run func() stock.Outcome) stock.Outcome {
	if s == nil || o.level < stock.LevelRefusals {
		return run()
	}
	m := c.Head()
	key := copyOf{c.Kind(), scopeOf(m)}
	if seen, ok := s.copies[key]; ok && seen.holds(at.Now) {
		if m.Retry && m.Deadline > seen.until {
			s.copies[key] = remember(seen.outcome, m.Deadline)
		}
		return seen.again()
	}
	out := run()
	if m.Retry && m.Deadline != 0 && !out.Code.Executed() && out.Code != stock.DeadlineExceeded {
		if s.copies == nil {
			s.copies = map[copyOf]memory{}
		}
		s.copies[key] = remember(out, m.Deadline)
	}
	return out
}

func (o *Oracle) init(c *stock.Init) {
	o.epoch, o.settings = c.Epoch, c.Settings
	o.owned = [stock.Partitions]bool{}
	for _, p := range c.Partitions {
		o.owned[p] = true
	}
}

func (o *Oracle) expire(at stock.Position, c *stock.Expire) {
	s, _ := o.find(c.SKU)
	if s == nil || s.row.Broken {
		return
	}
	for range o.settings.ExpiryBatch {
		if !s.releaseNext(at) {
			return
		}
	}
}

// find returns the SKU of a name, or the refusal.
func (o *Oracle) find(name string) (*sku, stock.Outcome) {
	if !o.owned[stock.PartitionOf(name)] {
		return nil, wrongShard()
	}
	for _, s := range o.skus {
		if s.row.SKU == name {
			return s, stock.Outcome{}
		}
	}
	return nil, refuse(stock.SKUNotFound)
}

// findOrder returns an order that is in memory and its SKU, or the refusal.
func (o *Oracle) findOrder(id stock.OrderID) (*sku, *row, stock.Outcome) {
	if int(id.Partition) >= len(o.owned) || !o.owned[id.Partition] {
		return nil, nil, wrongShard()
	}
	for _, s := range o.skus {
		for _, r := range s.rows {
			if r.order.ID == id && !r.fence {
				return s, r, stock.Outcome{}
			}
		}
	}
	return nil, nil, refuse(stock.OrderNotFound)
}

// Break freezes a SKU as a broken invariant does (rule R8).
func (o *Oracle) Break(name string) {
	if s, _ := o.find(name); s != nil {
		s.row.Broken = true
	}
}

// Clone returns a copy that shares nothing with o.
func (o *Oracle) Clone() *Oracle {
	clone := *o
	clone.done = maps.Clone(o.done)
	clone.skus = slices.Clone(o.skus)
	for i, s := range clone.skus {
		clone.skus[i] = s.clone()
	}
	return &clone
}

func refuse(code stock.Code) stock.Outcome { return stock.Outcome{Code: code} }

func refuseWith(code stock.Code, d stock.Detail) stock.Outcome {
	return stock.Outcome{Code: code, Detail: &d}
}

func wrongShard() stock.Outcome {
	return refuseWith(stock.InvalidValue, stock.Detail{Field: "sku", Reason: "wrong shard"})
}

func late(m *stock.Meta, now stock.Time) bool { return m.Deadline != 0 && now >= m.Deadline }
