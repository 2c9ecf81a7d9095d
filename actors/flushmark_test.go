package actors

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/stock"
)

// Settled orders leave memory at a flush mark, when they are in storage and past retention (rule R27).

func shortRetention(c *ReplicaConfig) { c.Init.Settings.RetentionMS = 10_000 }

func (n *node) marks() int { return n.log.count(n.t, isA[*stock.FlushSpan]) }

func TestFlushMarkEvicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, shortRetention)
		defer n.close()
		var settled []stock.OrderID
		for _, sku := range []string{"hot", "cold"} {
			n.must(spec(sku, 100, sku == "hot"))
			for i := range 10 {
				id := n.must(place(sku, "u", fmt.Sprint(i))).Order.ID
				if i < 5 {
					n.must(&stock.Cancel{Order: id})
					settled = append(settled, id)
				}
			}
		}
		advance(time.Minute)
		if n.marks() != 0 {
			t.Fatal("a mark, though nothing is in storage")
		}
		n.replica.Flushed(n.replica.Applied())
		advance(2500 * time.Millisecond)
		if got := n.marks(); got < 1 || got > 2 {
			t.Errorf("%d marks in two seconds for what one evicts", got)
		}
		for _, id := range settled {
			want(t, "a settled order", n.do(&stock.GetOrder{Order: id}), stock.OrderNotFound)
		}
		for _, sku := range []string{"hot", "cold"} {
			if a := n.available(sku); a.Held != 5 || a.Available != 95 {
				t.Errorf("%s: %+v", sku, a)
			}
		}
		n.sameAsReplay()
		// With nothing left to evict, nothing is written.
		before := n.log.length()
		n.replica.Flushed(n.replica.Applied())
		advance(5 * time.Minute)
		if after := n.log.length(); after != before {
			t.Errorf("%d entries while idle", after-before)
		}
	})
}

// Where other sinks must have the rows, too, nothing leaves memory before a leader has heard of them in its own term (rule R27).
func TestFlushMarkWaitsForAllSinks(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, func(c *ReplicaConfig) { shortRetention(c); c.Sinks = true })
			defer n.close()
			n.must(spec("shoe", 100, hot))
			cancelled := func(key string) stock.OrderID {
				id := n.must(place("shoe", "u", key)).Order.ID
				n.must(&stock.Cancel{Order: id})
				return id
			}
			first := cancelled("1")
			n.replica.Flushed(n.replica.Applied())
			advance(time.Minute)
			if n.marks() != 0 {
				t.Fatal("a mark, though nobody asked the others")
			}
			n.replica.FlushedEverywhere(1, n.replica.Applied())
			advance(3 * time.Second)
			want(t, "an order that all sinks have", n.do(&stock.GetOrder{Order: first}), stock.OrderNotFound)

			second := cancelled("2")
			n.replica.FlushedEverywhere(1, n.replica.Applied())
			n.depose(2)
			n.elect(3, true)
			n.eventually("it opens", func() bool { return n.replica.Term() == 3 })
			marks := n.marks()
			advance(time.Minute)
			if n.marks() != marks {
				t.Fatal("a mark by what was found out in an earlier term")
			}
			n.must(&stock.GetOrder{Order: second})
			n.replica.FlushedEverywhere(3, n.replica.Applied())
			advance(3 * time.Second)
			want(t, "the second order", n.do(&stock.GetOrder{Order: second}), stock.OrderNotFound)
		})
	})
}

func TestFlushMarksAreRare(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, func(c *ReplicaConfig) {
				shortRetention(c)
				c.Init.Settings.EvictBatch = 3
			})
			defer n.close()
			n.must(spec("shoe", 1000, hot))
			for i := range 60 {
				n.must(&stock.Cancel{Order: n.must(place("shoe", "u", fmt.Sprint(i))).Order.ID})
			}
			n.replica.Flushed(n.replica.Applied())
			advance(11 * time.Second)
			before := n.marks()
			for range 20 {
				advance(500 * time.Millisecond)
				n.must(place("shoe", "v", fmt.Sprint("load", n.log.length())))
			}
			if got := n.marks() - before; got < 8 || got > 11 {
				t.Errorf("%d marks in ten seconds", got)
			}
			var last stock.Time
			n.log.each(t, func(_ uint64, h stock.Header, c stock.Command, _ bool) {
				if !isA[*stock.FlushSpan](c) {
					return
				}
				if last != 0 && h.Clock-last < 990 {
					t.Errorf("two marks within %d ms", h.Clock-last)
				}
				last = h.Clock
			})
			n.sameAsReplay()
		})
	})
}

// However many SKUs, with and without an actor of their own, have something to evict: one mark for those without, and none twice in a second.
func TestOneFlushMarkForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, shortRetention)
		defer n.close()
		for i := range 6 {
			sku := fmt.Sprint("shoe", i)
			n.must(spec(sku, 10, i%2 == 0))
			n.must(&stock.Cancel{Order: n.must(place(sku, "u", "1")).Order.ID})
		}
		n.replica.Flushed(n.replica.Applied())
		advance(15 * time.Second)
		if n.marks() != 4 {
			t.Errorf("%d marks for three hot SKUs and all the others", n.marks())
		}
		n.sameAsReplay()
	})
}

// Ten thousand SKUs have something to evict at once: the mark comes in pieces that are bounded in SKUs and orders, and soon all are through.
func TestFlushMarkComesInPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const skus, orders = 10_000, 4
		n := start(t, shortRetention)
		defer n.close()
		for from := 0; from < skus; from += 1000 {
			var creates, places []stock.Request
			for i := from; i < from+1000; i++ {
				creates = append(creates, spec(fmt.Sprint("shoe", i), 10, i == 5000))
				for k := range orders {
					p := place(fmt.Sprint("shoe", i), "u", fmt.Sprint(k))
					p.Qty = 1
					places = append(places, p)
				}
			}
			n.gateway.DoAll(context.Background(), creates)
			var cancels []stock.Request
			for _, out := range n.gateway.DoAll(context.Background(), places) {
				cancels = append(cancels, &stock.Cancel{Order: out.Order.ID})
			}
			n.gateway.DoAll(context.Background(), cancels)
		}
		n.settled() // answers leave a little before their entry counts as applied
		n.replica.Flushed(n.replica.Applied())
		advance(14 * time.Second)
		seen, pieces := 0, 0
		n.log.each(t, func(_ uint64, _ stock.Header, c stock.Command, _ bool) {
			if span, ok := c.(*stock.FlushSpan); ok {
				pieces++
				seen += int(span.Last - span.First + 1)
				if most := int(span.Last-span.First+1) * orders; most > 8192+orders {
					t.Errorf("a piece of %d SKUs with %d orders", span.Last-span.First+1, most)
				}
			}
		})
		if seen != skus+1 || pieces < 5 {
			t.Errorf("%d pieces over %d of %d SKUs", pieces, seen, skus)
		}
		left := 0
		if err := n.replica.visit(context.Background(), &mark{
			book:   func(b *stock.Book) { b.Each(func(l *stock.Ledger) { left += len(l.Orders()) }) },
			ledger: func(l *stock.Ledger, _ uint64) { left += len(l.Orders()) },
		}); err != nil || left != 0 {
			t.Errorf("%d orders are left: %v", left, err)
		}
		n.sameAsReplay()
	})
}

// A mark that is lost, and one of a term that ended, are proposed again.
func TestLostFlushMarkIsProposedAgain(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, shortRetention)
			defer n.close()
			n.must(spec("shoe", 1000, hot))
			id := n.must(place("shoe", "u", "1")).Order.ID
			n.must(&stock.Cancel{Order: id})
			n.replica.Flushed(n.replica.Applied())
			left := n.log.lose(2, stock.ErrNotExecuted)
			advance(15 * time.Second)
			if left.Load() > 0 {
				t.Fatal("vacuous: no mark was lost")
			}
			want(t, "the settled order", n.do(&stock.GetOrder{Order: id}), stock.OrderNotFound)
		})
	})
}
