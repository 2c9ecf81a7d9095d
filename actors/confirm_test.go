package actors

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/stock"
)

// Rule R9: what rests on the applied state leaves after a leadership check that began after it was found.

// soldOut starts a node with other voters and a SKU whose only unit is held by order "first".
func soldOut(t *testing.T, hot bool, change func(*ReplicaConfig)) (*node, *peers, *stock.Order) {
	t.Helper()
	p := newPeers(false)
	n := start(t, func(c *ReplicaConfig) {
		withPeers(p)(c)
		if change != nil {
			change(c)
		}
	})
	n.must(spec("shoe", 1, hot))
	order := n.must(place("shoe", "a", "first")).Order
	n.settled()
	return n, p, order
}

// findings are requests that the applied state answers, with the answers.
func findings(first *stock.Order) map[string]struct {
	req  stock.Request
	want stock.Code
} {
	type row = struct {
		req  stock.Request
		want stock.Code
	}
	missing := first.ID
	missing.Counter = 99
	other := place("shoe", "a", "first")
	other.Qty = 2
	many := place("shoe", "b", "many")
	many.Qty = 11
	return map[string]row{
		"sold out":         {place("shoe", "b", "b"), stock.SoldOutPending},
		"quantity":         {many, stock.QtyAboveMax},
		"no such SKU":      {place("hat", "b", "b"), stock.SKUNotFound},
		"no such order":    {&stock.Cancel{Order: missing}, stock.OrderNotFound},
		"key known":        {place("shoe", "a", "first"), stock.OK},
		"key reused":       {other, stock.IdempotencyKeyReused},
		"an order":         {&stock.GetOrder{Order: first.ID}, stock.OK},
		"no order":         {&stock.GetOrder{Order: missing}, stock.OrderNotFound},
		"an outcome":       {&stock.GetOutcome{SKU: "shoe", Key: "first"}, stock.OK},
		"no outcome":       {&stock.GetOutcome{SKU: "shoe", Key: "never"}, stock.OutcomeNotSeen},
		"a SKU":            {&stock.GetSKU{SKU: "shoe"}, stock.OK},
		"a SKU not there":  {&stock.GetSKU{SKU: "hat"}, stock.SKUNotFound},
		"outcome, no SKU":  {&stock.GetOutcome{SKU: "hat", Key: "k"}, stock.SKUNotFound},
		"order, no SKU":    {&stock.GetOrder{Order: stock.OrderID{SKU: 7, Counter: 1}}, stock.OrderNotFound},
		"a change, no SKU": {&stock.Freeze{SKU: "hat", Frozen: true}, stock.SKUNotFound},
	}
}

// each finding in a bubble of its own, before a majority that says nothing by itself.
func eachFinding(t *testing.T, test func(t *testing.T, n *node, p *peers, req stock.Request, code stock.Code)) {
	for _, hot := range []bool{false, true} {
		for name := range findings(&stock.Order{}) {
			t.Run(fmt.Sprintf("hot=%v/%s", hot, name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n, p, first := soldOut(t, hot, nil)
					defer n.close()
					p.mute(true)
					row := findings(first)[name]
					test(t, n, p, row.req, row.want)
				})
			})
		}
	}
}

// Nothing that the applied state answers leaves before a majority has answered what was sent later; what was under way says nothing.
func TestFindingsWaitForACheck(t *testing.T) {
	eachFinding(t, func(t *testing.T, n *node, p *peers, req stock.Request, code stock.Code) {
		early, before := p.send(), p.prompted()
		answer := n.begin(context.Background(), req)
		synctest.Wait()
		p.answer(early, 1)
		p.answer(p.last()+100, 7) // in another term
		if decidedYet(t, answer) {
			t.Fatalf("%v left unconfirmed", (<-answer).Code)
		}
		if got := p.prompted() - before; got != 1 {
			t.Errorf("%d prompts", got)
		}
		p.answer(p.last(), 1)
		want(t, "confirmed", <-answer, code)
	})
}

// A check that is not to be had before the term is over means that nothing was executed, whether raft says that it is over or a look finds out.
func TestTermEndsBeforeTheCheck(t *testing.T) {
	for _, signal := range []bool{true, false} {
		t.Run(fmt.Sprintf("signal=%v", signal), func(t *testing.T) {
			eachFinding(t, func(t *testing.T, n *node, p *peers, req stock.Request, _ stock.Code) {
				answer := n.begin(context.Background(), req)
				synctest.Wait()
				n.log.enter(2, false)
				if signal {
					n.replica.Follow(1)
				} else {
					p.answer(p.last(), 2)
				}
				want(t, "unconfirmed", <-answer, stock.NoLeader)
				synctest.Wait()
				if n.replica.Term() != 0 {
					t.Errorf("term %d is open after a check failed", n.replica.Term())
				}
				if got, _ := reading(t, n.system.metrics.unconfirmed); got != 0 {
					t.Errorf("%v answers wait for a check", got)
				}
			})
		})
	}
}

// A copy of a command may be in the log: when its check is not to be had, its caller cannot be told that nothing was executed.
func TestUnconfirmedCopyIsUnknown(t *testing.T) {
	for _, leaves := range []bool{true, false} {
		eachTemperature(t, func(t *testing.T, hot bool) {
			synctest.Test(t, func(t *testing.T) {
				n, p, _ := soldOut(t, hot, nil)
				defer n.close()
				p.mute(true)
				again := place("shoe", "a", "first")
				again.Retry = true
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				copied, fresh := n.begin(ctx, again), n.begin(ctx, place("shoe", "b", "fresh"))
				synctest.Wait()
				if leaves {
					advance(2 * time.Second)
					want(t, "the fresh one", <-fresh, stock.DeadlineExceeded)
				} else {
					n.depose(2)
					want(t, "the fresh one", <-fresh, stock.NoLeader)
				}
				want(t, "the copy", <-copied, stock.OutcomeUnknown)
				n.depose(2)
			})
		})
	}
}

// A crowd shares checks: what comes while one is under way waits for the next, however many they are.
func TestCrowdSharesChecks(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			const crowd = 5000
			n, p, _ := soldOut(t, hot, nil)
			defer n.close()
			p.mute(true)
			before := p.prompted()
			var answers []<-chan stock.Outcome
			ask := func(round int) {
				for i := range crowd {
					key := fmt.Sprint(round, "-", i)
					answers = append(answers, n.begin(context.Background(), place("shoe", key, key)))
				}
				synctest.Wait()
			}
			ask(0)
			ask(1)
			if got := p.prompted() - before; got != 1 {
				t.Errorf("%d prompts while nobody answers", got)
			}
			if got, _ := reading(t, n.system.metrics.unconfirmed); got != 2*crowd {
				t.Errorf("%v answers wait for a check", got)
			}
			p.mute(false)
			p.answer(p.last(), 1)
			for _, a := range answers {
				want(t, "one of a crowd", <-a, stock.SoldOutPending)
			}
			if got := p.prompted() - before; got > 3 {
				t.Errorf("%d prompts for two crowds", got)
			}
		})
	})
}

// What waits for a check counts as pending: beyond the bound nobody else is let in.
func TestUnconfirmedIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, p, _ := soldOut(t, false, func(c *ReplicaConfig) { c.MaxTokens = 3 })
		defer n.close()
		p.mute(true)
		a := n.inOrder(context.Background(), place("shoe", "b", "1"), place("shoe", "b", "2"), place("shoe", "b", "3"))
		if out := n.do(place("shoe", "b", "4")); out.Code != stock.Overloaded || out.Detail.Bound != boundPending {
			t.Errorf("%v %+v", out.Code, out.Detail)
		}
		p.mute(false)
		p.answer(p.last(), 1)
		for _, answer := range a {
			want(t, "within the bound", <-answer, stock.SoldOutPending)
		}
	})
}

// An entry that was proposed after something was found, and committed in the same term, is a check: under load refusals ride on the entries. One
// that was on its way already is not.
func TestRefusalRidesOnAnEntry(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n, p, _ := soldOut(t, hot, func(c *ReplicaConfig) { c.MaxOutstanding = 1 })
			defer n.close()
			n.must(spec("hat", 10, false))
			p.mute(true)
			release, waiting := n.log.hold()
			early := n.begin(context.Background(), place("hat", "a", "early"))
			n.eventually("an entry is on its way", func() bool { return waiting.Load() == 1 })
			refused := n.begin(context.Background(), place("shoe", "b", "refused"))
			synctest.Wait()
			release()
			want(t, "the entry", <-early, stock.OK)
			if decidedYet(t, refused) {
				t.Fatal("an entry from before the decision confirmed it")
			}
			want(t, "a later entry", n.do(place("hat", "a", "later")), stock.OK)
			want(t, "refused", <-refused, stock.SoldOutPending)
			if got, _ := reading(t, n.system.metrics.checks[byEntry]); got != 1 {
				t.Errorf("%v checks by entries", got)
			}
		})
	})
}

// A copy that joined an order is refused with it only after a check of its own: the refusal holds at the order's place in the log, and that may be
// before the copy came. An acceptance is true whoever leads.
func TestJoinedCopyWaitsForACheck(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		for _, units := range []int64{1, 2} {
			synctest.Test(t, func(t *testing.T) {
				p := newPeers(false)
				n := start(t, withPeers(p))
				defer n.close()
				n.must(spec("shoe", units, hot))
				n.must(place("shoe", "a", "first"))
				n.settled()
				p.mute(true)
				release, _ := n.log.hold()
				second := place("shoe", "b", "second")
				second.Retry = true // decided by the log
				a := n.inOrder(context.Background(), second, place("shoe", "b", "second"))
				release()
				if units == 2 {
					want(t, "the order", <-a[0], stock.OK)
					want(t, "its copy", <-a[1], stock.OK)
					return
				}
				want(t, "the order", <-a[0], stock.SoldOutPending)
				if decidedYet(t, a[1]) {
					t.Fatalf("the copy is told %v", (<-a[1]).Code)
				}
				p.answer(p.last(), 1)
				want(t, "its copy", <-a[1], stock.SoldOutPending)
			})
		}
	})
}

// Scenario 2: a leader is cut off; answers to what it sent before arrive one by one. Another leader frees the last unit meanwhile. No buyer is told
// that it is sold out.
func TestOldAnswersDoNotConfirm(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n, p, _ := soldOut(t, hot, nil)
			defer n.close()
			p.mute(true)
			var late []uint64
			for range 20 {
				late = append(late, p.send())
			}
			var answers []<-chan stock.Outcome
			for i, number := range late {
				answers = append(answers, n.begin(context.Background(), place("shoe", fmt.Sprint(i), fmt.Sprint(i))))
				synctest.Wait()
				p.answer(number, 1)
				for j, a := range answers {
					if decidedYet(t, a) {
						t.Fatalf("buyer %d was told %v on an answer from before", j, (<-a).Code)
					}
				}
			}
			n.depose(2)
			for _, a := range answers {
				want(t, "a buyer at the old leader", <-a, stock.NoLeader)
			}
		})
	})
}

// Scenario 3: leadership goes A -> B -> A within one message of the shard's actor, and the signals are late or lost. What the old term found is not
// confirmed by answers of the new one, nor by its entries.
func TestFindingsOfAnEarlierTermAreWithdrawn(t *testing.T) {
	for _, signal := range []bool{true, false} {
		eachTemperature(t, func(t *testing.T, hot bool) {
			synctest.Test(t, func(t *testing.T) {
				n, p, _ := soldOut(t, hot, nil)
				defer n.close()
				p.mute(true)
				parked := n.begin(context.Background(), place("shoe", "b", "1"))
				synctest.Wait()
				resume := n.stallAll()
				inBox := n.begin(context.Background(), place("shoe", "c", "2"))
				synctest.Wait()
				n.elect(3, signal)
				p.mute(false)
				p.answer(p.send(), 3)
				synctest.Wait()
				resume()
				want(t, "found in the old term", <-parked, stock.NoLeader)
				if out := <-inBox; out.Code != stock.NoLeader && out.Code != stock.SoldOutPending {
					t.Errorf("read in between: %v", out.Code)
				}
				n.eventually("the new term opens", func() bool { return n.replica.Term() == 3 })
				want(t, "in the new term", n.do(place("shoe", "d", "3")), stock.SoldOutPending)
			})
		})
	}
}

// A leader is paused between what it found and the check: when it goes on another leads, and the answers to what it sent since are of another term.
func TestPausedLeader(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n, p, first := soldOut(t, hot, nil)
			defer n.close()
			resume := n.stallAll()
			a := []<-chan stock.Outcome{
				n.begin(context.Background(), place("shoe", "b", "1")), n.begin(context.Background(), &stock.GetOrder{Order: first.ID}),
			}
			synctest.Wait()
			advance(10 * time.Second)
			p.mute(true)
			resume()
			synctest.Wait()
			p.answer(p.last(), 2)
			for _, answer := range a {
				if decidedYet(t, answer) {
					t.Fatalf("told %v", (<-answer).Code)
				}
			}
			n.depose(2)
			for _, answer := range a {
				want(t, "asked before the pause", <-answer, stock.NoLeader)
			}
		})
	})
}

// A caller's time is up while what was found for it waits, at the very moment in which the check ends, or the term: it is told one thing, and its
// token comes back once.
func TestDeadlineRacesTheCheck(t *testing.T) {
	codes := make(map[stock.Code]int)
	for i := range 60 {
		synctest.Test(t, func(t *testing.T) {
			n, p, _ := soldOut(t, i%2 == 0, nil)
			defer n.close()
			p.mute(true)
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			var answers []<-chan stock.Outcome
			for k := range 20 {
				answers = append(answers, n.begin(ctx, place("shoe", "b", fmt.Sprint(k))))
			}
			synctest.Wait()
			<-time.After(time.Second - time.Duration(i%3-1)*time.Nanosecond)
			if i%4 < 2 {
				p.answer(p.last(), 1)
			} else {
				n.depose(2)
			}
			for _, a := range answers {
				codes[(<-a).Code]++
			}
			n.log.enter(3, false)
			n.replica.Follow(2)
		})
	}
	for code := range codes {
		if code != stock.SoldOutPending && code != stock.DeadlineExceeded && code != stock.NoLeader {
			t.Errorf("%v", codes)
		}
	}
	if codes[stock.DeadlineExceeded] == 0 || len(codes) < 2 {
		t.Errorf("vacuous: %v", codes)
	}
}

// A replica that closes leaves nobody waiting.
func TestCloseWithFindings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, p, _ := soldOut(t, true, nil)
		p.mute(true)
		a := n.begin(context.Background(), place("shoe", "b", "1"))
		synctest.Wait()
		n.shut()
		want(t, "closed", <-a, stock.NoLeader)
		if left := n.replica.tokens.Load(); left != 0 {
			t.Errorf("%d tokens are out", left)
		}
	})
}

// With fast refusals an order is refused at once, and the answer says so. All else waits as ever.
func TestFastRefusals(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n, p, first := soldOut(t, hot, func(c *ReplicaConfig) { c.FastRefusals = true })
			defer n.close()
			p.mute(true)
			fast := 0
			for name, row := range findings(first) {
				answer := n.begin(context.Background(), row.req)
				_, order := row.req.(*stock.Place)
				if order = order && row.want != stock.OK; decidedYet(t, answer) != order {
					t.Errorf("%s: at once: %v", name, !order)
				}
				if !order {
					p.answer(p.last(), 1)
				} else {
					fast++
				}
				out := <-answer
				want(t, name, out, row.want)
				if out.Unconfirmed != order {
					t.Errorf("%s is marked: %v", name, out.Unconfirmed)
				}
			}
			if got, _ := reading(t, n.system.metrics.fast); got != float64(fast) || fast < 3 {
				t.Errorf("%v fast refusals of %d", got, fast)
			}
		})
	})
}

// What says nothing about the state leaves without a check: a leader that nobody answers still says that it is full.
func TestRefusalsThatSayNothingNeedNoCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, p, _ := soldOut(t, false, func(c *ReplicaConfig) { c.MaxParked = 1 })
		defer n.close()
		p.mute(true)
		n.must(spec("hat", 1, false))
		release, _ := n.log.hold()
		a := n.inOrder(context.Background(), place("hat", "a", "claims"), place("hat", "b", "parked"))
		want(t, "a full park", n.do(place("hat", "c", "c")), stock.Overloaded)
		p.mute(false)
		release()
		want(t, "claims", <-a[0], stock.OK)
		want(t, "parked", <-a[1], stock.SoldOutPending)
	})
}

// The only voter needs no check, and prompts nobody.
func TestTheOnlyVoterAnswersAtOnce(t *testing.T) {
	n := start(t, nil)
	defer n.close()
	n.must(spec("shoe", 0, false))
	want(t, "sold out", n.do(place("shoe", "a", "1")), stock.SoldOut)
	n.settled()
	for how, c := range n.system.metrics.checks {
		if got, _ := reading(t, c); got != 0 {
			t.Errorf("%v checks ended as %s", got, resultNames[how])
		}
	}
	// It does not lead in the term any more, which nobody has told it yet.
	n.log.enter(2, false)
	want(t, "no leader any more", n.do(place("shoe", "a", "2")), stock.NoLeader)
	n.eventually("the failed check closes the term", func() bool { return n.replica.Term() == 0 })
}
