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

// Rule R14: what a term admitted goes back where it came from when the term is over.

func TestTermCloses(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, func(c *ReplicaConfig) { c.MaxOutstanding = 1 })
			defer n.close()
			n.must(spec("shoe", 2, hot))
			release, _ := n.log.hold()
			a := n.inOrder(context.Background(),
				place("shoe", "a", "proposed"), place("shoe", "b", "queued"), place("shoe", "c", "parked"),
				place("shoe", "a", "proposed"), place("shoe", "c", "parked"), &stock.GetOutcome{SKU: "shoe", Key: "queued"})
			n.replica.Follow(1)
			want(t, "queued", <-a[1], stock.NoLeader)
			want(t, "parked", <-a[2], stock.NoLeader)
			want(t, "joined to the parked one", <-a[4], stock.NoLeader)
			want(t, "the key of the queued one", <-a[5], stock.NoLeader)
			if decidedYet(t, a[0]) || decidedYet(t, a[3]) {
				t.Error("what is in the log was answered before the log said anything")
			}
			want(t, "new orders", n.do(place("shoe", "d", "new")), stock.NoLeader)
			// The entry is of the term it was admitted in: it counts.
			release()
			want(t, "proposed", <-a[0], stock.OK)
			if out := <-a[3]; out.Code != stock.OK || !out.Replayed {
				t.Errorf("joined to the proposed one: %+v", out)
			}
			n.settled()
			n.elect(2, false)
			n.eventually("the next term opens", func() bool { return n.replica.Term() == 2 })
			for _, key := range []string{"queued", "parked", "new"} {
				if n.log.count(t, keyed(key)) != 0 {
					t.Errorf("%s is in the log", key)
				}
			}
			n.must(place("shoe", "b", "queued"))
			n.sameAsReplay()
		})
	})
}

// A batch that a term admitted and that commits in an entry of another term changes nothing, here or on replay.
func TestBatchOfAnotherTermIsVoid(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			n.must(spec("shoe", 2, hot))
			release, _ := n.log.hold()
			create := spec("hat", 1, false)
			create.Key = "create"
			a := n.inOrder(context.Background(), place("shoe", "a", "k"), create)
			n.elect(3, true)
			release()
			want(t, "order", <-a[0], stock.NoLeader)
			want(t, "new SKU", <-a[1], stock.NoLeader)
			n.eventually("the next term opens", func() bool { return n.replica.Term() == 3 })
			void := 0
			n.log.each(t, func(_ uint64, _ stock.Header, _ stock.Command, v bool) {
				if v {
					void++
				}
			})
			if void == 0 {
				t.Fatal("vacuous: no entry was void")
			}
			want(t, "the key", n.do(&stock.GetOutcome{SKU: "shoe", Key: "k"}), stock.OutcomeNotSeen)
			if a := n.available("shoe"); a.Held != 0 {
				t.Errorf("%+v", a)
			}
			n.must(place("shoe", "a", "k"))
			n.sameAsReplay()
			if same := n.follower(); same.available("shoe").Held != 1 {
				t.Errorf("a replay has %+v", same.available("shoe"))
			}
		})
	})
}

// follower is another replica that was given the same log.
func (n *node) follower() *node {
	n.t.Helper()
	f := &node{t: n.t, system: n.system, log: n.log, faults: n.faults}
	cfg := n.cfg
	cfg.Log = &testLog{}
	var err error
	if f.replica, err = n.system.NewReplica(cfg); err != nil {
		n.t.Fatal(err)
	}
	defer f.replica.Close()
	n.log.mu.Lock()
	defer n.log.mu.Unlock()
	for i, data := range n.log.entries {
		if err := f.replica.Apply(uint64(i+1), n.log.terms[i], data); err != nil {
			n.t.Fatal(err)
		}
	}
	hash, _, err := f.replica.Hash(context.Background())
	if err != nil {
		n.t.Fatal(err)
	}
	if mine, _, err := n.replica.Hash(context.Background()); err != nil || mine != hash {
		n.t.Errorf("a replica with the same log has %x, not %x (%v)", hash, mine, err)
	}
	return f
}

// Leadership goes A -> B -> A while the actors are busy with one message; the signal that the first term is over is late, or lost. Nothing that
// the first term admitted is proposed in the last.
func TestTermsChangeWithinOneMessage(t *testing.T) {
	for _, signal := range []bool{true, false} {
		t.Run(fmt.Sprintf("signal=%v", signal), func(t *testing.T) {
			eachTemperature(t, func(t *testing.T, hot bool) {
				synctest.Test(t, func(t *testing.T) {
					n := start(t, nil)
					defer n.close()
					n.must(spec("shoe", 2, hot))
					release, waiting := n.log.hold()
					a := n.inOrder(context.Background(), place("shoe", "a", "1"), place("shoe", "b", "2"), place("shoe", "c", "parked"))
					if waiting.Load() == 0 || n.parked() != 1 {
						t.Fatalf("%d proposed, %d parked", waiting.Load(), n.parked())
					}
					resume := n.stall()
					release()
					n.elect(3, signal)
					synctest.Wait()
					resume()
					for i, answer := range a {
						if out := <-answer; out.Code != stock.NoLeader && out.Code != stock.OK {
							t.Errorf("order %d: %v", i, out.Code)
						}
					}
					n.eventually("the last term opens", func() bool { return n.replica.Term() == 3 })
					n.settled()
					n.termsOfCommands()
					n.sameAsReplay()
				})
			})
		})
	}
}

// An order that one term parked is let through by an entry of that term, in the very turn in which the term ends and the next one opens: it is
// not proposed in a term that did not admit it.
func TestAdmittedInATermThatEndsInTheSameTurn(t *testing.T) {
	for _, signal := range []bool{true, false} {
		eachTemperature(t, func(t *testing.T, hot bool) {
			synctest.Test(t, func(t *testing.T) {
				n := start(t, nil)
				defer n.close()
				n.must(spec("shoe", 3, hot))
				release, _ := n.log.hold()
				first, parked := place("shoe", "a", "1"), place("shoe", "b", "2")
				first.Qty, parked.Qty = 2, 2
				more := &stock.Adjust{Meta: stock.Meta{Key: "more"}, SKU: "shoe", Delta: 1}
				a := n.inOrder(context.Background(), more, first, parked)
				if n.parked() != 1 {
					t.Fatalf("%d parked", n.parked())
				}
				resume := n.stallAll()
				release()
				synctest.Wait()
				n.elect(3, signal)
				synctest.Wait()
				resume()
				want(t, "the adjustment", <-a[0], stock.OK)
				want(t, "the first", <-a[1], stock.OK)
				want(t, "the parked one", <-a[2], stock.NoLeader)
				n.eventually("the next term opens", func() bool { return n.replica.Term() == 3 })
				n.settled()
				n.termsOfCommands()
			})
		})
	}
}

// stall makes the shard's actor stay in one message until the returned function is called.
func (n *node) stall() (resume func()) {
	gate, in := make(chan struct{}), make(chan struct{})
	m := &mark{done: make(chan struct{}), replica: n.replica, ledger: func(*stock.Ledger, uint64) {}, book: func(*stock.Book) {
		close(in)
		<-gate
	}}
	m.holders.Store(1)
	n.replica.system.Root.Send(n.replica.directory.shard.Load(), m)
	<-in
	return func() { close(gate) }
}

// termsOfCommands fails when an order is in the log twice, or in an entry of a term that opened after it was sent.
func (n *node) termsOfCommands() {
	n.t.Helper()
	seen := make(map[string]uint64)
	n.log.each(n.t, func(_ uint64, h stock.Header, c stock.Command, void bool) {
		p, ok := c.(*stock.Place)
		if !ok {
			return
		}
		if first, again := seen[p.Key]; again {
			n.t.Errorf("%s was proposed in term %d and in term %d", p.Key, first, h.Term)
		}
		seen[p.Key] = h.Term
		if h.Term != 1 {
			n.t.Errorf("%s was admitted in term 1 and proposed in term %d", p.Key, h.Term)
		}
	})
}

// Another replica's entries say that the term is over, even when no signal does.
func TestEntryOfAnotherTermClosesAdmission(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		n := start(t, nil)
		defer n.close()
		n.must(spec("shoe", 2, hot))
		n.log.enter(2, false)
		w := stock.NewProposalWriter(stock.MaxProposalBytes)
		w.Reset(stock.Header{Term: 2, Incarnation: 99, Sequence: 1})
		if err := w.Add(&stock.Open{Term: 2}); err != nil {
			t.Fatal(err)
		}
		if err := n.log.commit(w.Seal(0)); err != nil {
			t.Fatal(err)
		}
		n.eventually("admission closes", func() bool { return n.replica.Term() == 0 })
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		out := []stock.Outcome{{}}
		n.gateway.launch(ctx, n.replica, []stock.Request{place("shoe", "a", "1")}).land(ctx, out)
		want(t, "an order that was routed before", out[0], stock.NoLeader)
	})
}

// Raft leads in a later term, and the signal that the earlier one is over was lost: what the earlier one parked goes back at once, and does not
// wait for the entry that opens the later one.
func TestLeadingAgainClosesTheTermBefore(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			n.must(spec("shoe", 1, hot))
			release, _ := n.log.hold()
			a := n.inOrder(context.Background(), place("shoe", "a", "claims"), place("shoe", "b", "parked"))
			if n.parked() != 1 {
				t.Fatalf("vacuous: %d parked", n.parked())
			}
			n.elect(3, false)
			synctest.Wait()
			if !decidedYet(t, a[1]) || n.replica.Term() != 0 {
				t.Errorf("decided: %v, open term %d, while nothing of term 3 is applied", decidedYet(t, a[1]), n.replica.Term())
			}
			release()
			want(t, "parked", <-a[1], stock.NoLeader)
			want(t, "what was proposed in the term before", <-a[0], stock.NoLeader)
			n.eventually("the next term opens", func() bool { return n.replica.Term() == 3 })
		})
	})
}

// Admission opens when the opening entry is applied, not when it is proposed or committed.
func TestAdmissionOpensWithTheOpeningEntry(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			n.must(spec("shoe", 2, hot))
			n.depose(2)
			release, waiting := n.log.hold()
			n.elect(3, true)
			synctest.Wait()
			if waiting.Load() != 1 || n.replica.Term() != 0 {
				t.Fatalf("%d proposed, open term %d", waiting.Load(), n.replica.Term())
			}
			resume := n.stall()
			release()
			synctest.Wait()
			if n.replica.Term() != 0 {
				t.Error("opened before its entry was applied")
			}
			resume()
			synctest.Wait()
			if n.replica.Term() != 3 {
				t.Errorf("open term %d", n.replica.Term())
			}
			n.must(place("shoe", "a", "1"))
		})
	})
}

// The opening entry of a leader, or the first command of a shard, is lost: the leader stays leader, and opens all the same. Raft names a term
// only once.
func TestLostOpeningIsProposedAgain(t *testing.T) {
	for _, lost := range []error{stock.ErrNotExecuted, stock.ErrUnknown} {
		for drops := int64(1); drops <= 3; drops++ {
			t.Run(fmt.Sprintf("%v/%d", lost, drops), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := start(t, nil)
					defer n.close()
					n.depose(2)
					left := n.log.lose(drops, lost)
					n.elect(3, true)
					n.eventually("it opens", func() bool { return n.replica.Term() == 3 })
					if left.Load() > 0 {
						t.Error("vacuous")
					}
				})
			})
		}
	}
	t.Run("init", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			proposals := 0
			n := startLosing(t, func([]byte) (bool, error) {
				proposals++
				return proposals != 2, fateOf(proposals == 2, stock.ErrNotExecuted)
			})
			defer n.close()
			n.must(spec("shoe", 1, false))
		})
	})
}

// Signals may be late or doubled, and old ones change nothing.
func TestOldSignalsChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		defer n.close()
		n.must(spec("shoe", 100, true))
		n.elect(5, true)
		n.eventually("it opens", func() bool { return n.replica.Term() == 5 })
		for _, term := range []uint64{1, 2, 3, 4} {
			n.replica.Follow(term)
			n.replica.Lead(term)
		}
		n.replica.Lead(5)
		synctest.Wait()
		n.must(place("shoe", "a", "1"))
		if n.replica.Term() != 5 {
			t.Errorf("open term %d", n.replica.Term())
		}
		n.replica.Follow(5)
		n.replica.Lead(5) // late: the term is over
		synctest.Wait()
		if n.replica.Term() != 0 {
			t.Errorf("term %d opened again", n.replica.Term())
		}
	})
}

// Terms change all the time under a crowd, with and without signals. Every token comes back, every window is empty at the end, and what was
// answered is what the log says.
func TestTermsChangeUnderLoad(t *testing.T) {
	n := start(t, nil)
	defer n.close()
	n.must(spec("shoe", 300, true))
	n.must(spec("hat", 300, false))
	n.log.slow(100 * time.Microsecond)
	a := newAudit()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				p := place([]string{"shoe", "hat"}[i%2], fmt.Sprint(w), fmt.Sprint(w, "-", i))
				a.note(p, n.within(20*time.Millisecond, p))
			}
		})
	}
	for term := uint64(2); term < 60; term++ {
		if term%7 == 0 {
			n.depose(term)
		} else {
			n.elect(term, term%3 != 0)
		}
		<-time.After(5 * time.Millisecond)
	}
	close(stop)
	wg.Wait()
	n.settled()
	if !n.log.leads {
		n.elect(60, true)
	}
	a.check(n)
	n.sameAsReplay()
}
