package actors

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"holdfast/stock"
)

// sink is storage as rule R26 has it: rows are written when their version is higher than what stands there.
type sink struct {
	orders map[stock.OrderID]stock.Order
	skus   map[uint32]stock.SKU
	cursor uint64
	// history keeps, for each cursor, the rows as they stood in the sink.
	history map[uint64]map[stock.OrderID]uint64
}

func newSink() *sink {
	return &sink{
		orders: make(map[stock.OrderID]stock.Order), skus: make(map[uint32]stock.SKU), history: make(map[uint64]map[stock.OrderID]uint64),
	}
}

// take asks for changes once and writes them. It reports whether there was anything new.
func (s *sink) take(t testing.TB, r *Replica, limit int) bool {
	t.Helper()
	c, err := r.Changes(context.Background(), s.cursor, limit)
	if err != nil {
		t.Fatal(err)
	}
	if c.UpTo < s.cursor {
		t.Fatalf("UpTo went back from %d to %d", s.cursor, c.UpTo)
	}
	for _, o := range c.Orders {
		if o.Version > s.orders[o.ID].Version {
			s.orders[o.ID] = o
		}
	}
	for _, k := range c.SKUs {
		if old, ok := s.skus[k.Number]; !ok || k.Version > old.Version {
			s.skus[k.Number] = k
		}
	}
	moved := c.UpTo > s.cursor
	s.cursor = c.UpTo
	versions := make(map[stock.OrderID]uint64, len(s.orders))
	for id, o := range s.orders {
		versions[id] = o.Version
	}
	s.history[s.cursor] = versions
	return moved || len(c.Orders)+len(c.SKUs) > 0
}

// check fails unless the sink ends with exactly the rows of the log, and at every cursor on the way had every row up to it, but for those that
// changed again afterwards: they come with their last change.
func (s *sink) check(t testing.TB, l *testLog) {
	t.Helper()
	orders, skus := rows(l.replay(t, stock.NewBook(), 0))
	if len(orders) == 0 || len(orders) != len(s.orders) || len(skus) != len(s.skus) {
		t.Errorf("%d orders and %d SKUs in the log, %d and %d in the sink", len(orders), len(skus), len(s.orders), len(s.skus))
	}
	for id, o := range orders {
		if s.orders[id] != o {
			t.Errorf("the sink has %+v, the log %+v", s.orders[id], o)
			break
		}
	}
	for number, k := range skus {
		if s.skus[number] != k {
			t.Errorf("the sink has %+v, the log %+v", s.skus[number], k)
		}
	}
	final := orders
	book, at := stock.NewBook(), uint64(0)
	for _, cursor := range slices.Sorted(maps.Keys(s.history)) {
		l.replayTo(t, book, at, cursor)
		at = cursor
		orders, _ := rows(book)
		for id, o := range orders {
			if s.history[cursor][id] < o.Version && final[id].Version <= cursor {
				t.Fatalf("at %d the sink has order %v as of %d; it was changed at %d", cursor, id, s.history[cursor][id], o.Version)
			}
		}
	}
}

func rows(b *stock.Book) (map[stock.OrderID]stock.Order, map[uint32]stock.SKU) {
	orders, skus := make(map[stock.OrderID]stock.Order), make(map[uint32]stock.SKU)
	b.Each(func(l *stock.Ledger) {
		for _, o := range l.Orders() {
			orders[o.ID] = o
		}
		skus[l.Number()] = *l.View()
	})
	return orders, skus
}

// Storage follows while orders flow, SKUs become hot and cold, and the journals overflow and are made again.
func TestChangesMissNothing(t *testing.T) {
	for _, c := range []struct {
		name           string
		limit, journal int
		durable        bool
	}{
		{"all at once", 1 << 20, 0, false},
		{"in small pages", 7, 0, true},
		{"a row a time", 1, 0, true},
		{"journals that overflow", 50, 16, true},
		{"journals of one row", 20, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := start(t, func(cfg *ReplicaConfig) { cfg.MaxJournalRows = c.journal })
			defer n.close()
			skus := []string{"a", "b", "c"}
			for i, sku := range skus {
				n.must(spec(sku, 200, i == 0))
			}
			var wg sync.WaitGroup
			for w := range 4 {
				wg.Go(func() { n.traffic(skus, w, 120) })
			}
			wg.Go(func() {
				for i := range 60 {
					n.setHot(skus[i%3], i%2 == 0)
				}
			})
			done := make(chan struct{})
			go func() { wg.Wait(); close(done) }()
			s := newSink()
			for flowing := true; flowing; {
				select {
				case <-done:
					flowing = false
				default:
				}
				s.take(t, n.replica, c.limit)
				if c.durable {
					n.replica.Flushed(s.cursor)
				}
			}
			n.settled()
			for s.take(t, n.replica, c.limit) {
				continue
			}
			if s.cursor != n.replica.Applied() {
				t.Errorf("the cursor stands at %d of %d", s.cursor, n.replica.Applied())
			}
			s.check(t, n.log)
			// A sink that lost everything asks from the beginning.
			again := newSink()
			for again.take(t, n.replica, c.limit) {
				continue
			}
			again.check(t, n.log)
		})
	}
}

// traffic places orders and settles some.
func (n *node) traffic(skus []string, w, count int) {
	for i := range count {
		out := n.do(place(skus[(w+i)%len(skus)], fmt.Sprint("u", w), fmt.Sprint("k", w, "-", i)))
		if out.Code != stock.OK {
			continue
		}
		id := out.Order.ID
		switch i % 5 {
		case 0:
			n.do(&stock.Cancel{Order: id})
		case 1:
			n.do(&stock.Confirm{Order: id, PaymentID: "p"})
		case 2:
			n.do(&stock.Confirm{Order: id, PaymentID: "p"})
			n.do(&stock.Return{Meta: stock.Meta{Key: fmt.Sprint("r", w, "-", i)}, Order: id, Restock: i%2 == 0})
		}
	}
}

// A restored replica gives what the sink does not have yet, and no more is missing after it.
func TestChangesAfterRestore(t *testing.T) {
	n := start(t, nil)
	defer n.close()
	skus := []string{"a", "b"}
	n.must(spec("a", 200, true))
	n.must(spec("b", 200, false))
	n.traffic(skus, 0, 60)
	s := newSink()
	s.take(t, n.replica, 1<<20)
	n.traffic(skus, 1, 60)
	n.settled()
	snapshot := n.snapshot()
	n.depose(2)
	n.restore(snapshot)
	n.elect(3, true)
	n.eventually("it opens", func() bool { return n.replica.Term() == 3 })
	n.traffic(skus, 2, 60)
	n.settled()
	for s.take(t, n.replica, 9) {
		continue
	}
	s.check(t, n.log)
}

// Who keeps no rows asks for none, and learns how far the actors have come; settled orders leave memory by that as by any sink's word.
func TestChangesWithoutRows(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		n := start(t, nil)
		defer n.close()
		n.must(spec("shoe", 5, hot))
		n.must(place("shoe", "a", "1"))
		none, err := n.replica.Changes(t.Context(), 0, 0)
		if err != nil || len(none.Orders)+len(none.SKUs) != 0 {
			t.Fatalf("%+v, %v", none, err)
		}
		n.eventually("all is applied", func() bool { return n.replica.Applied() >= none.UpTo })
		rows, err := n.replica.Changes(t.Context(), 0, 100)
		if err != nil || len(rows.Orders) != 1 || rows.UpTo != none.UpTo {
			t.Errorf("no rows up to %d, but %+v, %v", none.UpTo, rows, err)
		}
	})
}
