package stocktest

import "holdfast/stock"

// Read answers GetOrder, GetOutcome and GetSKU from the state as it stands; no time passes in a read. Any other request is Internal.
func (o *Oracle) Read(q stock.Request) stock.Outcome {
	switch q := q.(type) {
	case *stock.GetOrder:
		_, r, no := o.findOrder(q.Order)
		if r == nil {
			return no
		}
		return r.answer()
	case *stock.GetSKU:
		s, no := o.find(q.SKU)
		if s == nil {
			return no
		}
		return s.answer()
	case *stock.GetOutcome:
		return o.outcome(q)
	}
	return refuse(stock.Internal)
}

func (o *Oracle) outcome(q *stock.GetOutcome) stock.Outcome {
	s, no := o.find(q.SKU)
	if s == nil {
		return no
	}
	r := s.byKey(scope{q.Caller, q.Key})
	switch {
	case r == nil:
		return refuse(stock.OutcomeNotSeen)
	case r.fence:
		return stock.Outcome{Code: stock.OutcomeFenced}
	}
	order := r.first
	return stock.Outcome{Code: stock.OK, Order: &order}
}

// Counters returns a SKU as it stands, the zero SKU when there is none.
func (o *Oracle) Counters(name string) stock.SKU {
	if s, _ := o.find(name); s != nil {
		return s.row
	}
	return stock.SKU{}
}

// Orders returns the orders in memory, by SKU number and counter. Fences are no orders.
func (o *Oracle) Orders() []stock.Order {
	var orders []stock.Order
	for _, s := range o.skus {
		for _, r := range s.rows {
			if !r.fence {
				orders = append(orders, r.order)
			}
		}
	}
	return orders
}
