package stocktest

import (
	"maps"
	"math"
	"slices"
	"strconv"

	"holdfast/stock"
)

var (
	// skuNames are the SKUs that may be created, noSKU never is, farSKU lives in another shard.
	skuNames = []string{"tea", "cup", "jar"}
	noSKU    = "none"
	farSKU   = "far"

	// home are all partitions but that of farSKU.
	home = func() []stock.Partition {
		var ps []stock.Partition
		for p := range stock.Partition(stock.Partitions) {
			if p != stock.PartitionOf(farSKU) {
				ps = append(ps, p)
			}
		}
		return ps
	}()
)

func oneOf[T any](w *writer, values ...T) T { return values[w.roll(len(values))] }

func (w *writer) numbered(prefix string, n int) string { return prefix + strconv.Itoa(n) }

func (w *writer) init() stock.Command {
	return &stock.Init{Epoch: uint16(1 + w.roll(2)), Partitions: home, Settings: w.settings()}
}

func (w *writer) open() stock.Command { return &stock.Open{Term: uint64(1 + w.roll(3))} }

func (w *writer) settings() stock.Settings {
	return stock.Settings{
		RetentionMS:   oneOf[int64](w, 60, 1, 20, 200, 1000),
		MaxOpenOrders: oneOf[int64](w, 1000, 1000, 1000, 1, 2, 4),
		ExpiryBatch:   oneOf[int64](w, 1024, 1024, 1, 2),
		EvictBatch:    oneOf[int64](w, 16384, 16384, 1, 2),
	}
}

// sku draws the name of a SKU that exists, rarely one that does not.
func (w *writer) sku() string {
	switch k := w.roll(50); {
	case k == 48:
		return noSKU
	case k == 49:
		return farSKU
	case len(w.oracle.skus) == 0:
		return skuNames[0]
	}
	return oneOf(w, w.oracle.skus...).row.SKU
}

// meta draws the head of a command whose key the caller made; key spaces share names, so that mixing them up would show.
func (w *writer) meta() stock.Meta {
	m := stock.Meta{Key: w.numbered("n", len(w.steps)), Deadline: w.deadline(), Retry: w.roll(3) == 2}
	if w.roll(2) == 1 {
		m.Key = w.numbered("k", w.roll(4))
	}
	if w.roll(4) == 3 {
		m.Caller = "shop"
	}
	return m
}

// nodeMeta draws the head of a command whose key a node made: no two requests share one.
func (w *writer) nodeMeta() stock.Meta {
	return stock.Meta{Key: w.numbered("node-", len(w.steps)), Deadline: w.deadline()}
}

func (w *writer) deadline() stock.Time {
	switch now := w.at.Now; w.roll(16) {
	case 12:
		return 0
	case 13:
		return now - stock.Time(w.roll(2))
	case 14, 15:
		return now + 1 + stock.Time(w.roll(40))
	default:
		return now + 200
	}
}

func (w *writer) place() stock.Command {
	c := &stock.Place{Meta: w.meta(), SKU: w.sku(), User: w.numbered("u", w.roll(3))}
	c.Qty = w.qty(w.oracle.Counters(c.SKU).Available)
	if w.roll(5) == 4 {
		c.ClientRef = "ref"
	}
	return c
}

// qty draws a quantity around one and around edge.
func (w *writer) qty(edge int64) int64 {
	switch w.roll(16) {
	case 9, 10, 11:
		return 1 + int64(w.roll(2))
	case 12:
		return max(1, edge)
	case 13:
		return max(1, edge-1)
	case 14:
		return edge + 1
	case 15:
		return oneOf[int64](w, stock.MaxStock, stock.MaxStock-1, math.MaxInt64)
	}
	return 1
}

// orders lists the orders that want something.
func (w *writer) orders(wants func(*stock.Order) bool) []stock.OrderID {
	var ids []stock.OrderID
	for _, s := range w.oracle.skus {
		for _, r := range s.rows {
			if !r.fence && wants(&r.order) {
				ids = append(ids, r.order.ID)
			}
		}
	}
	return ids
}

// order draws the id of an order, most often one that wants; rarely one that is gone, still to come, or of another place.
func (w *writer) order(wants func(*stock.Order) bool) stock.OrderID {
	if ids := w.orders(wants); len(ids) > 0 && w.roll(5) != 4 {
		return oneOf(w, ids...)
	}
	if len(w.oracle.skus) == 0 {
		return stock.OrderID{Epoch: 1, SKU: 1, Counter: 1}
	}
	s := oneOf(w, w.oracle.skus...)
	id := stock.OrderID{
		Epoch: w.oracle.epoch, Partition: stock.PartitionOf(s.row.SKU), SKU: s.row.Number, Counter: 1 + uint64(w.roll(int(s.last)+1)),
	}
	switch w.roll(20) {
	case 16:
		id.Epoch++
	case 17:
		id.Partition = stock.PartitionOf(noSKU)
	case 18:
		id.SKU++
	case 19:
		id.Partition = stock.PartitionOf(farSKU)
	}
	return id
}

func waits(o *stock.Order) bool { return !o.State.Settled() }

func open(o *stock.Order) bool { return o.State == stock.StateOpen }

func sold(o *stock.Order) bool { return o.State == stock.StateConfirmed }

func (w *writer) confirm() stock.Command {
	wants := waits
	switch w.roll(4) {
	case 2:
		wants = open
	case 3:
		wants = w.short
	}
	c := &stock.Confirm{Meta: w.nodeMeta(), Order: w.order(wants), PaymentID: w.numbered("p", w.roll(3))}
	if refused := w.refused(c.Order); refused != nil && w.roll(3) != 0 {
		c.PaymentID = oneOf(w, refused...)
	}
	return c
}

// short reports whether an open order was refused for want of stock, or would be.
func (w *writer) short(o *stock.Order) bool {
	return open(o) && (o.Qty > w.oracle.Counters(o.SKU).Available || w.refused(o.ID) != nil)
}

// refused lists the payment ids of an order under which a refusal is remembered.
func (w *writer) refused(id stock.OrderID) []string {
	_, r, _ := w.oracle.findOrder(id)
	if r == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(r.refused))
}

func (w *writer) cancel() stock.Command {
	return &stock.Cancel{Meta: w.nodeMeta(), Order: w.order(waits), Reason: oneOf(w, "", "changed my mind")}
}

func (w *writer) giveBack() stock.Command {
	c := &stock.Return{Meta: w.meta(), Order: w.order(sold), Restock: w.roll(3) != 2}
	if w.roll(2) == 1 {
		left := int64(0)
		if o := w.oracle.Read(&stock.GetOrder{Order: c.Order}).Order; o != nil {
			left = o.Qty - o.ReturnedQty
		}
		c.Qty = w.qty(left)
	}
	return c
}

func (w *writer) adjust() stock.Command {
	c := &stock.Adjust{Meta: w.meta(), SKU: w.sku(), Reason: oneOf(w, "", "count")}
	row := w.oracle.Counters(c.SKU)
	switch w.roll(8) {
	case 4, 5, 6:
		c.Delta = -w.qty(row.Available)
	case 7:
		c.Delta = oneOf(w, stock.MaxStock-row.Stock+1, max(1, stock.MaxStock-row.Stock), math.MaxInt64, math.MinInt64)
	default:
		c.Delta = 1 + int64(w.roll(4))
	}
	return c
}

// squeeze takes away what an open order waits for, or brings it back.
func (w *writer) squeeze() stock.Command {
	ids := w.orders(w.short)
	if len(ids) == 0 {
		ids = w.orders(open)
	}
	if len(ids) == 0 {
		return w.adjust()
	}
	o := w.oracle.Read(&stock.GetOrder{Order: oneOf(w, ids...)}).Order
	c := &stock.Adjust{Meta: w.nodeMeta(), SKU: o.SKU, Delta: o.Qty}
	if available := w.oracle.Counters(o.SKU).Available; available >= o.Qty {
		c.Delta = -oneOf(w, available, available-o.Qty+1)
	}
	return c
}

// create draws a SKU that is not there yet, or one that is: as it was asked for, or otherwise.
func (w *writer) create() stock.Command {
	n := len(w.oracle.skus)
	if n < len(skuNames) && (n == 0 || w.roll(2) == 0) {
		return &stock.Create{Meta: w.nodeMeta(), Spec: w.spec(skuNames[n])}
	}
	spec := oneOf(w, w.oracle.skus...).asked
	switch w.roll(6) {
	case 3:
		spec.Stock++
	case 4:
		spec.HoldTTLMS, spec.Hot = 77, !spec.Hot
	case 5:
		spec = w.spec(oneOf(w, spec.SKU, spec.SKU, spec.SKU, noSKU, farSKU))
		if spec.SKU == noSKU {
			spec.SKU = skuNames[0]
		}
	}
	return &stock.Create{Meta: w.nodeMeta(), Spec: spec}
}

func (w *writer) spec(name string) stock.Spec {
	spec := stock.Spec{
		SKU:          name,
		Stock:        int64(w.roll(9)),
		Mode:         stock.ModeHold + stock.Mode(w.roll(3)),
		HoldTTLMS:    oneOf[int64](w, 30, 30, 100, 100, 10, 1, stock.MaxHoldTTLMS),
		LimitPerUser: oneOf[int64](w, 0, 0, 0, 1, 2, 5, stock.MaxStock),
		MaxQty:       oneOf[int64](w, 5, 5, 2, 1, stock.MaxStock, stock.MaxStock),
		OpensAt:      w.opening(),
		Hot:          w.roll(2) == 1,
	}
	if w.roll(6) == 5 {
		spec.Stock = stock.MaxStock - int64(w.roll(2))
	}
	if w.roll(8) == 7 {
		spec.ClosesAt = max(w.at.Now, spec.OpensAt) + 1 + stock.Time(w.roll(60))
	}
	return spec
}

// opening draws no opening, one gone by, or one to come.
func (w *writer) opening() stock.Time {
	if w.roll(5) != 4 {
		return 0
	}
	return w.at.Now - 5 + stock.Time(w.roll(30))
}

func (w *writer) update() stock.Command {
	c := &stock.Update{Meta: w.nodeMeta(), SKU: w.sku()}
	p := &c.Patch
	switch w.roll(6) {
	case 0:
		p.MaxQty = new(oneOf[int64](w, 5, 1, stock.MaxStock))
	case 1:
		p.LimitPerUser = new(oneOf[int64](w, 0, 1, 3))
	case 2:
		p.HoldTTLMS = new(1 + int64(w.roll(50)))
	case 3:
		p.OpensAt = new(w.opening())
		p.Hot = new(w.roll(2) == 1)
	case 4:
		p.ClosesAt = new(oneOf(w, 0, 0, 0, w.at.Now+30, w.at.Now, w.at.Now-10))
	case 5:
		p.OpensAt, p.ClosesAt = new(w.opening()), new(oneOf(w, 0, 0, w.at.Now+stock.Time(w.roll(40))))
	}
	return c
}
