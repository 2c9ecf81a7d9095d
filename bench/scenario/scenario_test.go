package scenario

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/bench/audit"
	"holdfast/bench/load"
	"holdfast/bench/sale"
	"holdfast/bench/target/inprocess"
	"holdfast/node"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counter is a target that accepts everything and counts what it is asked.
type counter struct {
	mu     sync.Mutex
	skus   []sale.SKU
	orders []sale.Order
}

func (c *counter) About() sale.About { return sale.About{Name: "counter"} }

func (c *counter) Create(_ context.Context, skus []sale.SKU) error {
	c.skus = append(c.skus, skus...)
	return nil
}

func (c *counter) Place(_ context.Context, orders []sale.Order, answers []sale.Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.orders = append(c.orders, orders...)
	for i := range answers {
		answers[i] = sale.Answer{Verdict: sale.Accepted, ID: orders[i].Key}
	}
}

func (c *counter) Counters(context.Context, string) (sale.Counters, error) {
	return sale.Counters{}, nil
}

func (c *counter) Resolve(context.Context, sale.Order) (sale.Answer, error) {
	return sale.Answer{}, nil
}

func (c *counter) Orders(context.Context, []string, func(sale.Stored)) error { return nil }

func (c *counter) Close() error { return nil }

// ask plays so many calls of each of two callers.
func ask(t *testing.T, name string, p Params, calls int) *counter {
	t.Helper()
	c := &counter{}
	p.Callers = 2
	s, err := New(name, p, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Prepare(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	call := s.Call()
	for i := range 2 * calls {
		var r load.Record
		if call(context.Background(), i%2, &r); r.Accepted != max(1, p.Batch) {
			t.Fatalf("%+v", r)
		}
	}
	if len(s.SKUs()) != len(c.skus) || s.Name() != name || s.Ledger().Accepted() != int64(len(c.orders)) {
		t.Fatalf("%s: %d SKUs, %d orders in the ledger of %d", s.Name(), len(s.SKUs()), s.Ledger().Accepted(), len(c.orders))
	}
	return c
}

func keysOf(c *counter) map[string]bool {
	keys := make(map[string]bool)
	for _, o := range c.orders {
		keys[o.Key] = true
	}
	return keys
}

func TestOrdersComeFromTheSeed(t *testing.T) {
	for _, name := range []string{Hot, Soldout, Zipf, Flash} {
		p := Params{Seed: 7, Run: "a", Batch: 10, Skew: 1}
		one, same := ask(t, name, p, 50), ask(t, name, p, 50)
		for i := range one.orders {
			if one.orders[i] != same.orders[i] {
				t.Fatalf("%s: %+v and %+v", name, one.orders[i], same.orders[i])
			}
		}
		keys := keysOf(one)
		if len(keys) != 1000 {
			t.Fatalf("%s: %d keys for 1000 orders", name, len(keys))
		}
		for _, q := range []Params{{Seed: 7, Run: "b", Batch: 10}, {Seed: 8, Run: "a", Batch: 10}, {Seed: 7, Batch: 10}} {
			other := ask(t, name, q, 50)
			for key := range keysOf(other) {
				if keys[key] {
					t.Fatalf("%s: the key %s of two runs", name, key)
				}
			}
			if other.skus[0].Name == one.skus[0].Name {
				t.Fatalf("%s: the SKU %s of two runs", name, one.skus[0].Name)
			}
		}
	}
}

func TestWhoAsksHowOften(t *testing.T) {
	for name, want := range map[string]int{Hot: 1, Soldout: 1, Zipf: 1, Flash: 2} {
		c, times := ask(t, name, Params{Batch: 10}, 20), make(map[string]int)
		for _, o := range c.orders {
			times[o.User]++
			if o.Qty != 1 {
				t.Fatalf("%+v", o)
			}
		}
		for user, n := range times {
			if n != want {
				t.Fatalf("%s: %s asks %d times", name, user, n)
			}
		}
	}
}

func TestPayloadAndPreload(t *testing.T) {
	c := ask(t, Hot, Params{PayloadBytes: 201, Preload: 1234}, 3)
	if len(c.orders) != 1240 {
		t.Fatalf("%d orders", len(c.orders))
	}
	for _, o := range c.orders {
		if len(o.Key) != 100 || len(o.User) != 101 || strings.Contains(o.Key, o.User) {
			t.Fatalf("%+v", o)
		}
	}
}

func TestPopular(t *testing.T) {
	for _, skew := range []float64{0, 0.5, 1, 2} {
		const n, draws = 10, 200_000
		p, r := newPopular(n, skew), newRandom(1, 0)
		var got [n]float64
		for range draws {
			got[p.draw(&r)]++
		}
		sum := 0.0
		for i := range n {
			sum += math.Pow(float64(i+1), -skew)
		}
		for i := range n {
			want := draws * math.Pow(float64(i+1), -skew) / sum
			if math.Abs(got[i]-want) > 6*math.Sqrt(want) {
				t.Errorf("skew %v: %d drawn %v times, want %.0f", skew, i, got[i], want)
			}
		}
	}
}

func TestRefusedToPlay(t *testing.T) {
	for _, c := range []struct {
		name string
		p    Params
		want error
	}{
		{"tepid", Params{}, ErrUnknown}, {Hot, Params{Batch: -1}, ErrUnknown}, {Zipf, Params{Skew: math.NaN()}, ErrUnknown},
		{Hot, Params{PayloadBytes: 257}, ErrUnknown}, {Lifecycle, Params{}, ErrTarget}, {Failover, Params{}, ErrTarget},
	} {
		if _, err := New(c.name, c.p, &counter{}); !errors.Is(err, c.want) {
			t.Errorf("%s %+v: %v", c.name, c.p, err)
		}
	}
}

// callsOf has each caller make so many calls.
func callsOf(callers, calls int) func(context.Context, load.Call) load.Record {
	return func(ctx context.Context, call load.Call) (sum load.Record) {
		var mu sync.Mutex
		var wg sync.WaitGroup
		for caller := range callers {
			wg.Go(func() {
				for range calls {
					var r load.Record
					call(ctx, caller, &r)
					mu.Lock()
					sum.Accepted += r.Accepted
					sum.Refused += r.Refused
					for reason, n := range r.Reasons {
						because(&sum, reason, n)
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		return sum
	}
}

// play runs a scenario and audits it.
func play[R any](
	t *testing.T, name string, p Params, target sale.Target, run func(context.Context, load.Call) R,
) (Scenario, R, audit.Findings) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	s, err := New(name, p, target)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Prepare(ctx, target); err != nil {
		t.Fatal(err)
	}
	r := run(ctx, s.Call())
	if err := s.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	found, err := audit.Check(ctx, s.Ledger(), target)
	if err != nil {
		t.Fatal(err)
	}
	if found.Broken() || found.Unresolved != 0 || found.Accepted == 0 || found.Checked != found.Accepted || found.Stored != found.Accepted {
		t.Fatalf("%s: %+v", name, found)
	}
	return s, r, found
}

func openTarget(t *testing.T, nodes int) *inprocess.Target {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	target, err := inprocess.Open(ctx, inprocess.Config{
		Nodes: nodes, Dir: t.TempDir(), Change: func(c *node.Config) { c.WALSegmentBytes = 4 << 20 },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := target.Close(); err != nil {
			t.Error(err)
		}
	})
	return target
}

// TestEachIsPlayed plays every scenario but failover against one node, and audits it.
func TestEachIsPlayed(t *testing.T) {
	target := openTarget(t, 1)
	for name, c := range map[string]struct {
		p    Params
		want func(r load.Record, f audit.Findings) bool
	}{
		Hot:     {Params{Preload: 100}, func(r load.Record, f audit.Findings) bool { return f.Accepted == 1100 && r.Refused == 0 }},
		Soldout: {Params{Stock: 50}, func(r load.Record, f audit.Findings) bool { return f.Accepted == 50 && r.Refused == 950 }},
		Zipf:    {Params{SKUs: 20, Skew: 1}, func(r load.Record, f audit.Findings) bool { return f.Accepted == 1000 }},
		Flash: {Params{Stock: 400}, func(r load.Record, f audit.Findings) bool {
			return f.Accepted == 400 && r.Reasons["limit_exceeded"] > 0 && r.Reasons["sold_out_pending"] > 0
		}},
		Lifecycle: {Params{SKUs: 3, HoldTTL: 700 * time.Millisecond}, func(r load.Record, _ audit.Findings) bool {
			return r.Accepted > 0 && r.Reasons["limit_exceeded"] > 0
		}},
	} {
		c.p.Callers, c.p.Batch = 4, 5
		_, r, found := play(t, name, c.p, target, callsOf(4, 50))
		if !c.want(r, found) {
			t.Errorf("%s: %+v %+v", name, r, found)
		}
	}
}

// TestEveryStepIsTaken holds that a lifecycle leaves orders in every state.
func TestEveryStepIsTaken(t *testing.T) {
	target := openTarget(t, 1)
	p := Params{Callers: 2, Batch: 20, SKUs: 2, HoldTTL: 5 * time.Second, Preload: 10}
	s, _, _ := play(t, Lifecycle, p, target, callsOf(2, 20))
	states := make(map[string]int)
	if err := target.Orders(context.Background(), s.SKUs(), func(o sale.Stored) { states[o.State]++ }); err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{"confirmed", "cancelled", "expired", "returned"} {
		if states[state] == 0 {
			t.Errorf("no order is %s: %v", state, states)
		}
	}
	if len(states) != 4 {
		t.Errorf("%v", states)
	}
}

func TestFailoverMeasuresTheGap(t *testing.T) {
	target := openTarget(t, 3)
	p := Params{Seed: 3, Callers: 4, Batch: 3, Duration: 3 * time.Second}
	s, r, _ := play(t, Failover, p, target, func(ctx context.Context, call load.Call) *load.Report {
		r, err := load.Run(ctx, load.Config{Clients: p.Callers, Batch: p.Batch, Duration: p.Duration}, call)
		if err != nil {
			t.Fatal(err)
		}
		return r
	})
	gaps := s.(*failover).Gaps()
	if len(gaps) == 0 || gaps[0].GapMS <= 10 || gaps[0].AtS < 0.7 {
		t.Fatalf("%+v", gaps)
	}
	// Who asked in the gap waited for its end, or was told at its end that the order never came.
	slowest := time.Duration(max(r.Latency.Max(), r.Refusals.Max()))
	if gap := time.Duration(gaps[0].GapMS * float64(time.Millisecond)); slowest < gap/2 {
		t.Fatalf("a gap of %v, and the slowest order took %v", gap, slowest)
	}
}

func TestGaps(t *testing.T) {
	var g gaps
	at := func(ms int) time.Time { return time.Unix(1000, int64(ms)*int64(time.Millisecond)) }
	g.begin(at(0))
	for _, ms := range []int{10, 500, 510} { // 490 ms without a kill are no gap of one
		g.accepted(at(ms))
	}
	g.open(at(520))
	for _, ms := range []int{515, 530, 900, 905} {
		g.accepted(at(ms))
	}
	g.close()
	g.accepted(at(2000))
	if found := g.all(); len(found) != 1 || found[0] != (gap{at(520), 370 * time.Millisecond}) {
		t.Fatalf("%+v", found)
	}
}

// nothing is a target that does nothing: what is left is the harness.
type nothing struct{ counter }

func (n *nothing) Place(_ context.Context, _ []sale.Order, answers []sale.Answer) {
	for i := range answers {
		answers[i] = sale.Answer{Verdict: sale.Accepted, ID: "000nuB3kQb21"}
	}
}

// BenchmarkCall measures what a scenario and its ledger cost an order.
func BenchmarkCall(b *testing.B) {
	for _, name := range []string{Hot, Zipf, Flash} {
		b.Run("scenario="+name, func(b *testing.B) {
			const batch = 1000
			n := &nothing{}
			s, err := New(name, Params{Batch: batch, Skew: 1.1, SKUs: map[string]int{Zipf: 100_000}[name]}, n)
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Prepare(context.Background(), n); err != nil {
				b.Fatal(err)
			}
			call := s.Call()
			var r load.Record
			b.ReportAllocs()
			for b.Loop() {
				r = load.Record{Reasons: r.Reasons}
				call(context.Background(), 0, &r)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/order")
		})
	}
}
