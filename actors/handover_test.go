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

// The hottest SKU gets and loses its actor every few commands, while everything else that can happen to it happens: joined duplicates, parked
// orders, cancels, confirms, expiries, snapshots, changes, lost proposals and changes of leadership (rule R16).
func TestHandOverOfTheHottestSKU(t *testing.T) {
	for seed := range 3 {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { handOverStorm(t, seed) })
		})
	}
}

func handOverStorm(t *testing.T, seed int) {
	n := start(t, nil)
	defer n.close()
	n.must(holdSpec("shoe", 60, 40*time.Millisecond, false))
	proposals := 0
	n.log.decide(func([]byte) (bool, error) {
		<-time.After(time.Duration(proposals*(seed+1)%7) * 100 * time.Microsecond)
		if proposals++; proposals%23 == 0 {
			return false, stock.ErrNotExecuted
		}
		return true, nil
	})
	a := newAudit()
	over := time.Now().Add(time.Second)
	var wg sync.WaitGroup
	for w := range 10 {
		wg.Go(func() {
			for i := 0; time.Now().Before(over); i++ {
				// Two callers share each key.
				p := place("shoe", fmt.Sprint("u", w/2), fmt.Sprint("k", w/2, "-", i))
				p.Qty = int64(1 + (w/2+i)%3)
				out := n.within(time.Duration(1+i%50)*time.Millisecond, p)
				a.note(p, out)
				switch {
				case out.Code != stock.OK:
					<-time.After(time.Millisecond)
				case i%4 == 0:
					n.do(&stock.Cancel{Order: out.Order.ID})
				case i%16 == 1:
					n.do(&stock.Confirm{Order: out.Order.ID, PaymentID: "p"})
					n.do(&stock.Return{Meta: stock.Meta{Key: "r" + p.Key}, Order: out.Order.ID, Restock: true})
				}
			}
		})
	}
	handOvers := 0
	wg.Go(func() {
		for hot := true; time.Now().Before(over); hot = !hot {
			to := hot
			ok := n.do(&stock.Update{SKU: "shoe", Patch: stock.Patch{Hot: &to}}).Code == stock.OK
			if ok {
				handOvers++
			}
			// In virtual time, an answer that takes no time must not be asked for again at once.
			if !ok || handOvers%3 == 0 {
				<-time.After(700 * time.Microsecond)
			}
		}
	})
	wg.Go(func() { n.disturb(t, over) })
	wg.Wait()
	n.settled()
	advance(time.Second) // until no hold is left that could fall due while the test looks
	a.check(n)
	n.sameAsReplay()
	if handOvers < 50 || n.expiries() < 5 {
		t.Errorf("vacuous: %d hand-overs, %d expiries", handOvers, n.expiries())
	}
}

// disturb takes snapshots, asks for changes and moves leadership.
func (n *node) disturb(t *testing.T, over time.Time) {
	for term := uint64(2); time.Now().Before(over); term++ {
		if _, err := n.replica.Snapshot(); err != nil {
			t.Error(err)
		}
		if _, err := n.replica.Changes(context.Background(), 0, 1<<20); err != nil {
			t.Error(err)
		}
		<-time.After(9 * time.Millisecond)
		n.elect(term, term%2 == 0)
	}
}

// The commands of a SKU reach its ledger in the order of the log, wherever it is. Each index is seen once, and none goes back.
func TestHandOverKeepsTheOrderOfTheLog(t *testing.T) {
	n := start(t, nil)
	defer n.close()
	n.must(spec("shoe", 1_000_000, false))
	var seen []uint64
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					n.must(place("shoe", "u", fmt.Sprint(w, "-", i)))
				}
			}
		})
	}
	for i := range 300 {
		n.setHot("shoe", i%2 == 0)
	}
	close(stop)
	wg.Wait()
	cut, err := n.replica.Changes(context.Background(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	// An order's counter and the entry that made it grow together only when the ledger took its commands in order.
	last := uint64(0)
	byCounter := make(map[uint64]uint64)
	for _, o := range cut.Orders {
		byCounter[o.ID.Counter] = o.Version
	}
	for c := uint64(1); c <= uint64(len(byCounter)); c++ {
		if byCounter[c] < last {
			t.Fatalf("order %d was made at %d, the one before at %d", c, byCounter[c], last)
		}
		last = byCounter[c]
		seen = append(seen, last)
	}
	if len(seen) < 100 {
		t.Errorf("vacuous: %d orders", len(seen))
	}
	n.sameAsReplay()
}

// Requests that were sent to an actor whose SKU is hot no more are passed on while it lives, and answered when it is gone; it goes once nobody
// asked for a while. A thousand hand-overs leave no actor behind.
func TestOldActorsLingerAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		defer n.close()
		n.must(spec("shoe", 1000, true))
		synctest.Wait()
		stale := n.replica.directory.find("shoe").pid.Load()
		n.setHot("shoe", false)
		synctest.Wait()
		send := func(key string) stock.Outcome {
			n.replica.acquire(1)
			g := newGroup(n.replica, []stock.Request{place("shoe", "u", key)})
			n.replica.system.Root.Send(stale, &g.requests[0])
			outs := []stock.Outcome{{}}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			g.wait(ctx, outs)
			return outs[0]
		}
		want(t, "just after", send("1"), stock.OK)
		for i := range 5 {
			advance(lingering * 3 / 4)
			want(t, "while others ask", send(fmt.Sprint("l", i)), stock.OK)
		}
		advance(2*lingering + time.Millisecond)
		want(t, "after it is gone", send("2"), stock.NoLeader)
		before := n.actorsAlive()
		for i := range 1000 {
			n.setHot("shoe", i%2 == 0)
			if i%10 == 0 {
				n.must(place("shoe", "u", fmt.Sprint("k", i)))
			}
		}
		advance(3 * lingering)
		if after := n.actorsAlive(); after != before {
			t.Errorf("%d actors, %d before", after, before)
		}
	})
}

func (n *node) actorsAlive() (alive int) {
	for _, m := range n.replica.system.ProcessRegistry.LocalPIDs.LocalPIDs {
		alive += m.Count()
	}
	return alive
}

// A SKU becomes cold, hot and cold again before its ledger is back from the first time.
func TestHandOverIsAskedForTwiceInLimbo(t *testing.T) {
	n := start(t, func(c *ReplicaConfig) { c.MaxProposalBytes = 4 << 10 })
	defer n.close()
	n.must(spec("shoe", 1000, true))
	for round := range 50 {
		release, _ := n.log.hold()
		var reqs []stock.Request
		for i := range 12 {
			hot := i%2 == 1
			reqs = append(reqs, &stock.Update{SKU: "shoe", Patch: stock.Patch{Hot: &hot}}, place("shoe", "u", fmt.Sprint(round, "-", i)))
		}
		answers := make(chan []stock.Outcome, 1)
		go func() { answers <- n.gateway.DoAll(context.Background(), reqs) }()
		release()
		for i, out := range <-answers {
			want(t, fmt.Sprint("request ", i), out, stock.OK)
		}
	}
	n.sameAsReplay()
}

// A refused change of settings reaches no ledger, wherever it is.
func TestRefusedSettingsReachNoLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		defer n.close()
		n.must(spec("hot", 10, true))
		n.must(spec("cold", 10, false))
		now := n.replica.clock.now()
		propose := func(key string, batch int64, deadline stock.Time) {
			s := stock.DefaultSettings()
			s.ExpiryBatch = batch
			c := &stock.SetSettings{Meta: stock.Meta{Key: key, Deadline: deadline}, Settings: s}
			n.replica.submit([]item{{cmd: c, term: 1}})
			synctest.Wait()
		}
		propose("first", 10, now.Add(60_000))
		propose("second", 20, now.Add(60_000))
		propose("first", 10, now.Add(60_000)) // a late copy
		advance(time.Second)
		propose("late", 30, now.Add(500))
		n.sameAsReplay()
		if got := n.log.replay(t, stock.NewBook(), 0).Settings().ExpiryBatch; got != 20 {
			t.Errorf("vacuous: expiry batch %d", got)
		}
	})
}
