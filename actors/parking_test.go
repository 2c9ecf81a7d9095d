package actors

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/stock"
)

// inOrder sends requests one by one, each after the one before has reached its actor.
func (n *node) inOrder(ctx context.Context, reqs ...stock.Request) (answers []<-chan stock.Outcome) {
	for _, r := range reqs {
		answers = append(answers, n.begin(ctx, r))
		synctest.Wait()
	}
	return answers
}

func (n *node) parked() (parked int) {
	n.desks(func(d *desk) { parked += d.window.Parked() })
	return parked
}

func decidedYet(t *testing.T, answer <-chan stock.Outcome) bool {
	t.Helper()
	synctest.Wait()
	return len(answer) > 0
}

// The last unit is claimed by an order that the log has not decided: whoever comes next is told nothing until it has.
func TestTailIsParkedNotRefused(t *testing.T) {
	for _, fate := range []struct {
		name string
		lost error
		want stock.Code
	}{
		{"the claim is accepted", nil, stock.SoldOutPending},
		{"the claim was not executed", stock.ErrNotExecuted, stock.OK},
		{"nobody knows of the claim", stock.ErrUnknown, stock.OK},
	} {
		t.Run(fate.name, func(t *testing.T) {
			eachTemperature(t, func(t *testing.T, hot bool) {
				synctest.Test(t, func(t *testing.T) {
					n := start(t, nil)
					defer n.close()
					n.must(spec("shoe", 1, hot))
					gate := make(chan struct{})
					first := true
					n.log.decide(func([]byte) (bool, error) {
						<-gate
						defer func() { first = false }()
						return !first || fate.lost == nil, fateOf(first, fate.lost)
					})
					answers := n.inOrder(context.Background(), place("shoe", "a", "1"), place("shoe", "b", "2"))
					if len(answers[0])+len(answers[1]) != 0 || n.parked() != 1 {
						t.Fatalf("answered from what is in flight, %d parked", n.parked())
					}
					close(gate)
					want(t, "the second", <-answers[1], fate.want)
				})
			})
		})
	}
}

func fateOf(lost bool, err error) error {
	if lost {
		return err
	}
	return nil
}

// Parked orders are decided in the order they came; a large one in front is not overtaken by small ones that would fit.
func TestLargeOrderIsNotStarved(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			n.must(spec("shoe", 10, hot))
			release, _ := n.log.hold()
			claim, large := place("shoe", "a", "claim"), place("shoe", "b", "large")
			claim.Qty, large.Qty = 4, 7
			reqs := []stock.Request{claim, large}
			for i := range 20 {
				reqs = append(reqs, place("shoe", "c", fmt.Sprint("small", i)))
			}
			answers := n.inOrder(context.Background(), reqs...)
			if n.parked() != 21 {
				t.Fatalf("%d parked; small orders overtook the large one", n.parked())
			}
			release()
			want(t, "claim", <-answers[0], stock.OK)
			want(t, "large", <-answers[1], stock.InsufficientStock)
			for i, answer := range answers[2:] {
				code := stock.OK
				if i >= 6 {
					code = stock.SoldOutPending
				}
				want(t, fmt.Sprint("small ", i), <-answer, code)
			}
		})
	})
}

// The claim before a large order is lost, so the large one gets its units before the small ones that came later.
func TestParkedAreDecidedFirstInFirstOut(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			n.must(spec("shoe", 10, hot))
			gate := make(chan struct{})
			first := true
			n.log.decide(func([]byte) (bool, error) {
				<-gate
				lost := first
				first = false
				return !lost, fateOf(lost, stock.ErrNotExecuted)
			})
			claim, large := place("shoe", "a", "claim"), place("shoe", "b", "large")
			claim.Qty, large.Qty = 4, 10
			answers := n.inOrder(context.Background(), claim, large, place("shoe", "c", "small"))
			close(gate)
			want(t, "claim", <-answers[0], stock.NoLeader)
			want(t, "large", <-answers[1], stock.OK)
			want(t, "small", <-answers[2], stock.SoldOutPending)
		})
	})
}

func TestParkedAreBounded(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, func(c *ReplicaConfig) { c.MaxParked = 5 })
			defer n.close()
			n.must(spec("shoe", 1, hot))
			release, _ := n.log.hold()
			var reqs []stock.Request
			for i := range 10 {
				reqs = append(reqs, place("shoe", fmt.Sprint(i), fmt.Sprint(i)))
			}
			answers := n.inOrder(context.Background(), reqs...)
			for i, answer := range answers {
				if decidedYet(t, answer) != (i > 5) {
					t.Fatalf("order %d answered: %v", i, decidedYet(t, answer))
				}
			}
			release()
			for i, answer := range answers {
				out := <-answer
				switch {
				case i == 0:
					want(t, "first", out, stock.OK)
				case i <= 5:
					want(t, "parked", out, stock.SoldOutPending)
				default:
					want(t, "one too many", out, stock.Overloaded)
					if out.Detail.Bound != "max-parked" {
						t.Errorf("bound %q", out.Detail.Bound)
					}
				}
			}
		})
	})
}

// A parked order whose caller left is skipped, and those that joined it with the same key are not lost.
func TestParkedWhoseCallerLeftAreSkipped(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			n.must(spec("shoe", 1, hot))
			gate := make(chan struct{})
			first := true
			n.log.decide(func([]byte) (bool, error) {
				<-gate
				lost := first
				first = false
				return !lost, fateOf(lost, stock.ErrNotExecuted)
			})
			leaving, leave := context.WithCancel(context.Background())
			claim := n.inOrder(context.Background(), place("shoe", "a", "claim"))[0]
			left := n.inOrder(leaving, place("shoe", "b", "left"))[0]
			joined := n.inOrder(context.Background(), place("shoe", "b", "left"))[0]
			last := n.inOrder(context.Background(), place("shoe", "c", "last"))[0]
			leave()
			want(t, "the one that left", <-left, stock.DeadlineExceeded)
			close(gate)
			want(t, "the claim", <-claim, stock.NoLeader)
			outs := []stock.Outcome{<-joined, <-last}
			if outs[0].Code == stock.OK {
				want(t, "last", outs[1], stock.SoldOutPending)
			} else {
				want(t, "joined", outs[0], stock.SoldOutPending)
				want(t, "last", outs[1], stock.OK)
			}
			n.settled()
			if placed := n.log.count(t, keyed("left")); placed > 1 {
				t.Errorf("%d copies of one key in the log", placed)
			}
		})
	})
}

// What became of a key is not told while it is in flight (rule R10); that it was used with two bodies is, at once.
func TestKeyInFlight(t *testing.T) {
	for _, fate := range []struct {
		name string
		lost error
		want stock.Code
	}{
		{"the first is accepted", nil, stock.OK},
		{"the first was not executed", stock.ErrNotExecuted, stock.OutcomeNotSeen},
	} {
		t.Run(fate.name, func(t *testing.T) {
			eachTemperature(t, func(t *testing.T, hot bool) {
				synctest.Test(t, func(t *testing.T) {
					n := start(t, nil)
					defer n.close()
					n.must(spec("shoe", 10, hot))
					gate := make(chan struct{})
					first := true
					n.log.decide(func([]byte) (bool, error) {
						<-gate
						lost := first && fate.lost != nil
						first = false
						return !lost, fateOf(lost, fate.lost)
					})
					question := &stock.GetOutcome{SKU: "shoe", Key: "k"}
					answers := n.inOrder(context.Background(), place("shoe", "a", "k"), place("shoe", "b", "k"), question)
					want(t, "another body under the key", <-answers[1], stock.IdempotencyKeyReused)
					for _, i := range []int{0, 2} {
						if decidedYet(t, answers[i]) {
							t.Fatalf("request %d answered from what is in flight: %v", i, (<-answers[i]).Code)
						}
					}
					close(gate)
					<-answers[0]
					want(t, "what became of the key", <-answers[2], fate.want)
				})
			})
		})
	}
}

// Confirms of open orders and adjustments that take units count in flight like orders (rule R11).
func TestWhatTakesUnitsCountsInFlight(t *testing.T) {
	for _, hot := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			paid := spec("paid", 1, hot)
			paid.Spec.Mode = stock.ModeOnPayment
			n.must(paid)
			n.must(spec("shoe", 1, hot))
			open := n.must(place("paid", "a", "1")).Order.ID
			release, _ := n.log.hold()
			take := n.inOrder(context.Background(), &stock.Confirm{Order: open, PaymentID: "p"},
				&stock.Adjust{Meta: stock.Meta{Key: "adjust"}, SKU: "shoe", Delta: -1})
			later := n.inOrder(context.Background(), place("shoe", "c", "2"))
			if n.parked() != 1 {
				t.Errorf("%d parked behind the adjustment", n.parked())
			}
			release()
			want(t, "confirm", <-take[0], stock.OK)
			want(t, "adjust", <-take[1], stock.OK)
			want(t, "order behind the adjustment", <-later[0], stock.SoldOut)
		})
	}
}

// A limit is not judged by what is in flight.
func TestLimitInFlightDecidesNothing(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			limited := spec("shoe", 100, hot)
			limited.Spec.LimitPerUser = 2
			n.must(limited)
			left := n.log.lose(1, stock.ErrNotExecuted)
			gate := make(chan struct{})
			lose := *n.log.fate.Load()
			n.log.decide(func(b []byte) (bool, error) { <-gate; return lose(b) })
			answers := n.inOrder(context.Background(), place("shoe", "a", "1"), place("shoe", "a", "2"), place("shoe", "a", "3"))
			if decidedYet(t, answers[2]) {
				t.Fatalf("answered %v from what is in flight", (<-answers[2]).Code)
			}
			close(gate)
			codes := map[stock.Code]int{}
			for _, answer := range answers {
				codes[(<-answer).Code]++
			}
			if codes[stock.OK] < 1 || codes[stock.OK] > 2 || codes[stock.LimitExceeded] != 0 || left.Load() > 0 {
				t.Errorf("codes %v", codes)
			}
			n.settled()
			n.do(place("shoe", "a", "4"))
			n.do(place("shoe", "a", "5"))
			want(t, "above the limit", n.do(place("shoe", "a", "6")), stock.LimitExceeded)
		})
	})
}

// Parked orders do not wait for ever when their deadline passes, and give their tokens back.
func TestParkedUntilTheirDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		defer n.close()
		n.must(spec("shoe", 1, true))
		release, _ := n.log.hold()
		n.inOrder(context.Background(), place("shoe", "a", "1"))
		want(t, "parked", n.within(time.Second, place("shoe", "b", "2")), stock.DeadlineExceeded)
		release()
		n.settled()
		if n.log.count(t, keyed("2")) != 0 {
			t.Error("in the log, though its caller was told that nothing happened")
		}
	})
}

// Refusals that must be remembered are bounded: the bound is named and counted, and passes when the first of them is over.
func TestRememberedRefusalsAreBounded(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, func(c *ReplicaConfig) { c.MaxRemembered = 8 })
			defer n.close()
			n.must(spec("shoe", 0, hot))
			refusals := make(map[stock.Code]int)
			for i := range 20 {
				p := place("shoe", "u", fmt.Sprint(i))
				p.Retry = true
				out := n.do(p)
				if refusals[out.Code]++; out.Code == stock.Overloaded && out.Detail.Bound != "max-remembered" {
					t.Fatalf("%+v", out.Detail)
				}
			}
			counted, _ := reading(t, n.system.metrics.overloaded["max-remembered"])
			if refusals[stock.SoldOut] == 0 || refusals[stock.SoldOut] > 8 || refusals[stock.Overloaded] != 20-refusals[stock.SoldOut] ||
				int(counted) != refusals[stock.Overloaded] {
				t.Errorf("%v, %v counted", refusals, counted)
			}
			advance(11 * time.Second) // the deadlines pass
			p := place("shoe", "u", "again")
			p.Retry = true
			want(t, "when the first is over", n.do(p), stock.SoldOut)
			n.sameAsReplay()
		})
	})
}
