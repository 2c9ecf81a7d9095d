package forward

import (
	"context"
	"flag"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/stock"
)

var (
	seeds = flag.Int("seeds", 40, "how many random worlds are run")
	first = flag.Uint64("seed", 1, "the first of them")
)

// call is one call of a client, and what it was told.
type call struct {
	kind         stock.Kind
	key          string
	began, ended time.Time
	out          stock.Outcome
}

// history is what clients saw, by key.
type history struct {
	mu    sync.Mutex // guards calls
	calls map[string][]call
}

func (h *history) note(c call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls[c.key] = append(h.calls[c.key], c)
}

const caller1 = "shop"

// notExecuted reports whether an answer promises that nothing happened because nobody took the request: the API's 503.
func notExecuted(c stock.Code) bool {
	return c == stock.Overloaded || c == stock.NoLeader || c == stock.Draining || c == stock.DeadlineExceeded
}

func unknownCode(c stock.Code) bool { return c == stock.OutcomeUnknown || c == stock.Internal }

// verdicts holds what clients were told against what the log did, and returns what does not fit.
func (h *history) verdicts(w *world) (wrong []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for key, calls := range h.calls {
		last := calls[len(calls)-1]
		did := w.effects[effect{last.kind, caller1, key}]
		once := last.kind == stock.KindPlace || last.kind == stock.KindReturn || last.kind == stock.KindAdjust
		if once && len(did) > 1 {
			complain("%s: %d effects", key, len(did))
		}
		allRefused, allUntouched, anyOK := true, true, false
		for _, c := range calls {
			anyOK = anyOK || c.out.Code.Executed()
			allRefused = allRefused && !c.out.Code.Executed() && !unknownCode(c.out.Code)
			allUntouched = allUntouched && notExecuted(c.out.Code)
		}
		switch {
		case allUntouched && w.entries[key] > 0:
			complain("%s: told not executed (%v), and it is in the log", key, last.out.Code)
		case once && allRefused && len(did) > 0:
			complain("%s: refused (%v), and it was executed", key, last.out.Code)
		case once && !last.out.Code.Executed() && !unknownCode(last.out.Code) && !notExecuted(last.out.Code) && len(did) > 0:
			complain("%s: last refused (%v), and it was executed", key, last.out.Code)
		case once && anyOK && len(did) == 0:
			complain("%s: accepted, and nothing happened", key)
		case len(calls) == 1 && last.out.Replayed:
			complain("%s: sent once, and told that it was given before", key)
		case last.kind == stock.KindPlace && last.out.Code == stock.OK && len(calls) > 1 && len(did) == 1 && !last.out.Replayed &&
			last.began.Sub(did[0].Std()) > 2500*time.Millisecond:
			complain("%s: given before, and not told so", key)
		}
	}
	return wrong
}

// client makes calls through any node for a while.
type client struct {
	w      *world
	h      *history
	name   string
	orders []stock.OrderID
}

func (c *client) run(calls int) {
	for i := range calls {
		pass(c.w.between(0, 40*time.Millisecond))
		key := fmt.Sprintf("%s-%d", c.name, i)
		r := c.draw(key)
		out := c.ask(r, key)
		if out.Code == stock.OK && out.Order != nil && r.(stock.Command).Kind() == stock.KindPlace {
			c.orders = append(c.orders, out.Order.ID)
		}
		// Some go on under the same key: after an unknown outcome as our client does, and now and then without any need.
		for range c.w.intN(3) {
			retry := unknownCode(out.Code)
			if !retry && c.w.intN(4) > 0 {
				break
			}
			pass(c.w.between(0, 4*time.Second))
			again := cloned(r)
			again.(stock.Command).Head().Retry = retry
			out = c.ask(again, key)
		}
	}
}

func (c *client) ask(r stock.Request, key string) stock.Outcome {
	n := c.w.nodes[c.w.names[c.w.intN(len(c.w.names))]]
	ctx, cancel := context.WithTimeout(context.Background(), c.w.between(200*time.Millisecond, 3*time.Second))
	defer cancel()
	began := time.Now()
	rs := []stock.Request{r}
	for range c.w.intN(3) {
		rs = append(rs, &stock.GetSKU{SKU: c.sku()})
	}
	out := n.forward.DoAll(ctx, rs)[0]
	c.h.note(call{r.(stock.Command).Kind(), key, began, time.Now(), out})
	return out
}

func (c *client) sku() string { return fmt.Sprintf("sku-%d", c.w.intN(4)) }

// draw returns a command under a key. Stock is short, comes back and is frozen, so that what is refused now may be accepted later.
func (c *client) draw(key string) stock.Request {
	m := stock.Meta{Caller: caller1, Key: key}
	sku := c.sku()
	if len(c.orders) > 0 && c.w.intN(2) == 0 {
		id := c.orders[c.w.intN(len(c.orders))]
		switch c.w.intN(4) {
		case 0:
			return &stock.Confirm{Meta: m, Order: id, PaymentID: "paid"}
		case 1:
			return &stock.Return{Meta: m, Order: id, Qty: 1, Restock: true}
		}
		return &stock.Cancel{Meta: m, Order: id}
	}
	switch c.w.intN(12) {
	case 0:
		return &stock.Adjust{Meta: m, SKU: sku, Delta: int64(1 + c.w.intN(2)), Reason: "found"}
	case 1:
		return &stock.Adjust{Meta: m, SKU: sku, Delta: -int64(1 + c.w.intN(3)), Reason: "lost"}
	case 2:
		return &stock.Freeze{Meta: m, SKU: sku, Frozen: true}
	case 3, 4:
		return &stock.Freeze{Meta: m, SKU: sku}
	}
	return &stock.Place{Meta: m, SKU: sku, User: c.name, Qty: int64(1 + c.w.intN(2))}
}

// trouble changes leaders, stops nodes, takes them off the network, until told to stop.
func (w *world) trouble(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(w.between(20*time.Millisecond, 400*time.Millisecond)):
		}
		n := w.nodes[w.names[w.intN(len(w.names))]]
		id := uint32(w.intN(worldShards) + 1)
		switch w.intN(6) {
		case 0, 1:
			w.lead(id, "")
			w.wg.Go(func() { pass(w.between(0, 500*time.Millisecond)); w.lead(id, n.name) })
		case 2:
			w.lead(id, n.name)
		case 3:
			n.stop()
			w.wg.Go(func() { pass(w.between(0, 3*time.Second)); n.resume() })
		case 4:
			w.reach(n, false)
			w.wg.Go(func() { pass(w.between(0, time.Second)); w.reach(n, true) })
		}
	}
}

func (w *world) reach(n *node, up bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n.down = !up
}

// live runs one world with a seed and returns what was wrong, and how often each answer was given.
func live(t *testing.T, seed uint64, break_ func(*world)) (wrong []string, codes map[stock.Code]int) {
	t.Helper()
	codes = make(map[stock.Code]int)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, seed, 3)
		w.cut = 50
		for _, name := range w.names {
			w.nodes[name].ahead = w.between(0, 500*time.Millisecond) - 250*time.Millisecond
		}
		for i := range 4 {
			w.create(fmt.Sprintf("sku-%d", i), 4)
		}
		for id := range w.shards {
			w.lead(id, w.names[w.intN(3)])
		}
		if break_ != nil {
			break_(w)
		}
		h := &history{calls: make(map[string][]call)}
		var clients sync.WaitGroup
		for i := range 12 {
			clients.Go(func() { (&client{w: w, h: h, name: fmt.Sprintf("c%d", i)}).run(25) })
		}
		stop := make(chan struct{})
		var troubled sync.WaitGroup
		troubled.Go(func() { w.trouble(stop) })
		clients.Wait()
		close(stop)
		troubled.Wait()
		w.close()
		wrong = h.verdicts(w)
		for _, calls := range h.calls {
			for _, c := range calls {
				codes[c.out.Code]++
			}
		}
	})
	return wrong, codes
}

// Random worlds: never two effects of one key, nothing executed that was told not to be, no refusal before an effect, nothing accepted and not done.
func TestRandomWorlds(t *testing.T) {
	seen := make(map[stock.Code]int)
	for i := range uint64(*seeds) {
		seed := *first + i
		wrong, codes := live(t, seed, nil)
		for _, what := range wrong {
			t.Errorf("seed %d: %s", seed, what)
		}
		for c, n := range codes {
			seen[c] += n
		}
	}
	for _, c := range []stock.Code{stock.OK, stock.SoldOutPending, stock.Frozen, stock.InvalidState, stock.OutcomeUnknown, stock.NoLeader} {
		if seen[c] == 0 {
			t.Errorf("the runs were vacuous: never %v", c)
		}
	}
	t.Log(seen)
}
