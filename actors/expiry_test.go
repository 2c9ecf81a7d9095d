package actors

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/stock"
)

// Tests of time run in virtual time: what takes no waiting takes no time.

func holdSpec(sku string, units int64, ttl time.Duration, hot bool) *stock.Create {
	c := spec(sku, units, hot)
	c.Spec.HoldTTLMS = ttl.Milliseconds()
	return c
}

const releaseLag = 50 * time.Millisecond

// expired fails unless an order left within the promised time of its deadline, by log time and by the clock on the wall.
func (n *node) expired(o *stock.Order) {
	n.t.Helper()
	now := n.must(&stock.GetOrder{Order: o.ID}).Order
	if now.State != stock.StateExpired {
		n.t.Fatalf("order of %v is %v at %v", o.ExpiresAt.Std(), now.State, time.Now())
	}
	if late := time.Duration(now.UpdatedAt-o.ExpiresAt) * time.Millisecond; late < 0 || late > releaseLag {
		n.t.Fatalf("released %v after its deadline, by log time", late)
	}
}

func (n *node) expiries() int { return n.log.count(n.t, isA[*stock.Expire]) }

func TestIdleHoldIsReleasedAtItsDeadline(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			n.must(holdSpec("shoe", 10, time.Minute, hot))
			first := n.must(place("shoe", "a", "1")).Order
			advance(10 * time.Second)
			second := n.must(place("shoe", "b", "2")).Order
			for i, o := range []*stock.Order{first, second} {
				advance(time.Until(o.ExpiresAt.Std()) - time.Millisecond)
				if held := n.available("shoe").Held; held != int64(2-i) {
					t.Fatalf("%d held before deadline %d", held, i)
				}
				advance(releaseLag)
				if held := n.available("shoe").Held; held != int64(1-i) {
					t.Fatalf("%d held after deadline %d", held, i)
				}
				n.expired(o)
			}
			if n.expiries() != 2 {
				t.Errorf("%d expiries proposed for 2 holds", n.expiries())
			}
		})
	})
}

// advance lets virtual time pass, and everything that happens in it.
func advance(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// Holds of many SKUs leave in time while a crowd keeps other SKUs, and their own, busy.
func TestLoadedHoldsAreReleasedAtTheirDeadlines(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			n.log.slow(2 * time.Millisecond)
			n.must(spec("busy", 1_000_000, hot))
			var orders []*stock.Order
			for i := range 40 {
				sku := fmt.Sprint("shoe", i)
				n.must(holdSpec(sku, 5, time.Second, hot))
				orders = append(orders, n.must(place(sku, "a", "1")).Order)
			}
			over := time.Now().Add(2 * time.Second)
			var wg sync.WaitGroup
			for w := range 8 {
				wg.Go(func() {
					for i := 0; time.Now().Before(over); i++ {
						n.must(place("busy", fmt.Sprint(w), fmt.Sprint(w, "-", i)))
						// A confirm of what is due, or an order that needs it, may come first; it must not lose the others.
						if i%50 == 0 {
							n.do(&stock.Confirm{Order: orders[(w+i)%8].ID, PaymentID: "p"})
						}
					}
				})
			}
			wg.Wait()
			for _, o := range orders[8:] {
				n.expired(o)
			}
		})
	})
}

// 50,000 holds fall due at one instant. They leave in batches, and others do not wait behind them.
func TestManyHoldsFallDueAtOnce(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			const holds = 50_000
			n := start(t, nil)
			defer n.close()
			n.must(holdSpec("shoe", holds, time.Minute, hot))
			n.must(spec("hat", 1000, false))
			reqs := make([]stock.Request, holds)
			for i := range reqs {
				reqs[i] = place("shoe", "u", fmt.Sprint("k", i))
			}
			for _, out := range n.gateway.DoAll(context.Background(), reqs) {
				want(t, "hold", out, stock.OK)
			}
			due := n.available("shoe").Held
			if due != holds {
				t.Fatalf("%d held", due)
			}
			n.log.slow(time.Millisecond / 2)
			advance(time.Minute - 10*time.Millisecond)
			over := time.Now().Add(releaseLag + 10*time.Millisecond)
			between := 0
			for i := 0; time.Now().Before(over); i++ {
				n.must(place("hat", "u", fmt.Sprint("h", i)))
				if held := n.available("shoe").Held; held > 0 && held < holds {
					between++
				}
			}
			if a := n.available("shoe"); a.Held != 0 || a.Available != holds {
				t.Errorf("still held: %+v", a)
			}
			if between < 5 {
				t.Errorf("vacuous: %d orders while holds were leaving", between)
			}
			n.largestRelease(1024)
			n.sameAsReplay()
		})
	})
}

// largestRelease replays the log and fails when one Expire released more than the bound.
func (n *node) largestRelease(bound int64) {
	n.t.Helper()
	book, most := stock.NewBook(), int64(0)
	n.log.each(n.t, func(index uint64, h stock.Header, c stock.Command, _ bool) {
		at := book.Begin(h, index)
		e, expiry := c.(*stock.Expire)
		if !expiry {
			book.Apply(at, c)
			return
		}
		before := book.Owner(e).Ledger.View().Held
		book.Apply(at, c)
		most = max(most, before-book.Owner(e).Ledger.View().Held)
	})
	if most > bound || most == 0 {
		n.t.Errorf("one Expire released %d holds", most)
	}
}

// An order that only due holds stand against is parked until they are released, and accepted then.
func TestOrderWaitsForDueHolds(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			n.must(holdSpec("shoe", 3, time.Second, hot))
			for i := range 3 {
				n.must(place("shoe", "early", fmt.Sprint("e", i)))
			}
			want(t, "before the deadline", n.do(place("shoe", "late", "l0")), stock.SoldOutPending)
			// The release is slow: it is under way when the orders come.
			n.log.slow(20 * time.Millisecond)
			advance(time.Second)
			waiting := 0
			n.desks(func(d *desk) { waiting += d.window.Parked() })
			if waiting != 0 {
				t.Fatalf("%d parked before anybody came", waiting)
			}
			answers := make([]<-chan stock.Outcome, 4)
			for i := range answers {
				answers[i] = n.begin(context.Background(), place("shoe", "late", fmt.Sprint("l", i)))
			}
			synctest.Wait()
			n.desks(func(d *desk) { waiting += d.window.Parked() })
			if waiting == 0 {
				t.Error("vacuous: nobody was parked")
			}
			accepted := 0
			for _, answer := range answers {
				out := <-answer
				if out.Code == stock.OK {
					accepted++
				} else {
					want(t, "the fourth of three", out, stock.SoldOutPending)
				}
			}
			if accepted != 3 {
				t.Errorf("%d accepted of 3 released", accepted)
			}
		})
	})
}

// While a release is on its way no second one is proposed, however often the actor has a turn meanwhile.
func TestReleaseUnderWayIsNotProposedAgain(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			n.must(holdSpec("shoe", 3, time.Second, hot))
			o := n.must(place("shoe", "a", "1")).Order
			release, waiting := n.log.hold()
			advance(time.Second)
			for range 20 {
				n.must(&stock.GetSKU{SKU: "shoe"})
				advance(time.Millisecond)
			}
			if waiting.Load() != 1 {
				t.Fatalf("vacuous: %d proposals under way", waiting.Load())
			}
			release()
			synctest.Wait()
			n.expired(o)
			if n.expiries() != 1 {
				t.Errorf("%d expiries proposed for one hold", n.expiries())
			}
		})
	})
}

// The release of due holds is lost; it is proposed again.
func TestLostExpiryIsProposedAgain(t *testing.T) {
	for _, lost := range []error{stock.ErrNotExecuted, stock.ErrUnknown} {
		eachTemperature(t, func(t *testing.T, hot bool) {
			synctest.Test(t, func(t *testing.T) {
				n := start(t, nil)
				defer n.close()
				n.must(holdSpec("shoe", 3, time.Second, hot))
				o := n.must(place("shoe", "a", "1")).Order
				n.must(place("shoe", "b", "2"))
				left := n.log.lose(3, lost)
				advance(time.Second + releaseLag)
				n.expired(o)
				if left.Load() > 0 {
					t.Error("vacuous: nothing was lost")
				}
			})
		})
	}
}

// While raft refuses at once, the release is proposed now and then, not as fast as the machine can.
func TestRefusedExpiryDoesNotSpin(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			n.must(holdSpec("shoe", 3, time.Second, hot))
			o := n.must(place("shoe", "a", "1")).Order
			refused := n.log.lose(1<<40, stock.ErrNotExecuted)
			advance(2 * time.Second)
			if tries := 1<<40 - refused.Load(); tries < 50 || tries > 200 {
				t.Errorf("%d tries in a second", tries)
			}
			n.log.decide(func([]byte) (bool, error) { return true, nil })
			advance(releaseLag)
			if now := n.must(&stock.GetOrder{Order: o.ID}).Order; now.State != stock.StateExpired {
				t.Errorf("%v", now.State)
			}
		})
	})
}

// A hold that was settled before its deadline wakes nobody, and a shard with nothing due writes nothing.
func TestSettledHoldsWakeNobody(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			n.must(holdSpec("shoe", 300, time.Minute, hot))
			n.must(holdSpec("hat", 300, time.Second, false))
			for i := range 100 {
				id := n.must(place("shoe", "a", fmt.Sprint(i))).Order.ID
				if i%2 == 0 {
					n.must(&stock.Cancel{Order: id})
				} else {
					n.must(&stock.Confirm{Order: id, PaymentID: "p"})
				}
				advance(10 * time.Millisecond)
			}
			before := n.log.length()
			advance(time.Hour)
			if after := n.log.length(); after != before {
				t.Errorf("%d entries in an idle hour", after-before)
			}
		})
	})
}

// A new term takes the deadlines over; the old one's alarms are off.
func TestDeadlinesOutliveTerms(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			n.must(holdSpec("shoe", 3, time.Minute, hot))
			first := n.must(place("shoe", "a", "1")).Order
			n.depose(2)
			advance(2 * time.Minute)
			if a := n.available("shoe"); a.Held != 1 || n.expiries() != 0 {
				t.Fatalf("a follower released a hold: %+v", a)
			}
			n.elect(3, true)
			opened := time.Now()
			advance(releaseLag)
			now := n.must(&stock.GetOrder{Order: first.ID}).Order
			if now.State != stock.StateExpired || now.UpdatedAt.Std().Sub(opened) > releaseLag {
				t.Fatalf("%v since %v, opened at %v", now.State, now.UpdatedAt.Std(), opened)
			}
			second := n.must(place("shoe", "a", "2")).Order
			// From leader to leader within one turn of the actors.
			for term := uint64(4); term < 10; term++ {
				n.elect(term, term%2 == 0)
			}
			n.eventually("the last term opens", func() bool { return n.replica.Term() == 9 })
			advance(time.Until(second.ExpiresAt.Std()) + releaseLag)
			n.expired(second)
		})
	})
}
