package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/bench/sale"
)

// shop is a target in memory. What a test changes in it between the answers and the audit is a lie.
type shop struct {
	mu       sync.Mutex
	skus     map[string]*sale.Counters
	orders   []sale.Stored
	rows     []sale.Stored // storage; nil: the orders
	mute     error         // of Counters, Orders and Stored
	resolved map[string]sale.Answer
	asked    []string // by Resolve
}

var (
	_ sale.Target = (*shop)(nil)
	_ sale.Storer = (*shop)(nil)
)

func (s *shop) About() sale.About { return sale.About{Name: "shop", Sink: "rows"} }

func (s *shop) Create(_ context.Context, skus []sale.SKU) error {
	s.skus = make(map[string]*sale.Counters)
	for _, sku := range skus {
		s.skus[sku.Name] = &sale.Counters{Stock: sku.Stock, Available: sku.Stock}
	}
	return nil
}

func (s *shop) Place(_ context.Context, orders []sale.Order, answers []sale.Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, o := range orders {
		c := s.skus[o.SKU]
		if c.Available < o.Qty {
			answers[i] = sale.Answer{Verdict: sale.Refused, Reason: "sold_out"}
			if c.Available > 0 {
				answers[i].Reason = "insufficient_stock"
			}
			continue
		}
		c.Available -= o.Qty
		c.Held += o.Qty
		id := fmt.Sprint("id-", len(s.orders))
		s.orders = append(s.orders, sale.Stored{ID: id, Key: o.Key, SKU: o.SKU, User: o.User, Qty: o.Qty, State: "held"})
		answers[i] = sale.Answer{Verdict: sale.Accepted, ID: id}
	}
}

func (s *shop) Counters(_ context.Context, sku string) (sale.Counters, error) {
	return *s.skus[sku], s.mute
}

func (s *shop) Resolve(_ context.Context, o sale.Order) (sale.Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, o.Key)
	if a, known := s.resolved[o.Key]; known {
		return a, nil
	}
	return sale.Answer{}, errors.New("nobody knows")
}

func (s *shop) Orders(_ context.Context, _ []string, visit func(sale.Stored)) error {
	for _, o := range s.orders {
		visit(o)
	}
	return s.mute
}

func (s *shop) Stored(_ context.Context, _ []string, visit func(sale.Stored)) error {
	rows := s.rows
	if rows == nil {
		rows = s.orders
	}
	for _, o := range rows {
		visit(o)
	}
	return s.mute
}

func (s *shop) Close() error { return nil }

// state puts an order into a state.
func (s *shop) state(i int, state string) { s.orders[i].State = state }

// fixture is a sale of ten orders of one unit, of 100 units of a shoe, limited to one a user.
type fixture struct {
	*shop
	*Ledger
	orders  []sale.Order
	answers []sale.Answer
}

func soldTen(cfg Config, sku sale.SKU) *fixture {
	f := &fixture{shop: &shop{resolved: make(map[string]sale.Answer)}, Ledger: NewLedger(cfg)}
	_ = f.Create(context.Background(), []sale.SKU{sku})
	f.Sell(sku)
	for i := range 10 {
		f.buy(i%2, sale.Order{Key: fmt.Sprint("key-", i), SKU: sku.Name, User: fmt.Sprint("user-", i), Qty: 1})
	}
	return f
}

// buy places an order and tells the ledger.
func (f *fixture) buy(caller int, o sale.Order) sale.Answer {
	answers := make([]sale.Answer, 1)
	f.Place(context.Background(), []sale.Order{o}, answers)
	f.Told(caller, o, answers[0])
	f.orders, f.answers = append(f.orders, o), append(f.answers, answers[0])
	return answers[0]
}

// counts are the promises broken.
func counts(f Findings) [5]int64 {
	return [5]int64{f.Oversold, f.Undersold, f.Lost, f.Duplicated, f.LimitBroken}
}

func (f *fixture) check(t *testing.T, want [5]int64) Findings {
	t.Helper()
	found, err := Check(context.Background(), f.Ledger, f.shop)
	if err != nil {
		t.Fatal(err)
	}
	if counts(found) != want {
		t.Fatalf("oversold, undersold, lost, duplicated, limit broken: %v, want %v\n%s", counts(found), want, strings.Join(found.Texts, "\n"))
	}
	if found.Broken() != (want != [5]int64{}) || found.Broken() && len(found.Texts) == 0 {
		t.Fatalf("%+v", found)
	}
	return found
}

var shoe = sale.SKU{Name: "shoe", Stock: 100, LimitPerUser: 1}

func order(key, user string) sale.Order { return sale.Order{Key: key, SKU: "shoe", User: user, Qty: 1} }

// none of the promises broken, and each of them alone.
var (
	none        = [5]int64{}
	oversold    = [5]int64{1}
	undersold   = [5]int64{0, 1}
	lost        = [5]int64{0, 0, 1}
	duplicated  = [5]int64{0, 0, 0, 1}
	limitBroken = [5]int64{0, 0, 0, 0, 1}
)

func TestEachLieIsCounted(t *testing.T) {
	for name, c := range map[string]struct {
		stock int64
		lie   func(f *fixture)
		want  [5]int64
	}{
		"a right sale": {100, func(*fixture) {}, none},
		"sold out":     {10, func(f *fixture) { f.buy(0, order("late", "late")) }, none},
		"one unit too many, and it is told": {9, func(f *fixture) {
			f.skus["shoe"].Available++ // of a lie
			f.buy(0, order("tenth", "tenth"))
			f.skus["shoe"].Available--
		}, oversold},
		"one unit appears":    {100, func(f *fixture) { f.skus["shoe"].Available++ }, oversold},
		"one unit disappears": {100, func(f *fixture) { f.skus["shoe"].Available-- }, undersold},
		"refused, and it is left": {11, func(f *fixture) {
			f.Told(0, order("late", "late"), sale.Answer{Verdict: sale.Refused, Reason: "sold_out"})
		}, undersold},
		"refused as pending, and it is left": {11, func(f *fixture) {
			f.Told(0, order("late", "late"), sale.Answer{Verdict: sale.Refused, Reason: "sold_out_pending"})
		}, undersold},
		"too few for one who wanted two": {11, func(f *fixture) {
			f.buy(0, sale.Order{Key: "late", SKU: "shoe", User: "late", Qty: 2})
		}, none},
		"enough for one who wanted two": {12, func(f *fixture) {
			f.Told(0, sale.Order{Key: "late", SKU: "shoe", User: "late", Qty: 2}, sale.Answer{Verdict: sale.Refused, Reason: "insufficient_stock"})
		}, undersold},
		"refused, and one came back later": {10, func(f *fixture) {
			f.buy(0, order("late", "late"))
			f.Settled(0, f.orders[3], f.answers[3].ID, sale.Cancel, sale.Answer{Verdict: sale.Accepted})
			f.state(3, "cancelled")
			f.skus["shoe"].Held--
			f.skus["shoe"].Available++
		}, none},
		"acknowledged and not there": {100, func(f *fixture) {
			f.shop.orders = f.shop.orders[:9]
			f.skus["shoe"].Held--
			f.skus["shoe"].Available++
		}, lost},
		"acknowledged and not in storage":  {100, func(f *fixture) { f.rows = f.shop.orders[:9] }, lost},
		"cancelled by nobody":              {100, func(f *fixture) { f.state(3, "cancelled") }, lost},
		"of another user":                  {100, func(f *fixture) { f.shop.orders[3].User = "somebody else" }, lost},
		"of another quantity":              {100, func(f *fixture) { f.shop.orders[3].Qty = 2 }, [5]int64{0, 0, 1, 0, 1}},
		"with another key":                 {100, func(f *fixture) { f.shop.orders[3].Key = "another" }, lost},
		"returned in part by nobody":       {100, func(f *fixture) { f.shop.orders[3].Returned = 1 }, lost},
		"in a state nobody knows":          {100, func(f *fixture) { f.state(3, "mislaid") }, lost},
		"paid, and it is held":             {100, func(f *fixture) { f.settled(sale.Pay, sale.Accepted) }, lost},
		"the counters forget one":          {100, func(f *fixture) { f.skus["shoe"].Held--; f.skus["shoe"].Available++ }, lost},
		"the counters count one twice":     {100, func(f *fixture) { f.skus["shoe"].Held++; f.skus["shoe"].Available-- }, duplicated},
		"a refused order is there":         {100, func(f *fixture) { f.hide(order("late", "late"), sale.Refused) }, duplicated},
		"a failed order is there":          {100, func(f *fixture) { f.hide(order("late", "late"), sale.Failed) }, duplicated},
		"a key twice":                      {100, func(f *fixture) { f.hide(order("key-3", "a user"), sale.Failed) }, duplicated},
		"an order twice in storage":        {100, func(f *fixture) { f.rows = append(f.shop.orders[:10:10], f.shop.orders[3]) }, duplicated},
		"a user buys twice":                {100, func(f *fixture) { f.buy(1, order("again", "user-3")) }, limitBroken},
		"a user buys again after a return": {100, func(f *fixture) { f.bringBack(); f.buy(1, order("again", "user-3")) }, none},
		"refused above the limit, with units": {100, func(f *fixture) {
			f.Told(0, order("again", "user-3"), sale.Answer{Verdict: sale.Refused, Reason: "limit_exceeded"})
		}, none},
	} {
		t.Run(name, func(t *testing.T) {
			sku := shoe
			sku.Stock = c.stock
			f := soldTen(Config{Callers: 2}, sku)
			c.lie(f)
			f.check(t, c.want)
		})
	}
}

// settled tells the ledger of a step with the fourth order, and nobody else.
func (f *fixture) settled(step sale.Step, v sale.Verdict) {
	f.Settled(1, f.orders[3], f.answers[3].ID, step, sale.Answer{Verdict: v})
}

// bringBack pays and returns the fourth order.
func (f *fixture) bringBack() {
	f.settled(sale.Pay, sale.Accepted)
	f.settled(sale.Return, sale.Accepted)
	f.state(3, "returned")
	f.shop.orders[3].Returned = 1
	f.skus["shoe"].Held--
	f.skus["shoe"].Available++
}

// hide places an order and tells its caller something else.
func (f *fixture) hide(o sale.Order, v sale.Verdict) {
	answers := make([]sale.Answer, 1)
	f.Place(context.Background(), []sale.Order{o}, answers)
	f.Told(0, o, sale.Answer{Verdict: v, Reason: "frozen"})
}

func TestUnknownOutcomes(t *testing.T) {
	f := soldTen(Config{Callers: 2}, shoe)
	late := order("late", "late")
	answers := make([]sale.Answer, 1)
	f.Place(context.Background(), []sale.Order{late}, answers)
	f.Told(0, late, sale.Answer{})
	f.Told(1, order("never", "never"), sale.Answer{})
	f.resolved["late"], f.resolved["never"] = answers[0], sale.Answer{Verdict: sale.Failed, Reason: "fenced"}
	if found := f.check(t, none); found.Accepted != 11 || found.Checked != 11 || found.Unresolved != 0 || len(f.asked) != 2 {
		t.Fatalf("%+v %v", found, f.asked)
	}

	// It said that the order never came.
	f = soldTen(Config{}, shoe)
	f.Place(context.Background(), []sale.Order{late}, answers)
	f.Told(0, late, sale.Answer{})
	f.resolved["late"] = sale.Answer{Verdict: sale.Failed}
	f.check(t, duplicated)

	// Nobody can say: it may be there, or not.
	for _, there := range []bool{true, false} {
		f = soldTen(Config{}, shoe)
		if there {
			f.Place(context.Background(), []sale.Order{late}, answers)
		}
		f.Told(0, late, sale.Answer{})
		if found := f.check(t, none); found.Unresolved != 1 {
			t.Fatalf("%+v", found)
		}
	}
}

func TestStepsAreFollowed(t *testing.T) {
	for name, c := range map[string]struct {
		step    sale.Step
		verdict sale.Verdict
		state   string
		want    [5]int64
	}{
		"paid":                               {sale.Pay, sale.Accepted, "confirmed", none},
		"perhaps paid, and it was":           {sale.Pay, sale.Unknown, "confirmed", none},
		"perhaps paid, and it was not":       {sale.Pay, sale.Unknown, "held", none},
		"perhaps paid, and it was cancelled": {sale.Pay, sale.Unknown, "cancelled", [5]int64{0, 0, 1}},
		"not paid, and it was":               {sale.Pay, sale.Refused, "confirmed", lost},
		"cancelled":                          {sale.Cancel, sale.Accepted, "cancelled", none},
		"cancelled, and it is held":          {sale.Cancel, sale.Accepted, "held", [5]int64{0, 0, 1, 1}},
		"perhaps cancelled, and it was":      {sale.Cancel, sale.Unknown, "cancelled", none},
	} {
		t.Run(name, func(t *testing.T) {
			f := soldTen(Config{Callers: 2}, shoe)
			f.settled(c.step, c.verdict)
			f.state(3, c.state)
			s := f.skus["shoe"]
			switch c.state {
			case "confirmed":
				s.Held, s.Sold = 9, 1
			case "cancelled":
				s.Held, s.Available = 9, 91
			}
			f.check(t, c.want)
		})
	}
}

func TestExpiry(t *testing.T) {
	brief := shoe
	brief.HoldTTL = time.Nanosecond
	expire := func(f *fixture, orders int) {
		for i := range orders {
			f.state(i, "expired")
		}
		f.skus["shoe"].Held -= int64(orders)
		f.skus["shoe"].Available += int64(orders)
	}
	t.Run("some have expired", func(t *testing.T) {
		f := soldTen(Config{}, brief)
		expire(f, 4)
		f.check(t, none)
	})
	t.Run("all have to", func(t *testing.T) {
		f := soldTen(Config{}, brief)
		expire(f, 10)
		f.Lapsed("shoe")
		f.check(t, none)
	})
	t.Run("all have to, and one has not", func(t *testing.T) {
		f := soldTen(Config{}, brief)
		expire(f, 9)
		f.Lapsed("shoe")
		f.check(t, [5]int64{0, 0, 1, 1})
	})
	t.Run("too early", func(t *testing.T) {
		long := shoe
		long.HoldTTL = time.Hour
		f := soldTen(Config{}, long)
		expire(f, 1)
		f.check(t, lost)
	})
}

// TestSample holds more orders than are kept one by one.
func TestSample(t *testing.T) {
	const orders = 20_000
	run := func(lie func(s *shop)) Findings {
		f := &fixture{shop: &shop{}, Ledger: NewLedger(Config{Callers: 2, MaxOrders: 2 * chunkEntries})}
		sku := sale.SKU{Name: "shoe", Stock: orders, LimitPerUser: 1}
		_ = f.Create(context.Background(), []sale.SKU{sku})
		f.Sell(sku)
		for i := range orders {
			f.buy(i%2, order(fmt.Sprint("key-", i), fmt.Sprint("user-", i)))
		}
		lie(f.shop)
		found, err := Check(context.Background(), f.Ledger, f.shop)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	found := run(func(*shop) {})
	if found.Broken() || found.Accepted != orders || found.Checked < chunkEntries/2 || found.Checked > 2*chunkEntries || len(found.Texts) != 1 {
		t.Fatalf("%+v", found)
	}
	// One order in a sea of them: the exact counts tell, whether or not it is in the sample.
	if found = run(func(s *shop) { s.rows = s.orders[1:] }); counts(found) != lost {
		t.Fatalf("%+v", found)
	}
	if found = run(func(s *shop) {
		s.rows = append(s.orders[:orders:orders], sale.Stored{ID: "x", Key: "x", SKU: "shoe", Qty: 1})
	}); counts(found) != duplicated {
		t.Fatalf("%+v", found)
	}
}

func TestCheckFailsWithItsTarget(t *testing.T) {
	f := soldTen(Config{}, shoe)
	f.mute = errors.New("gone")
	if _, err := Check(context.Background(), f.Ledger, f.shop); !errors.Is(err, f.mute) {
		t.Fatal(err)
	}
	f = soldTen(Config{}, shoe)
	f.Told(0, sale.Order{Key: "k", SKU: "hat"}, sale.Answer{Verdict: sale.Accepted})
	if _, err := Check(context.Background(), f.Ledger, f.shop); !errors.Is(err, ErrStray) {
		t.Fatal(err)
	}
}

// lookups is a shop that cannot list its orders.
type lookups struct {
	*shop
	wanted int
}

var _ sale.Picker = (*lookups)(nil)

func (s *lookups) Pick(ctx context.Context, skus []string, wanted func(string) bool, visit func(sale.Stored)) error {
	return s.shop.Orders(ctx, skus, func(o sale.Stored) {
		if wanted(o.ID) {
			s.wanted++
			o.Key = ""
			visit(o)
		}
	})
}

func TestOrdersAreLookedUp(t *testing.T) {
	f := soldTen(Config{}, shoe)
	s := &lookups{shop: f.shop}
	found, err := Check(context.Background(), f.Ledger, s)
	if err != nil || found.Broken() || s.wanted != 10 {
		t.Fatalf("%+v %v %d", found, err, s.wanted)
	}
	f = soldTen(Config{}, shoe)
	f.shop.orders, f.rows = f.shop.orders[1:], f.shop.orders
	if found, err = Check(context.Background(), f.Ledger, &lookups{shop: f.shop}); err != nil || counts(found) != lost {
		t.Fatalf("%+v %v", found, err)
	}
}

// TestFewOrdersAreLookedUp holds all orders against storage and a part of them against the target.
func TestFewOrdersAreLookedUp(t *testing.T) {
	const orders, most = 2000, 300
	for name, c := range map[string]struct {
		lie  func(s *shop)
		want [5]int64
	}{
		"right":                {func(*shop) {}, none},
		"storage lacks one":    {func(s *shop) { s.rows = s.orders[1:] }, lost},
		"the target lacks all": {func(s *shop) { s.rows, s.orders = s.orders, nil }, [5]int64{0, 0, -1}},
		"a user has two":       {func(s *shop) { s.orders[1].User = s.orders[0].User }, [5]int64{0, 0, 1, 0, 1}},
	} {
		f := &fixture{shop: &shop{}, Ledger: NewLedger(Config{MaxLookups: most})}
		sku := sale.SKU{Name: "shoe", Stock: orders, LimitPerUser: 1}
		_ = f.Create(context.Background(), []sale.SKU{sku})
		f.Sell(sku)
		for i := range orders {
			f.buy(0, order(fmt.Sprint("key-", i), fmt.Sprint("user-", i)))
		}
		c.lie(f.shop)
		s := &lookups{shop: f.shop}
		found, err := Check(context.Background(), f.Ledger, s)
		if c.want[2] < 0 && found.Lost > most/4 && found.Lost <= most {
			c.want[2] = found.Lost
		}
		if err != nil || counts(found) != c.want || s.wanted > most || found.Checked != orders || len(found.Texts) == 0 {
			t.Errorf("%s: %+v %v", name, found, err)
		}
	}
}

func BenchmarkTold(b *testing.B) {
	l := NewLedger(Config{Callers: 1})
	l.Sell(shoe)
	orders, answers := make([]sale.Order, 1000), make([]sale.Answer, 1000)
	for i := range orders {
		orders[i] = order(fmt.Sprint("prefix-of-a-run-", i), fmt.Sprint("user-of-a-run-", i))
		answers[i] = sale.Answer{Verdict: sale.Accepted, ID: fmt.Sprint("00000000000", i)}
	}
	for b.Loop() {
		l.ToldAll(0, orders, answers)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/order")
}
