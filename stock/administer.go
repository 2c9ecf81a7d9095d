package stock

import (
	"fmt"
	"strings"
)

// adjusted is one accepted adjustment, kept so that its key gives the same answer again.
type adjusted struct {
	Caller, Key string
	Delta       int64
	Reason      string
	At          Time
	SKU         SKU
}

// administer answers the commands whose keys the first node made: the outcome is remembered until the deadline, so a late copy changes nothing
// (rule R5).
func (l *Ledger) administer(c Command) Outcome {
	m := c.Head()
	key := memoryKey{Space: spaceAdmin, Caller: m.Caller, Key: m.Key}
	if out, ok := l.memory.recall(key, l.now); ok {
		return out
	}
	if l.late(m) {
		return refuse(DeadlineExceeded)
	}
	var out Outcome
	switch c := c.(type) {
	case *Create:
		out = l.create(c)
	case *Update:
		out = l.update(&c.Patch)
	case *Freeze:
		out = l.freeze(c.Frozen)
	default:
		panic(fmt.Sprintf("stock: %T is not administrative", c))
	}
	l.memory.remember(key, m.Deadline, l.now, out)
	return out
}

// create answers the creation of a SKU that exists; Replayed tells an identical one from the first.
func (l *Ledger) create(c *Create) Outcome {
	if d := differsSpec(l.created(), &c.Spec); d != nil {
		return refuseWith(SKUExists, Detail{Differs: d})
	}
	return Outcome{Code: OK, Replayed: true, SKU: l.View()}
}

func differsSpec(a, b *Spec) (fields []string) {
	for _, f := range []struct {
		name string
		same bool
	}{
		{"stock", a.Stock == b.Stock},
		{"mode", a.Mode == b.Mode},
		{"hold_ttl_ms", a.HoldTTLMS == b.HoldTTLMS},
		{"limit_per_user", a.LimitPerUser == b.LimitPerUser},
		{"max_qty", a.MaxQty == b.MaxQty},
		{"opens_at", a.OpensAt == b.OpensAt},
		{"closes_at", a.ClosesAt == b.ClosesAt},
		{"hot", a.Hot == b.Hot},
	} {
		if !f.same {
			fields = append(fields, f.name)
		}
	}
	return fields
}

// update changes what later orders are accepted under.
func (l *Ledger) update(p *Patch) Outcome {
	if l.broken {
		return refuse(Frozen)
	}
	next := l.spec
	set(&next.HoldTTLMS, p.HoldTTLMS)
	set(&next.LimitPerUser, p.LimitPerUser)
	set(&next.MaxQty, p.MaxQty)
	set(&next.OpensAt, p.OpensAt)
	set(&next.ClosesAt, p.ClosesAt)
	set(&next.Hot, p.Hot)
	if field, reason := next.Check(); field != "" {
		return refuseWith(InvalidValue, Detail{Field: field, Reason: reason})
	}
	l.keepCreation()
	l.spec = next
	l.touch()
	return Outcome{Code: OK, SKU: l.View()}
}

func set[T any](field *T, to *T) {
	if to != nil {
		*field = *to
	}
}

func (l *Ledger) freeze(frozen bool) Outcome {
	if l.broken {
		return refuse(Frozen)
	}
	l.frozen = frozen
	l.touch()
	return Outcome{Code: OK, SKU: l.View()}
}

// adjust adds units to the stock or takes available ones from it.
func (l *Ledger) adjust(c *Adjust) Outcome {
	if a := l.adjustAt[adjustKey(c.Caller, c.Key)]; a != nil {
		return a.again(c)
	}
	switch {
	case l.broken:
		return refuse(Frozen)
	case l.late(&c.Meta):
		return refuse(DeadlineExceeded)
	case c.Delta > MaxStock-l.spec.Stock:
		return refuseWith(InvalidValue, Detail{Field: "delta", Reason: "overflows a counter"})
	}
	for n := int64(0); l.available+c.Delta < 0; n++ {
		if n >= l.settings.ExpiryBatch || l.held == 0 || !l.releaseOne() {
			return refuseWith(InsufficientStock, Detail{Available: l.available})
		}
	}
	l.available += c.Delta
	l.keepCreation()
	l.spec.Stock += c.Delta
	l.touch()
	l.keepAdjust(&adjusted{
		Caller: strings.Clone(c.Caller), Key: strings.Clone(c.Key), Delta: c.Delta, Reason: strings.Clone(c.Reason), At: l.now, SKU: *l.View(),
	})
	return Outcome{Code: OK, SKU: l.View()}
}

func adjustKey(caller, key string) memoryKey { return memoryKey{Caller: caller, Key: key} }

func (l *Ledger) keepAdjust(a *adjusted) {
	l.adjusts = append(l.adjusts, a)
	l.adjustsHash.push(a.hash())
	if l.adjustAt == nil {
		l.adjustAt = make(map[memoryKey]*adjusted)
	}
	l.adjustAt[adjustKey(a.Caller, a.Key)] = a
}

func (a *adjusted) again(c *Adjust) Outcome {
	var d []string
	if c.Delta != a.Delta {
		d = append(d, "delta")
	}
	if c.Reason != a.Reason {
		d = append(d, "reason")
	}
	if d != nil {
		return refuseWith(IdempotencyKeyReused, Detail{Differs: d})
	}
	sku := a.SKU
	return Outcome{Code: OK, Replayed: true, SKU: &sku}
}

// evictAdjusts forgets adjustments past retention; they stand in the order of their time.
func (l *Ledger) evictAdjusts() {
	for n := int64(0); n < l.settings.EvictBatch && l.adjustOver(l.now); n++ {
		l.adjustsHash.shift(l.adjusts[0].hash(), len(l.adjusts))
		delete(l.adjustAt, adjustKey(l.adjusts[0].Caller, l.adjusts[0].Key))
		l.adjusts[0] = nil
		l.adjusts = l.adjusts[1:]
	}
	if len(l.adjusts) == 0 {
		l.adjusts = nil
	}
}

// adjustOver reports whether the oldest adjustment is past retention at now.
func (l *Ledger) adjustOver(now Time) bool {
	return len(l.adjusts) > 0 && l.adjusts[0].At.Add(l.settings.RetentionMS) <= now
}
