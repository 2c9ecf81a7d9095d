package actors

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/stock"
)

var (
	seeds = flag.Int("seeds", 8, "random mixes to send through the gateway")
	from  = flag.Uint64("from", 1, "seed of the first random mix")
)

// Random commands from concurrent callers, over a log that is slow, drops proposals and changes its leader: in the end every acceptance is in
// the log, no refused key is, and the state is that of a plain replay.
func TestRandomMixes(t *testing.T) {
	for i := range uint64(*seeds) {
		seed := *from + i
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { randomMix(t, seed) })
		})
	}
}

func randomMix(t *testing.T, seed uint64) {
	t.Logf("run it alone: go test ./actors -run TestRandomMixes -args -seeds 1 -from %d", seed)
	dice := rand.New(rand.NewPCG(seed, 1))
	n := start(t, func(c *ReplicaConfig) {
		c.MaxParked = 1 + dice.IntN(30)
		c.MaxTokens = 5 + dice.IntN(60)
		c.MaxOutstanding = 1 + dice.IntN(3)
		c.MaxProposalBytes = 4096 << dice.IntN(4)
		c.ApplyBacklog = 1 + dice.IntN(8)
		c.MaxJournalRows = 1 + dice.IntN(500)
		c.Init.Settings.ExpiryBatch = int64(1 + dice.IntN(5))
		c.Init.Settings.MaxOpenOrders = int64(10 + dice.IntN(100))
		c.Init.Settings.RetentionMS = 600_000
	})
	defer n.close()
	modes := []stock.Mode{stock.ModeHold, stock.ModeHold, stock.ModeOnOrder, stock.ModeOnPayment}
	for i, mode := range modes {
		c := holdSpec(fmt.Sprint("sku", i), int64(5+dice.IntN(60)), time.Duration(5+dice.IntN(100))*time.Millisecond, dice.IntN(2) == 0)
		c.Spec.Mode, c.Spec.LimitPerUser = mode, int64(dice.IntN(4)*10)
		n.must(c)
	}
	n.chaos(dice.Uint64())
	a := newAudit()
	over := time.Now().Add(400 * time.Millisecond)
	var wg sync.WaitGroup
	for w := range 12 {
		c := &caller{n: n, a: a, dice: rand.New(rand.NewPCG(seed, uint64(w+10))), w: w, skus: len(modes)}
		wg.Go(func() {
			for time.Now().Before(over) {
				c.act()
			}
		})
	}
	s := newSink()
	for term := uint64(2); time.Now().Before(over); term++ {
		<-time.After(time.Duration(1+dice.IntN(40)) * time.Millisecond)
		switch dice.IntN(4) {
		case 0:
			n.elect(term, dice.IntN(2) == 0)
		case 1:
			n.depose(term)
			term++
			<-time.After(time.Duration(dice.IntN(5)) * time.Millisecond)
			n.elect(term, true)
		case 2:
			s.take(t, n.replica, 1+dice.IntN(50))
		case 3:
			n.snapshot()
		}
	}
	wg.Wait()
	n.log.decide(func([]byte) (bool, error) { return true, nil })
	n.settled()
	advance(time.Second) // until no hold is left that could fall due while the test looks
	a.check(n)
	n.sameAsReplay()
	for s.take(t, n.replica, 40) {
		continue
	}
	s.check(t, n.log)
	if a.codes[stock.OK] < 20 {
		t.Errorf("vacuous: %v", a.codes)
	}
}

// chaos makes commits slow, and some proposals end otherwise.
func (n *node) chaos(seed uint64) {
	dice := rand.New(rand.NewPCG(seed, 2)) // used by the log's goroutine only
	n.log.decide(func([]byte) (bool, error) {
		<-time.After(time.Duration(dice.IntN(900)) * time.Microsecond)
		switch dice.IntN(40) {
		case 0:
			return false, stock.ErrNotExecuted
		case 1:
			return false, stock.ErrUnknown
		case 2:
			return true, stock.ErrUnknown
		}
		return true, nil
	})
}

// caller sends random requests, one at a time.
type caller struct {
	n    *node
	a    *audit
	dice *rand.Rand
	w, i int
	skus int
	mine []stock.OrderID
}

func (c *caller) act() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+c.dice.IntN(60))*time.Millisecond)
	defer cancel()
	sku := fmt.Sprint("sku", c.dice.IntN(c.skus))
	c.i++
	switch roll := c.dice.IntN(100); {
	case roll < 50:
		c.place(ctx, sku)
	case roll < 80 && len(c.mine) > 0:
		c.settle(ctx, c.mine[c.dice.IntN(len(c.mine))])
	case roll < 84:
		hot := c.dice.IntN(2) == 0
		c.n.gateway.Do(ctx, &stock.Update{SKU: sku, Patch: stock.Patch{Hot: &hot}})
	case roll < 88:
		delta := int64(c.dice.IntN(11) - 4)
		c.n.gateway.Do(ctx, &stock.Adjust{Meta: stock.Meta{Key: fmt.Sprint("a", c.w, "-", c.i)}, SKU: sku, Delta: delta})
	case roll < 90:
		c.n.gateway.Do(ctx, &stock.Freeze{SKU: sku, Frozen: c.dice.IntN(3) == 0})
	case roll < 92:
		c.n.gateway.Do(ctx, &stock.Fence{Meta: stock.Meta{Key: c.key()}, SKU: sku})
	case roll < 96:
		c.n.gateway.Do(ctx, &stock.GetOutcome{SKU: sku, Key: c.key()})
	default:
		c.n.gateway.Do(ctx, &stock.GetSKU{SKU: sku})
	}
	<-time.After(time.Duration(c.dice.IntN(2000)) * time.Microsecond)
}

// key is now and then one that another caller uses too.
func (c *caller) key() string { return fmt.Sprint(c.w/(1+c.dice.IntN(3)), "-", c.i-c.dice.IntN(3)) }

func (c *caller) place(ctx context.Context, sku string) {
	var reqs []stock.Request
	for range 1 + c.dice.IntN(3) {
		p := place(sku, fmt.Sprint("u", c.dice.IntN(6)), c.key())
		p.Qty, p.Retry = int64(1+c.dice.IntN(4)), c.dice.IntN(10) == 0
		reqs = append(reqs, p)
	}
	for i, out := range c.n.gateway.DoAll(ctx, reqs) {
		c.a.note(reqs[i].(*stock.Place), out)
		if out.Code == stock.OK {
			c.mine = append(c.mine, out.Order.ID)
		}
	}
}

func (c *caller) settle(ctx context.Context, id stock.OrderID) {
	switch c.dice.IntN(4) {
	case 0:
		c.n.gateway.Do(ctx, &stock.Cancel{Order: id})
	case 1:
		key := fmt.Sprint("r", c.w, "-", c.i)
		c.n.gateway.Do(ctx, &stock.Return{Meta: stock.Meta{Key: key}, Order: id, Qty: int64(c.dice.IntN(2)), Restock: c.dice.IntN(2) == 0})
	default:
		c.n.gateway.Do(ctx, &stock.Confirm{Order: id, PaymentID: fmt.Sprint("p", c.dice.IntN(2))})
	}
}
