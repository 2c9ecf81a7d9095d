package actors

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/stock"
)

// pair routes partitions to two nodes, odd and even; some partitions have no leader.
type pair struct {
	nodes [2]*node
	gone  map[stock.Partition]bool
}

func (p *pair) Locate(at stock.Partition) *Replica {
	if p.gone[at] {
		return nil
	}
	return p.nodes[at%2].replica
}

func (p *pair) Replicas() []*Replica { return []*Replica{p.nodes[0].replica, p.nodes[1].replica} }

func startPair(t *testing.T, change func(*ReplicaConfig)) (*pair, *Gateway) {
	p := &pair{gone: make(map[stock.Partition]bool)}
	for i := range p.nodes {
		p.nodes[i] = start(t, change)
	}
	return p, p.nodes[0].system.NewGateway(p, nil)
}

func (p *pair) close() {
	for _, n := range p.nodes {
		n.close()
	}
}

// Answers to a batch come in the order of its requests, whichever replica decides, and one that fails leaves the others alone.
func TestBatchIsAnsweredInItsOrder(t *testing.T) {
	p, g := startPair(t, nil)
	defer p.close()
	ctx := context.Background()
	var reqs []stock.Request
	for i := range 40 {
		reqs = append(reqs, spec(fmt.Sprint("sku", i), 1000, i%3 == 0))
	}
	for i, out := range g.DoAll(ctx, reqs) {
		if out.Code != stock.OK || out.SKU.SKU != fmt.Sprint("sku", i) {
			t.Fatalf("%d: %v %+v", i, out.Code, out.SKU)
		}
	}
	gone := stock.PartitionOf("sku7")
	p.gone[gone] = true
	for round := range 20 {
		reqs = nil
		for i := range 200 {
			o := place(fmt.Sprint("sku", i%40), fmt.Sprint("u", i), fmt.Sprint(round, "-", i))
			if i%40 == 9 {
				o.SKU = "nothing"
			}
			reqs = append(reqs, o)
		}
		for i, out := range g.DoAll(ctx, reqs) {
			o := reqs[i].(*stock.Place)
			switch {
			case stock.PartitionOf(o.SKU) == gone:
				want(t, "no leader", out, stock.NoLeader)
			case o.SKU == "nothing":
				want(t, "no such SKU", out, stock.SKUNotFound)
			case out.Code != stock.OK || out.Order.SKU != o.SKU || out.Order.User != o.User || out.Order.Key != o.Key:
				t.Fatalf("answer %d is about %+v", i, out.Order)
			}
		}
	}
	if g.Pending() != 0 {
		t.Errorf("%d tokens are out", g.Pending())
	}
	names := []string{}
	for after := ""; ; {
		skus, more, err := g.SKUs(ctx, after, 7)
		if err != nil {
			break // the partition without a leader: a listing is complete or not given
		}
		for _, s := range skus {
			names = append(names, s.SKU)
		}
		if after = names[len(names)-1]; !more {
			t.Errorf("a listing of %d SKUs leaves out the shard without a leader", len(names))
			break
		}
	}
}

// The same key twice in one batch takes one unit and gets one answer.
func TestSameKeyTwiceInABatch(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		n := start(t, nil)
		defer n.close()
		n.must(spec("shoe", 5, hot))
		outs := n.gateway.DoAll(context.Background(), []stock.Request{
			place("shoe", "a", "k"), place("shoe", "a", "k"), place("shoe", "b", "k"), place("shoe", "a", "l"),
		})
		if outs[0].Code != stock.OK || outs[1].Code != stock.OK || outs[0].Replayed || !outs[1].Replayed || *outs[0].Order != *outs[1].Order {
			t.Errorf("%+v\n%+v", outs[0], outs[1])
		}
		want(t, "another body", outs[2], stock.IdempotencyKeyReused)
		want(t, "another key", outs[3], stock.OK)
		if a := n.available("shoe"); a.Held != 2 {
			t.Errorf("%+v", a)
		}
	})
}

// Tokens bound what a replica holds. A batch beyond them is taken in part; the rest is refused at once, and tokens come back.
func TestTokensBoundRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, g := startPair(t, func(c *ReplicaConfig) { c.MaxTokens = 10 })
		defer p.close()
		skus := [2]string{}
		for i := range 100 {
			name := fmt.Sprint("sku", i)
			skus[stock.PartitionOf(name)%2] = name
		}
		for i, sku := range skus {
			p.nodes[i].must(spec(sku, 1000, i == 0))
		}
		var release [2]func()
		for i, n := range p.nodes {
			release[i], _ = n.log.hold()
		}
		var reqs []stock.Request
		for i := range 25 {
			reqs = append(reqs, place(skus[0], "u", fmt.Sprint(i)))
		}
		for i := range 5 {
			reqs = append(reqs, place(skus[1], "u", fmt.Sprint(i)))
		}
		answers := make(chan []stock.Outcome, 1)
		go func() { answers <- g.DoAll(context.Background(), reqs) }()
		synctest.Wait()
		if g.Pending() != 15 {
			t.Errorf("%d tokens are out", g.Pending())
		}
		begun := time.Now()
		out := g.Do(context.Background(), place(skus[0], "u", "late"))
		want(t, "one more", out, stock.Overloaded)
		if out.Detail.Bound != "max-pending" || time.Since(begun) > 0 {
			t.Errorf("bound %q after %v", out.Detail.Bound, time.Since(begun))
		}
		release[0]()
		release[1]()
		codes := map[stock.Code]int{}
		for i, out := range <-answers {
			codes[out.Code]++
			if (i >= 10 && i < 25) != (out.Code == stock.Overloaded) {
				t.Errorf("request %d: %v", i, out.Code)
			}
		}
		if codes[stock.OK] != 15 || g.Pending() != 0 {
			t.Errorf("%v, %d tokens are out", codes, g.Pending())
		}
		if p.nodes[0].must(place(skus[0], "u", "late")).Replayed {
			t.Error("what was refused was executed")
		}
	})
}

// While a bound of the node is reached commands are refused and queries answered; while it drains nothing is.
func TestFullAndDraining(t *testing.T) {
	n := start(t, nil)
	defer n.close()
	n.must(spec("shoe", 5, false))
	bound := ""
	g := n.system.NewGateway(n, func() string { return bound })
	ctx := context.Background()
	want(t, "not full", g.Do(ctx, place("shoe", "a", "1")), stock.OK)
	bound = "disk"
	out := g.Do(ctx, place("shoe", "a", "2"))
	want(t, "full", out, stock.Overloaded)
	if out.Detail.Bound != "disk" {
		t.Errorf("bound %q", out.Detail.Bound)
	}
	want(t, "a query while full", g.Do(ctx, &stock.GetSKU{SKU: "shoe"}), stock.OK)
	// Of a batch each request is judged by itself, whichever comes first.
	query := &stock.GetOutcome{SKU: "shoe", Key: "1"}
	for _, reqs := range [][]stock.Request{
		{query, place("shoe", "a", "2"), query, place("shoe", "a", "3")}, {place("shoe", "a", "2"), query, place("shoe", "a", "3")},
	} {
		for i, out := range g.DoAll(ctx, reqs) {
			if _, command := reqs[i].(stock.Command); command {
				want(t, "a command of a batch", out, stock.Overloaded)
			} else if want(t, "a query of a batch", out, stock.OK); out.Order == nil || out.Order.Key != "1" {
				t.Errorf("request %d got %+v", i, out)
			}
		}
	}
	g.Drain()
	want(t, "draining", g.Do(ctx, &stock.GetSKU{SKU: "shoe"}), stock.Draining)
	if outs := g.DoAll(ctx, nil); len(outs) != 0 {
		t.Errorf("%v", outs)
	}
	for _, key := range []string{"2", "3"} {
		want(t, "the key", n.do(&stock.GetOutcome{SKU: "shoe", Key: key}), stock.OutcomeNotSeen)
	}
}

// Who reads availability after his answer sees it (rule R12).
func TestAvailabilityIsPublishedBeforeTheAnswer(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		n := start(t, nil)
		defer n.close()
		n.must(spec("shoe", 1_000_000, hot))
		var wg sync.WaitGroup
		for w := range 6 {
			wg.Go(func() {
				seen := uint64(0)
				for i := range 150 {
					o := n.must(place("shoe", fmt.Sprint(w), fmt.Sprint(w, "-", i))).Order
					a := n.available("shoe")
					if a.Index < o.Version || a.Index < seen || a.Available+a.Held+a.Sold != 1_000_000 {
						t.Errorf("answered at %d, published %+v after %d", o.Version, a, seen)
						return
					}
					seen = a.Index
					if w == 0 && i%10 == 0 {
						n.setHot("shoe", (i/10)%2 == 0)
					}
				}
			})
		}
		wg.Wait()
		if a := n.available("shoe"); a.Held != 900 {
			t.Errorf("%+v", a)
		}
		n.must(spec("new", 7, hot))
		if a := n.available("new"); a.Available != 7 {
			t.Errorf("a new SKU: %+v", a)
		}
	})
}

// spy is a counter that looks around whenever it counts.
type spy struct {
	prometheus.Counter
	look func()
}

func (s spy) Inc() { s.look() }

// The count of answers moves just before each answer leaves: the units it took are published by then, also of the first order of a batch.
func TestAvailabilityIsPublishedBeforeAnyAnswerOfABatch(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		n := start(t, nil)
		defer n.close()
		n.must(spec("shoe", 100, hot))
		n.settled()
		answers := int64(0)
		n.system.metrics.outcomes[1][stock.OK] = spy{look: func() {
			answers++
			if a := n.available("shoe"); a.Held < answers {
				t.Errorf("answer %d leaves, %d units are published as held", answers, a.Held)
			}
		}}
		var reqs []stock.Request
		for i := range 50 {
			reqs = append(reqs, place("shoe", "u", fmt.Sprint(i)))
		}
		n.gateway.DoAll(context.Background(), reqs)
		if answers != 50 {
			t.Errorf("%d answers", answers)
		}
	})
}

// One start of a process never makes the same key as another.
func TestNodeMadeKeysDiffer(t *testing.T) {
	var prefixes []string
	for range 3 {
		s := Start(Config{Logger: slog.New(slog.DiscardHandler)})
		prefixes = append(prefixes, s.NewGateway(&pair{}, nil).prefix)
		s.Close()
	}
	if prefixes[0] == prefixes[1] || prefixes[1] == prefixes[2] {
		t.Errorf("%v", prefixes)
	}
}
