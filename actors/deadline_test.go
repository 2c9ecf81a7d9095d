package actors

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/stock"
)

// What a caller is told when its time is up, or when raft lost its proposal, is neither more nor less than what is known.

// outcome asks for a key until it is decided.
func (n *node) outcome(key string) stock.Code {
	return n.do(&stock.GetOutcome{SKU: "shoe", Key: key}).Code
}

func TestCallerLeavesBeforeTheProposal(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, func(c *ReplicaConfig) { c.MaxOutstanding = 1 })
			defer n.close()
			n.must(spec("shoe", 10, hot))
			release, _ := n.log.hold()
			first := n.inOrder(context.Background(), place("shoe", "a", "first"))[0]
			want(t, "queued behind the only slot", n.within(time.Second, place("shoe", "a", "left")), stock.DeadlineExceeded)
			cancel := &stock.Cancel{Order: stock.OrderID{Partition: stock.PartitionOf("shoe"), SKU: 1, Counter: 1}}
			want(t, "no such order yet", n.within(time.Second, cancel), stock.OrderNotFound)
			release()
			want(t, "first", <-first, stock.OK)
			n.settled()
			if n.log.count(t, keyed("left")) != 0 {
				t.Error("it is in the log")
			}
			want(t, "the key is free", n.do(place("shoe", "a", "left")), stock.OK)
		})
	})
}

func TestCallerLeavesAfterTheProposal(t *testing.T) {
	for _, fate := range []struct {
		name   string
		commit bool
		err    error
		want   stock.Code
	}{
		{"it commits", true, nil, stock.OK},
		{"it was not executed", false, stock.ErrNotExecuted, stock.OutcomeNotSeen},
		{"it commits, and raft does not know", true, stock.ErrUnknown, stock.OK},
	} {
		t.Run(fate.name, func(t *testing.T) {
			eachTemperature(t, func(t *testing.T, hot bool) {
				synctest.Test(t, func(t *testing.T) {
					n := start(t, nil)
					defer n.close()
					n.must(spec("shoe", 10, hot))
					gate := make(chan struct{})
					n.log.decide(func([]byte) (bool, error) { <-gate; return fate.commit, fate.err })
					want(t, "left", n.within(time.Second, place("shoe", "a", "k")), stock.OutcomeUnknown)
					asked := n.inOrder(context.Background(), &stock.GetOutcome{SKU: "shoe", Key: "k"})[0]
					if decidedYet(t, asked) {
						t.Errorf("the key is said to be %v while it is undecided", (<-asked).Code)
					}
					close(gate)
					want(t, "the key", <-asked, fate.want)
					n.settled()
					if got := n.outcome("k"); got != fate.want {
						t.Errorf("the key is %v, and then %v", fate.want, got)
					}
				})
			})
		})
	}
}

// A second copy of an order leaves while the first is on its way: it cannot be told that nothing happened under the key.
func TestJoinedCallerLeaves(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			n.must(spec("shoe", 10, hot))
			release, _ := n.log.hold()
			first := n.inOrder(context.Background(), place("shoe", "a", "k"))[0]
			want(t, "the copy", n.within(time.Second, place("shoe", "a", "k")), stock.OutcomeUnknown)
			release()
			want(t, "the first", <-first, stock.OK)
		})
	})
}

func TestWhatRaftSaysOfAProposal(t *testing.T) {
	for _, fate := range []struct {
		name   string
		commit bool
		err    error
		want   stock.Code
		inLog  int
		later  stock.Code
	}{
		{"not executed", false, stock.ErrNotExecuted, stock.NoLeader, 0, stock.OutcomeNotSeen},
		{"unknown, and it is not in the log", false, stock.ErrUnknown, stock.OutcomeUnknown, 0, stock.OutcomeNotSeen},
		{"unknown, but it commits", true, stock.ErrUnknown, stock.OK, 1, stock.OK},
		{"an error nobody named", false, context.DeadlineExceeded, stock.OutcomeUnknown, 0, stock.OutcomeNotSeen},
		{"said to be committed, but never applied", false, nil, stock.OutcomeUnknown, 0, stock.OutcomeNotSeen},
	} {
		t.Run(fate.name, func(t *testing.T) {
			eachTemperature(t, func(t *testing.T, hot bool) {
				n := start(t, nil)
				defer n.close()
				n.must(spec("shoe", 10, hot))
				n.log.decide(func([]byte) (bool, error) { return fate.commit, fate.err })
				out := n.do(place("shoe", "a", "k"))
				n.log.decide(func([]byte) (bool, error) { return true, nil })
				want(t, "order", out, fate.want)
				if got := n.log.count(t, keyed("k")); got != fate.inLog {
					t.Errorf("%d times in the log", got)
				}
				if got := n.outcome("k"); got != fate.later {
					t.Errorf("the key is %v, want %v", got, fate.later)
				}
				create := spec("hat", 1, hot)
				create.Key = "c"
				n.log.decide(func([]byte) (bool, error) { return fate.commit, fate.err })
				want(t, "a new SKU", n.do(create), fate.want)
			})
		})
	}
}

// Raft does not know, and says so before the entry commits: the caller is told the truth, and the key its fate.
func TestUnknownProposalCommitsLater(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		n := start(t, nil)
		defer n.close()
		n.must(spec("shoe", 1, hot))
		late := make(chan []byte, 1)
		n.log.decide(func(b []byte) (bool, error) { late <- b; return false, stock.ErrUnknown })
		want(t, "order", n.do(place("shoe", "a", "k")), stock.OutcomeUnknown)
		n.settled()
		if err := n.log.commit(<-late); err != nil {
			t.Fatal(err)
		}
		n.log.decide(func([]byte) (bool, error) { return true, nil })
		n.settled()
		want(t, "the same key", n.do(place("shoe", "a", "k")), stock.OK)
		want(t, "another", n.do(place("shoe", "b", "l")), stock.SoldOutPending)
		n.sameAsReplay()
	})
}

// A deadline is judged once more where the order is applied, by log time.
func TestDeadlinePassesOnTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		defer n.close()
		n.must(spec("shoe", 10, false))
		ctx, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
		defer cancel()
		advance(time.Second)
		want(t, "too late", n.gateway.Do(ctx, place("shoe", "a", "k")), stock.DeadlineExceeded)
		n.settled()
		if n.outcome("k") != stock.OutcomeNotSeen {
			t.Error("executed")
		}
	})
}
