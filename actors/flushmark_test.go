package actors

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/stock"
)

// Settled orders leave memory at a flush mark, when they are in storage and past retention (rule R27).

func shortRetention(c *ReplicaConfig) { c.Init.Settings.RetentionMS = 10_000 }

func (n *node) marks() int { return n.log.count(n.t, isA[*stock.FlushMark]) }

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
				if !isA[*stock.FlushMark](c) {
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

// However many SKUs, with and without an actor of their own, have something to evict in one second: one mark.
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
		if n.marks() != 1 {
			t.Errorf("%d marks for what one evicts", n.marks())
		}
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
