package audit

import (
	"holdfast/bench/sale"
)

// view is the orders as they stand in one place.
type view struct {
	name string
	l    *Ledger
	b    *book
	f    *Findings
	// seen is this view's bit; sample: only the orders of the sample are visited.
	seen   uint8
	sample bool
	limits *limits // nil where users are not looked at here
	// By SKU: how many orders there are, their units that are taken, and whether some came back.
	orders, active []int64
	gaveBack       []bool
	rows           int64
	// twice, strange and different count orders that are there twice, that nobody was told of, and that are not as they must be.
	twice, strange, missing, different int64
}

func (l *Ledger) newView(name string, seen uint8, b *book, f *Findings) *view {
	n := len(l.tallies)
	return &view{name: name, l: l, b: b, f: f, seen: seen, orders: make([]int64, n), active: make([]int64, n), gaveBack: make([]bool, n)}
}

// visit takes an order as it stands.
func (v *view) visit(o sale.Stored) {
	sku, known := v.l.numbers[o.SKU]
	if !known {
		return
	}
	state := stateNames[o.State]
	v.rows++
	v.orders[sku]++
	if state&taking != 0 {
		v.active[sku] += o.Qty - o.Returned
		if v.limits != nil && v.l.tallies[sku].sku.LimitPerUser > 0 {
			v.limits.add(sku, o.User, o.Qty-o.Returned)
		}
	}
	if state&(cancelled|expired|returned) != 0 || o.Returned > 0 {
		v.gaveBack[sku] = true
	}
	id := idOf(o.ID, o.Key)
	e := v.b.find(id)
	if e == nil && o.ID != "" && o.Key != "" { // A target whose answers name no id.
		id2 := idOf("", o.Key)
		if e = v.b.find(id2); e != nil {
			id = id2
		}
	}
	switch {
	case e == nil:
		v.unknown(id, &o)
	case e.seen&v.seen != 0:
		v.twice++
		v.f.say("%s: the order %s (key %s) is there twice", v.name, o.ID, o.Key)
	default:
		e.seen |= v.seen
		v.compare(e, sku, state, &o)
	}
}

// unknown judges an order that callers were not told of.
func (v *view) unknown(id uint64, o *sale.Stored) {
	if !sampled(id, v.b.bits) || v.b.doubtful[o.Key] || o.Key == "" && len(v.b.doubtful) > 0 {
		return
	}
	v.strange++
	v.f.say("%s: nobody was told of the order %s of %s, key %s, %s", v.name, o.ID, o.SKU, o.Key, o.State)
}

// compare holds an order against what its caller was told.
func (v *view) compare(e *entry, sku uint32, state stateBits, o *sale.Stored) {
	whole := o.Returned == 0
	if state == returned {
		whole = o.Returned == o.Qty
	}
	if e.sku == sku && e.user == hash32(o.User) && e.qty == o.Qty && (o.Key == "" || e.key == hash32(o.Key)) && e.may&state != 0 && whole {
		return
	}
	e.bad = true
	v.different++
	v.f.say("%s: the order %s is not as its caller was told: %s of %d of %s for %s, key %s, %d returned; it must be %s of %d of %s",
		v.name, o.ID, o.State, o.Qty, o.SKU, o.User, o.Key, o.Returned, e.may, e.qty, v.l.tallies[e.sku].sku.Name)
}

// end counts what was not found, and the exact numbers against what callers were told.
func (v *view) end() {
	for i := range v.b.entries {
		if e := &v.b.entries[i]; e.seen&v.seen == 0 {
			e.bad = true
			v.missing++
			v.f.say("%s: an acknowledged order of %s is not there", v.name, v.l.tallies[e.sku].sku.Name)
		}
	}
	fewer, more := v.missing, v.strange+v.twice
	if !v.sample {
		fewer, more = max(fewer, v.shortfall()), max(more, v.surplus())
	}
	v.f.Lost = max(v.f.Lost, fewer+v.different)
	v.f.Duplicated = max(v.f.Duplicated, more)
}

// shortfall and surplus are how many orders there are too few, and too many, by SKU and in all.
func (v *view) shortfall() (orders int64) {
	for i, t := range v.l.tallies {
		if few := t.orders.Load() - v.orders[i]; few > 0 {
			orders += few
			v.f.say("%s: %d orders of %s, %d were acknowledged", v.name, v.orders[i], t.sku.Name, t.orders.Load())
		}
	}
	return orders
}

func (v *view) surplus() (orders int64) {
	for i, t := range v.l.tallies {
		if many := v.orders[i] - t.orders.Load() - t.open.Load(); many > 0 {
			orders += many
			v.f.say("%s: %d orders of %s, %d were acknowledged", v.name, v.orders[i], t.sku.Name, t.orders.Load())
		}
	}
	return orders
}

// beyond returns the units that the orders of a SKU take beyond its stock.
func (v *view) beyond(sku int) int64 { return v.active[sku] - v.l.tallies[sku].sku.Stock }
