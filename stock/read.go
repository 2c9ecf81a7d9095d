package stock

import "fmt"

// Read answers a query from the applied state.
func (l *Ledger) Read(q Request) Outcome {
	switch q := q.(type) {
	case *GetOrder:
		if r := l.order(q.Order); r.state != 0 {
			return Outcome{Code: OK, Order: l.view(q.Order.Counter, &r)}
		}
		return refuse(OrderNotFound)
	case *GetOutcome:
		out, _ := l.outcome(q.Caller, q.Key)
		return out
	case *GetSKU:
		return Outcome{Code: OK, SKU: l.View()}
	}
	panic(fmt.Sprintf("stock: %T is not a query", q))
}

// Live returns how many orders and fences are in memory.
func (l *Ledger) Live() uint64 { return l.rows.live() }

// Orders returns every order in memory, by counter.
func (l *Ledger) Orders() []Order {
	var orders []Order
	for i, r := range l.rows.all() {
		if r.state != stateFence {
			orders = append(orders, *l.view(i+1, r))
		}
	}
	return orders
}
