package stocktest

import (
	"maps"
	"slices"

	"holdfast/stock"
)

// sku is one SKU and all that is remembered under it.
type sku struct {
	row stock.SKU
	// asked is the creation request.
	asked stock.Spec
	// last is the counter that was given last.
	last uint64
	// rows are the orders and fences in memory, in order of their counters.
	rows []*row
	// gone counts, by user, the units of confirmed orders that left memory.
	gone map[string]int64
	// refused remembers refusals of Place, done outcomes of administrative commands.
	refused, done map[scope]memory
	// copies remembers refusals of confirms, returns and adjustments that may have another copy under way.
	copies   map[copyOf]memory
	adjusted []adjustment
}

// row is an order, or a fence: a key that is taken by none.
type row struct {
	fence        bool
	first, order stock.Order // as first given, and as it stands
	// refused remembers refusals of Confirm by payment id.
	refused map[string]memory
	returns []giveBack
}

// giveBack is an accepted Return and its answer.
type giveBack struct {
	ask   stock.Return
	order stock.Order
}

// adjustment is an accepted Adjust, when it was, and its answer.
type adjustment struct {
	ask stock.Adjust
	at  stock.Time
	sku stock.SKU
}

func (s *sku) clone() *sku {
	clone := *s
	clone.gone = maps.Clone(s.gone)
	clone.refused = maps.Clone(s.refused)
	clone.done = maps.Clone(s.done)
	clone.copies = maps.Clone(s.copies)
	clone.adjusted = slices.Clone(s.adjusted)
	clone.rows = slices.Clone(s.rows)
	for i, r := range clone.rows {
		row := *r
		row.refused = maps.Clone(r.refused)
		row.returns = slices.Clone(r.returns)
		clone.rows[i] = &row
	}
	return &clone
}

// add gives the next counter to a new row.
func (s *sku) add(epoch uint16, o stock.Order, fence bool) *row {
	s.last++
	o.ID = stock.OrderID{Epoch: epoch, Partition: stock.PartitionOf(s.row.SKU), SKU: s.row.Number, Counter: s.last}
	r := &row{fence: fence, first: o, order: o, refused: map[string]memory{}}
	s.rows = append(s.rows, r)
	return r
}

// byKey returns the order or fence that has a key, or nil.
func (s *sku) byKey(k scope) *row {
	for _, r := range s.rows {
		if (scope{r.order.Caller, r.order.Key}) == k {
			return r
		}
	}
	return nil
}

// used counts the units in a user's open, held and confirmed orders.
func (s *sku) used(user string) int64 {
	n := s.gone[user]
	for _, r := range s.rows {
		if !r.fence && r.order.User == user && (r.waits() || r.order.State == stock.StateConfirmed) {
			n += r.order.Qty - r.order.ReturnedQty
		}
	}
	return n
}

// waiting counts the open and held orders.
func (s *sku) waiting() (n int64) {
	for _, r := range s.rows {
		if r.waits() {
			n++
		}
	}
	return n
}

// earliest returns the waiting order with the least (ExpiresAt, Counter), or nil.
func (s *sku) earliest() *row {
	var first *row
	for _, r := range s.rows {
		if r.waits() && (first == nil || r.order.ExpiresAt < first.order.ExpiresAt) {
			first = r
		}
	}
	return first
}

// releaseNext expires the earliest waiting order if it is due, and reports whether it did.
func (s *sku) releaseNext(at stock.Position) bool {
	r := s.earliest()
	if r == nil || !r.due(at.Now) {
		return false
	}
	s.release(r, at)
	return true
}

func (s *sku) release(r *row, at stock.Position) {
	s.letGo(r, at)
	r.order.State = stock.StateExpired
	r.order.ExpiredAt = r.order.ExpiresAt
	r.touch(at)
}

// letGo makes the units of a held order available again; an open one holds none.
func (s *sku) letGo(r *row, at stock.Position) {
	if r.order.State == stock.StateHeld {
		s.row.Held -= r.order.Qty
		s.row.Available += r.order.Qty
		s.touch(at)
	}
}

// short returns the refusal for a want of stock.
func (s *sku) short() stock.Outcome {
	switch {
	case s.row.Available > 0:
		return refuseWith(stock.InsufficientStock, stock.Detail{Available: s.row.Available})
	case s.row.Held > 0:
		return refuseWith(stock.SoldOutPending, stock.Detail{Held: s.row.Held, NextReleaseAt: s.earliest().order.ExpiresAt})
	}
	return refuse(stock.SoldOut)
}

// touch notes that the SKU as operators see it changed.
func (s *sku) touch(at stock.Position) { s.row.Version = at.Index }

func (s *sku) answer() stock.Outcome {
	row := s.row
	return stock.Outcome{Code: stock.OK, SKU: &row}
}

func (r *row) waits() bool {
	return r.order.State == stock.StateOpen || r.order.State == stock.StateHeld
}

func (r *row) due(now stock.Time) bool { return r.waits() && r.order.ExpiresAt <= now }

func (r *row) touch(at stock.Position) { r.order.UpdatedAt, r.order.Version = at.Now, at.Index }

func (r *row) answer() stock.Outcome {
	order := r.order
	return stock.Outcome{Code: stock.OK, Order: &order}
}
