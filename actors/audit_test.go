package actors

import (
	"sync"

	"holdfast/stock"
)

// audit keeps what callers were told of their orders, and holds it against the log.
type audit struct {
	mu    sync.Mutex // guards told
	told  map[string][]stock.Outcome
	codes map[stock.Code]int
}

func newAudit() *audit {
	return &audit{told: make(map[string][]stock.Outcome), codes: make(map[stock.Code]int)}
}

func (a *audit) note(p *stock.Place, out stock.Outcome) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := p.SKU + " " + p.Key
	a.told[key] = append(a.told[key], out)
	a.codes[out.Code]++
}

// check fails unless every accepted order is in the replayed log as it was told, no key with refusals only is, every refusal that names the
// outcome is final, and the counters are those of the orders.
func (a *audit) check(n *node) {
	n.t.Helper()
	placed := make(map[string]stock.Order)
	units := make(map[string]int64)
	book := n.log.replay(n.t, stock.NewBook(), 0)
	book.Each(func(l *stock.Ledger) {
		for _, o := range l.Orders() {
			placed[o.SKU+" "+o.Key] = o
			if o.State == stock.StateHeld || o.State == stock.StateConfirmed {
				units[o.SKU] += o.Qty - o.ReturnedQty
			}
		}
	})
	for key, outs := range a.told {
		o, there := placed[key]
		known := false
		for _, out := range outs {
			switch {
			case out.Code == stock.OK:
				known = true
				if !there || o.ID != out.Order.ID {
					n.t.Errorf("%s was accepted as %v, the log has %v", key, out.Order.ID, o.ID)
				}
			case out.Code == stock.OutcomeUnknown:
				known = true
			}
		}
		if there && !known {
			n.t.Errorf("%s is in the log, told %v", key, outs)
		}
	}
	book.Each(func(l *stock.Ledger) {
		v := l.View()
		if v.Held+v.Sold != units[v.SKU] || v.Available+v.Held+v.Sold != v.Stock || v.Available < 0 {
			n.t.Errorf("%s: %+v, %d units in orders", v.SKU, v, units[v.SKU])
		}
		if at := n.available(v.SKU); at.Available != v.Available || at.Held != v.Held || at.Sold != v.Sold {
			n.t.Errorf("%s is published as %+v, the log has %+v", v.SKU, at, v)
		}
	})
	if a.codes[stock.OK] == 0 {
		n.t.Errorf("vacuous: %v", a.codes)
	}
}
