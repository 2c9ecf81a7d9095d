package actors

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"holdfast/stock"
)

// Moves of a SKU between its shard's actor and one of its own, queued between other commands while the log stands still (rule R16).

func moveTo(sku string, hot bool) *stock.Update {
	return &stock.Update{SKU: sku, Patch: stock.Patch{Hot: &hot}}
}

// Whatever was queued before a move is decided before what was queued after it, and the freeze between them counts for those behind it.
func TestMovesOvertakeNothing(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, func(c *ReplicaConfig) { c.MaxOutstanding = 1 })
			defer n.close()
			n.must(spec("shoe", 100, hot))
			release, _ := n.log.hold()
			reqs := []stock.Request{
				place("shoe", "a", "1"), moveTo("shoe", !hot), place("shoe", "a", "2"), moveTo("shoe", hot), moveTo("shoe", !hot), place("shoe", "a", "3"),
				&stock.Freeze{SKU: "shoe", Frozen: true}, place("shoe", "a", "4"), moveTo("shoe", hot), place("shoe", "a", "5"),
				&stock.Freeze{SKU: "shoe"}, moveTo("shoe", hot), moveTo("shoe", !hot), place("shoe", "a", "6"),
			}
			answers := n.inOrder(context.Background(), reqs...)
			release()
			last := uint64(0)
			for i, answer := range answers {
				out, want := <-answer, stock.OK
				if p, ok := reqs[i].(*stock.Place); ok && (p.Key == "4" || p.Key == "5") {
					want = stock.Frozen
				}
				if out.Code != want {
					t.Fatalf("request %d: %v %+v", i, out.Code, out.Detail)
				}
				if out.Order == nil {
					continue
				}
				if out.Order.ID.Counter != last+1 {
					t.Errorf("request %d got order %d of the SKU after %d", i, out.Order.ID.Counter, last)
				}
				last = out.Order.ID.Counter
			}
			n.sameAsReplay()
		})
	})
}

// Orders that are parked when their SKU moves, there and back, stay in their order and are decided when the claims before them are.
func TestParkedOrdersMove(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, func(c *ReplicaConfig) { c.MaxOutstanding = 1 })
			defer n.close()
			n.must(spec("shoe", 3, hot))
			steps := make(chan bool)
			n.log.decide(func([]byte) (bool, error) { return <-steps, stock.ErrNotExecuted })
			first := n.inOrder(context.Background(), place("shoe", "a", "claims 1"))
			rest := n.inOrder(context.Background(), moveTo("shoe", !hot), place("shoe", "a", "claims 2"), moveTo("shoe", hot), place("shoe", "a", "claims 3"))
			parked := n.inOrder(context.Background(), place("shoe", "b", "p1"), place("shoe", "b", "p2"), place("shoe", "b", "p3"))
			if n.parked() != 3 {
				t.Fatalf("vacuous: %d parked", n.parked())
			}
			steps <- false // the first claim comes to nothing; what is queued behind it goes on
			synctest.Wait()
			want(t, "the claim that was lost", <-first[0], stock.NoLeader)
			for done := false; !done; {
				select {
				case steps <- true:
					synctest.Wait()
				default:
					done = true
				}
			}
			n.log.decide(func([]byte) (bool, error) { return true, nil })
			for i, answer := range rest {
				want(t, fmt.Sprint("queued ", i), <-answer, stock.OK)
			}
			want(t, "the first that was parked", <-parked[0], stock.OK)
			want(t, "the second", <-parked[1], stock.SoldOutPending)
			want(t, "the third", <-parked[2], stock.SoldOutPending)
			n.sameAsReplay()
		})
	})
}

// A leader steps down, a gateway drains, a snapshot is taken and the state is restored from it with moves of several SKUs half done: everybody is
// answered, and the next leader goes on where the log stands.
func TestMovesMeetTheEndOfATerm(t *testing.T) {
	for _, end := range []string{"step down", "lead again", "drain", "snapshot", "close"} {
		t.Run(end, func(t *testing.T) {
			eachTemperature(t, func(t *testing.T, hot bool) {
				synctest.Test(t, func(t *testing.T) { moveAtTheEnd(t, end, hot) })
			})
		})
	}
}

func moveAtTheEnd(t *testing.T, end string, hot bool) {
	n := start(t, func(c *ReplicaConfig) { c.MaxOutstanding = 1 })
	skus := []string{"a", "b", "c"}
	var reqs []stock.Request
	for i, sku := range skus {
		n.must(spec(sku, 2, hot == (i%2 == 0)))
	}
	for i := range 8 {
		for _, sku := range skus {
			reqs = append(reqs, moveTo(sku, i%2 == 0), place(sku, "u", fmt.Sprint(sku, i)))
		}
	}
	release, waiting := n.log.hold()
	answers := n.inOrder(context.Background(), reqs...)
	if waiting.Load() == 0 || n.parked() == 0 {
		t.Fatal("vacuous: nothing is under way")
	}
	resume := func() {}
	switch end {
	case "step down":
		n.depose(2)
	case "lead again":
		n.elect(2, false)
	case "drain":
		n.gateway.Drain()
	case "snapshot":
		resume = n.stall()
		go func() {
			if _, err := n.replica.Snapshot(); err != nil {
				t.Error(err)
			}
		}()
	case "close":
		n.replica.Close()
	}
	synctest.Wait()
	release()
	resume()
	codes := make(map[stock.Code]int)
	for i, answer := range answers {
		out := <-answer
		if codes[out.Code]++; out.Code == stock.OutcomeUnknown && end != "close" {
			t.Errorf("request %d: %v", i, out.Code)
		}
	}
	synctest.Wait()
	if end == "close" {
		n.shut()
		return
	}
	defer n.close()
	if end == "drain" || end == "snapshot" {
		if codes[stock.OK] != 3*8+3*2 {
			t.Errorf("%v", codes)
		}
	}
	n.sameAsReplay()
	n.elect(3, true)
	n.eventually("the next term opens", func() bool { return n.replica.Term() == 3 })
	for i, sku := range skus {
		g := n.system.NewGateway(n, nil)
		out := g.Do(context.Background(), &stock.Adjust{Meta: stock.Meta{Key: fmt.Sprint("more", i)}, SKU: sku, Delta: 5})
		want(t, "in the next term", out, stock.OK)
		want(t, "in the next term", g.Do(context.Background(), place(sku, "u", "next")), stock.OK)
	}
	n.sameAsReplay()
}
