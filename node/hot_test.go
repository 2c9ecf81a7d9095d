package node

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/api/client"
	"holdfast/stock"
	"holdfast/stock/stocktest"
	"holdfast/storage"
	"holdfast/wal"
)

var (
	moves = flag.Int("moves", 200, "how often SKUs get and lose an actor of their own in TestHotAndColdUnderLoad")
	laps  = flag.Int("laps", 1, "how often quiet and disturbed phases take turns where tests compare latencies; 5 or more for figures")
)

// market is a crowd of callers over HTTP, each of which sends its next order after the answer to the one before, and what they were told.
type market struct {
	t     *testing.T
	c     *client.Client
	watch *stopwatch
	begun time.Time
	quit  chan struct{}
	work  sync.WaitGroup

	mu    sync.Mutex // guards what follows
	told  map[string]*bought
	codes map[string]int
}

// bought is an accepted order as its caller was told of it.
type bought struct {
	key, sku, id, state string
	index               uint64
	sent, answered      time.Duration
}

func openMarket(t *testing.T, c *client.Client) *market {
	return &market{t: t, c: c, watch: newStopwatch(), begun: time.Now(), quit: make(chan struct{}), told: make(map[string]*bought), codes: make(map[string]int)}
}

// caller lets one more caller trade until the market closes. SKUs are taken in turn.
func (m *market) caller(name string, trade func(cl *bought, i int), skus ...string) {
	m.work.Go(func() {
		last := make(map[string]uint64)
		for i := 0; ; i++ {
			select {
			case <-m.quit:
				return
			default:
			}
			cl := m.place(fmt.Sprint(name, "-", i), skus[i%len(skus)], name)
			if cl == nil {
				continue
			}
			if cl.index <= last[cl.sku] {
				m.t.Errorf("order %s came at %d of the log, the caller's order before it at %d", cl.key, cl.index, last[cl.sku])
			}
			last[cl.sku] = cl.index
			trade(cl, i)
		}
	})
}

// place sends an order once; nil when it was refused, for a reason that has nothing to do with where its SKU is.
func (m *market) place(key, sku, user string) *bought {
	sent, stop := time.Since(m.begun), m.watch.start()
	p, err := m.c.PlaceOrder(context.Background(), key, client.NewOrder{SKU: sku, User: user})
	stop()
	answered := time.Since(m.begun)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.refused(key, err, "sold_out", "sold_out_pending", "insufficient_stock", "limit_exceeded")
		return nil
	}
	if before := m.told[key]; before != nil {
		if before.id != p.ID || !p.Replayed {
			m.t.Errorf("key %s has orders %s and %s, replayed %v", key, before.id, p.ID, p.Replayed)
		}
		return before
	}
	cl := &bought{key: key, sku: sku, id: p.ID, state: p.State, index: p.AsOfIndex, sent: sent, answered: answered}
	m.told[key] = cl
	return cl
}

func (m *market) refused(what string, err error, documented ...string) {
	code := client.CodeOf(err)
	m.codes[code]++
	if !slices.Contains(documented, code) {
		m.t.Errorf("%s: %v", what, err)
	}
}

// settle notes what became of an order that was confirmed, cancelled or returned.
func (m *market) settle(cl *bought, o client.Order, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.refused("settling "+cl.key, err, "order_expired", "invalid_state")
		return
	}
	cl.state = o.State
}

// trade confirms, cancels, returns and repeats; what it leaves alone expires if its SKU is one of short holds.
func (m *market) trade(cl *bought, i int) {
	ctx := context.Background()
	switch i % 8 {
	case 1, 4:
		o, err := m.c.Confirm(ctx, cl.id, "pay-"+cl.key)
		m.settle(cl, o, err)
		if err == nil && i%16 == 1 {
			o, err = m.c.Return(ctx, "back-"+cl.key, cl.id, client.ReturnUnits{})
			m.settle(cl, o, err)
		}
	case 2, 5:
		o, err := m.c.Cancel(ctx, cl.id, "")
		m.settle(cl, o, err)
	case 3:
		m.place(cl.key, cl.sku, cl.key[:len(cl.key)-len(fmt.Sprint("-", i))]) // a duplicate
	}
}

func (m *market) close() {
	close(m.quit)
	m.work.Wait()
}

// inOrder fails when an order stands in the log before one that was answered before it was sent.
func (m *market) inOrder() {
	m.t.Helper()
	bySKU := make(map[string][]*bought)
	for _, cl := range m.told {
		bySKU[cl.sku] = append(bySKU[cl.sku], cl)
	}
	for sku, orders := range bySKU {
		if first, second := overtaken(orders); first != nil {
			m.t.Fatalf("%s: order %s was answered before %s was sent, and stands after it in the log, at %d and %d",
				sku, first.key, second.key, first.index, second.index)
		}
	}
}

// overtaken returns an order, and one that was sent after its answer and stands before it in the log; nil when there are none.
func overtaken(orders []*bought) (first, second *bought) {
	slices.SortFunc(orders, func(a, b *bought) int { return cmp.Compare(b.index, a.index) })
	first = orders[0] // the one answered first among those at or after an index
	for _, o := range orders {
		if o.answered < first.answered {
			first = o
		}
		if first.index > o.index && first.answered < o.sent {
			return first, o
		}
	}
	return nil, nil
}

func TestOvertaken(t *testing.T) {
	at := func(index uint64, sent, answered time.Duration) *bought {
		return &bought{index: index, sent: sent, answered: answered}
	}
	for name, c := range map[string]struct {
		orders []*bought
		bad    bool
	}{
		"in order":            {[]*bought{at(1, 0, 2), at(2, 3, 4), at(5, 5, 6)}, false},
		"at once":             {[]*bought{at(2, 0, 2), at(1, 1, 4)}, false},
		"overtaken":           {[]*bought{at(2, 0, 2), at(1, 3, 4)}, true},
		"overtaken by a late": {[]*bought{at(1, 0, 1), at(7, 2, 3), at(9, 3, 8), at(4, 5, 6)}, true},
	} {
		if first, _ := overtaken(c.orders); (first != nil) != c.bad {
			t.Errorf("%s: %+v", name, first)
		}
	}
}

// move makes a SKU hot and cold in turn.
func (m *market) move(sku string, times int) {
	for i := range times {
		hot := i%2 == 0
		s, err := m.c.UpdateSKU(context.Background(), sku, client.SKUPatch{Hot: &hot})
		if err != nil || s.Hot != hot || s.Stock != s.Available+s.Held+s.Sold {
			m.t.Errorf("move %d of %s: %+v %v", i, sku, s, err)
		}
	}
}

// Orders flow at full speed over HTTP while four of their SKUs get and lose actors of their own, several at once. Nothing is lost, doubled,
// refused or overtaken for it; holds fall due, limits hold, parked orders are decided; the state is what a plain replay of the log makes, and what
// the oracle says it should be.
func TestHotAndColdUnderLoad(t *testing.T) {
	dir := t.TempDir()
	n := open(t, config(dir))
	c := n.client(t)
	for _, s := range []client.SKUSpec{
		{SKU: "shoe", Stock: 10_000_000}, {SKU: "boot", Stock: 10_000_000, Mode: "on_order"},
		{SKU: "hat", Stock: 12, HoldTTLMS: 60}, {SKU: "cap", Stock: 400, LimitPerUser: 2, HoldTTLMS: 200},
	} {
		if _, err := c.CreateSKU(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	m := openMarket(t, c)
	for w := range 10 {
		m.caller(fmt.Sprint("a", w), m.trade, "shoe", "boot")
	}
	for w := range 6 {
		m.caller(fmt.Sprint("b", w), m.trade, "hat", "cap", "hat")
	}
	var moving sync.WaitGroup
	began := time.Now()
	skus := []string{"shoe", "boot", "hat", "cap"}
	for i, sku := range skus {
		moving.Go(func() { m.move(sku, (*moves+i)/len(skus)) })
	}
	moving.Wait()
	took := time.Since(began)
	m.close()
	await(t, "the last holds are released", func() bool {
		hat, err := c.Availability(t.Context(), "hat")
		shy, err2 := c.Availability(t.Context(), "cap")
		return err == nil && err2 == nil && hat.Held+shy.Held == 0
	})
	l := recorded(t, n, dir)
	t.Logf("%d moves in %v beside %d accepted orders; refusals %v", *moves, took, len(m.told), m.codes)
	m.inOrder()
	m.audit(l)
	m.stored(dir, l)
	if len(m.told) < *moves || m.codes["sold_out_pending"]+m.codes["sold_out"] == 0 || m.codes["limit_exceeded"] == 0 || l.expired == 0 {
		t.Errorf("vacuous: %d orders, %v, %d expired", len(m.told), m.codes, l.expired)
	}
}

// replayed is a node's log, applied to plain books and, as far as it goes, to the oracle.
type replayed struct {
	orders  map[string]stock.Order // by key
	skus    map[string]stock.SKU
	expired int
}

// oracleOrders is how many commands of a SKU the oracle is asked about: it looks at every order for every command.
const oracleOrders = 3000

// recorded drains a node and replays its log; every shard's state must be the one that its actors had.
func recorded(t *testing.T, n *Node, dir string) *replayed {
	t.Helper()
	type state struct{ hash, index uint64 }
	states := make(map[uint32]state)
	for _, s := range n.shards {
		hash, index, err := s.replica.Load().Hash(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		states[s.id] = state{hash, index}
	}
	drain(t, n)
	r := &replayed{orders: make(map[string]stock.Order), skus: make(map[string]stock.SKU)}
	books, oracles, asked := make(map[uint32]*stock.Book), make(map[uint32]*stocktest.Oracle), make(map[uint32]int)
	err := wal.ReadCommands(nil, filepath.Join(dir, "wal"), func(group uint32, index, term uint64, data []byte) error {
		if group == metaGroup {
			return nil
		}
		p, err := stock.DecodeProposal(data)
		if err != nil || p.Term != term {
			return err
		}
		b := books[group]
		if b == nil {
			b, oracles[group] = stock.NewBook(), stocktest.NewOracle()
			books[group] = b
		}
		at := b.Begin(p.Header, index)
		for _, c := range p.Commands {
			out := b.Apply(at, c)
			number := b.Owner(c).Number
			if asked[group<<16|number]++; asked[group<<16|number] > oracleOrders {
				continue
			}
			want, answered := oracles[group].Apply(at, c)
			if d := stocktest.Compare(want, out); answered && d != "" {
				t.Fatalf("shard %d at %d, %T: the oracle differs: %s", group, index, c, d)
			}
		}
		if s := states[group]; index == s.index && b.Hash() != s.hash {
			t.Errorf("shard %d at %d: the actors have %x, the log replays to %x", group, index, s.hash, b.Hash())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range books {
		b.Each(func(l *stock.Ledger) { r.take(t, l) })
	}
	return r
}

// take adds a SKU's orders up and holds them against its counters.
func (r *replayed) take(t *testing.T, l *stock.Ledger) {
	var held, sold int64
	for _, o := range l.Orders() {
		if _, twice := r.orders[o.Key]; twice {
			t.Errorf("key %s has two orders", o.Key)
		}
		r.orders[o.Key] = o
		switch o.State {
		case stock.StateHeld:
			held += o.Qty
		case stock.StateConfirmed:
			sold += o.Qty - o.ReturnedQty
		case stock.StateExpired:
			r.expired++
		}
	}
	s := *l.View()
	r.skus[s.SKU] = s
	if s.Broken || s.Held != held || s.Sold != sold || s.Available != s.Stock-held-sold {
		t.Errorf("%+v, its orders hold %d and have bought %d", s, held, sold)
	}
}

// audit holds what callers were told against the log: each acknowledged order is there once, no other is, and none has another state.
func (m *market) audit(r *replayed) {
	m.t.Helper()
	if len(r.orders) != len(m.told) {
		m.t.Errorf("%d orders in the log, %d acknowledged", len(r.orders), len(m.told))
	}
	counters := make(map[string][]stock.Order)
	for key, cl := range m.told {
		o, ok := r.orders[key]
		state := o.State.String()
		if !ok || o.ID.String() != cl.id || o.SKU != cl.sku || state != cl.state && !(state == "expired" && cl.state == "held") {
			m.t.Fatalf("the caller was told %+v, the log says %+v", *cl, o)
		}
		counters[cl.sku] = append(counters[cl.sku], o)
	}
	for sku, orders := range counters {
		slices.SortFunc(orders, func(a, b stock.Order) int { return cmp.Compare(a.ID.Counter, b.ID.Counter) })
		for i, o := range orders {
			if at := m.told[o.Key].index; o.ID.Counter != uint64(i+1) || i > 0 && at < m.told[orders[i-1].Key].index {
				m.t.Fatalf("%s: order %d of the SKU is %s, made at %d", sku, i+1, o.ID, at)
			}
		}
	}
}

// stored holds every row of storage, and the SKUs' counters, against the log.
func (m *market) stored(dir string, r *replayed) {
	m.t.Helper()
	rows, err := storage.ReadOrders(m.t.Context(), filepath.Join(dir, "orders.db"))
	if err != nil || len(rows) != len(r.orders) {
		m.t.Fatalf("%d rows for %d orders: %v", len(rows), len(r.orders), err)
	}
	for _, row := range rows {
		o := r.orders[row.Key]
		if row.ID != o.ID.String() || row.State != o.State.String() || row.Qty != o.Qty || row.ReturnedQty != o.ReturnedQty || row.Version != int64(o.Version) {
			m.t.Fatalf("the row is %+v, the order %+v", row, o)
		}
	}
	skus, err := storage.ReadSKUs(m.t.Context(), filepath.Join(dir, "orders.db"))
	if err != nil || len(skus) != len(r.skus) {
		m.t.Fatalf("%d SKUs stored of %d: %v", len(skus), len(r.skus), err)
	}
	for _, row := range skus {
		if s := r.skus[row.SKU]; row.Available != s.Available || row.Held != s.Held || row.Sold != s.Sold || row.Stock != s.Stock {
			m.t.Errorf("the row is %+v, the SKU %+v", row, s)
		}
	}
}

// A hundred callers change one SKU at once, to and fro and to what it is already, while it is sold; a SKU that is not there is not found.
func TestHundredCallersMoveOneSKU(t *testing.T) {
	dir := t.TempDir()
	n := open(t, config(dir))
	c := n.client(t)
	if _, err := c.CreateSKU(t.Context(), client.SKUSpec{SKU: "shoe", Stock: 1_000_000}); err != nil {
		t.Fatal(err)
	}
	m := openMarket(t, c)
	for w := range 4 {
		m.caller(fmt.Sprint("a", w), m.trade, "shoe")
	}
	var callers sync.WaitGroup
	for w := range 100 {
		callers.Go(func() {
			m.move("shoe", 2)
			hot := w%3 == 0
			for range 2 { // the second changes nothing
				if s, err := c.UpdateSKU(context.Background(), "shoe", client.SKUPatch{Hot: &hot}); err != nil || s.Hot != hot {
					t.Errorf("%+v %v", s, err)
				}
			}
			if _, err := c.UpdateSKU(context.Background(), fmt.Sprint("none-", rand.IntN(1000)), client.SKUPatch{Hot: &hot}); client.CodeOf(err) != "sku_not_found" {
				t.Errorf("a SKU that is not there: %v", err)
			}
		})
	}
	callers.Wait()
	m.close()
	l := recorded(t, n, dir)
	m.inOrder()
	m.audit(l)
	m.stored(dir, l)
}

// Orders flow at full speed while, in turn, nothing happens and a SKU of theirs changes places every few milliseconds. The times are printed.
func TestLatencyWhileSKUsMove(t *testing.T) {
	dir := t.TempDir()
	n := open(t, config(dir))
	c := n.client(t)
	for _, sku := range []string{"shoe", "boot"} {
		if _, err := c.CreateSKU(t.Context(), client.SKUSpec{SKU: sku, Stock: 10_000_000}); err != nil {
			t.Fatal(err)
		}
	}
	m := openMarket(t, c)
	m.watch.enter("warm")
	for w := range 16 {
		m.caller(fmt.Sprint("a", w), m.trade, "shoe", "boot")
	}
	pass(t)
	moved := 0
	for range *laps {
		m.watch.enter("quiet")
		pass(t)
		m.watch.enter("moves")
		tick := time.NewTicker(5 * time.Millisecond)
		for end := time.Now().Add(*phaseFor); time.Now().Before(end); <-tick.C {
			m.move([]string{"shoe", "boot"}[moved%2], 2)
			moved += 2
		}
		tick.Stop()
	}
	m.watch.enter("end")
	pass(t)
	m.close()
	t.Logf("%d moves", moved)
	m.watch.report(t, "quiet")
	m.inOrder()
	m.audit(recorded(t, n, dir))
}
