package stocktest_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"holdfast/stock"
	"holdfast/stock/stocktest"
)

// skusOf returns the SKUs that a sequence has created so far.
func skusOf(o *stocktest.Oracle) []stock.SKU {
	var skus []stock.SKU
	for _, name := range []string{"tea", "cup", "jar"} {
		if s := o.Counters(name); s.Number != 0 {
			skus = append(skus, s)
		}
	}
	return skus
}

// follow plays a sequence under an audit and returns the first broken promise or "".
func follow(steps []stocktest.Step) string {
	o, a := stocktest.NewOracle(), newAudit()
	for i, s := range steps {
		out, _ := o.Apply(s.At, s.Command)
		if why := a.step(s, out, skusOf(o), o.Orders()); why != "" {
			return fmt.Sprintf("step %d, %v: %s", i, s, why)
		}
	}
	return ""
}

func TestRandomSequencesKeepThePromises(t *testing.T) {
	for seed := range uint64(3000) {
		if why := follow(stocktest.Random(seed, 60)); why != "" {
			t.Fatalf("seed %d, %s", seed, why)
		}
	}
}

func TestDrawnSequencesKeepThePromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if why := follow(stocktest.Sequence(60).Draw(t, "sequence")); why != "" {
			t.Fatal(why)
		}
	})
}

func TestRandomDependsOnTheSeedAlone(t *testing.T) {
	a, b, other := stocktest.Random(7, 80), stocktest.Random(7, 80), stocktest.Random(8, 80)
	if !reflect.DeepEqual(a, b) || reflect.DeepEqual(a, other) || len(a) != 80 {
		t.Fatal("want 80 steps, the same for the same seed, others for another")
	}
	if _, ok := a[0].Command.(*stock.Init); !ok {
		t.Errorf("first %v", a[0])
	}
	if !strings.Contains(a[2].String(), `"SKU":"tea"`) || !strings.Contains(a[0].String(), "1023 partitions") {
		t.Errorf("unreadable: %v, %v", a[0], a[2])
	}
}

// reached counts what a run of sequences came to: kinds of commands with their codes, and turns that no code shows.
func reached(seeds uint64) map[string]int {
	n := map[string]int{}
	for seed := range seeds {
		o := stocktest.NewOracle()
		for _, s := range stocktest.Random(seed, 60) {
			before := o.Orders()
			out, meant := o.Apply(s.At, s.Command)
			name := strings.TrimPrefix(fmt.Sprintf("%T", s.Command), "*stock.")
			if meant {
				n[name+" "+out.Code.String()]++
			}
			if out.Replayed {
				n[name+" replayed"]++
			}
			if remembered(o, s.Command, out) {
				n[name+" remembered"]++
			}
			after := o.Orders()
			if len(after) < len(before) {
				n[name+" evicts"]++
			}
			for _, was := range before {
				now := o.Read(&stock.GetOrder{Order: was.ID}).Order
				if now != nil && now.State == stock.StateExpired && !was.State.Settled() {
					n[name+" expires "+was.State.String()]++
				}
			}
		}
	}
	return n
}

// remembered reports whether a refusal for want of stock can only be an earlier one.
func remembered(o *stocktest.Oracle, c stock.Command, out stock.Outcome) bool {
	if out.Code != stock.SoldOut && out.Code != stock.SoldOutPending && out.Code != stock.InsufficientStock {
		return false
	}
	switch c := c.(type) {
	case *stock.Place:
		return o.Counters(c.SKU).Available >= c.Qty
	case *stock.Confirm:
		order := o.Read(&stock.GetOrder{Order: c.Order}).Order
		return o.Counters(order.SKU).Available >= order.Qty
	}
	return false
}

// TestSequencesReachEveryRule fails when the sequences no longer come to what they are for.
func TestSequencesReachEveryRule(t *testing.T) {
	n := reached(4000)
	for name, whats := range map[string]string{
		"Place": "ok replayed idempotency_key_reused fenced deadline_exceeded frozen not_started ended qty_above_max overloaded limit_exceeded " +
			"sold_out sold_out_pending insufficient_stock sku_not_found invalid_value",
		"Confirm": "ok order_not_found deadline_exceeded frozen sold_out insufficient_stock order_expired invalid_state duplicate_payment invalid_value",
		"Cancel":  "ok order_not_found deadline_exceeded invalid_state invalid_value",
		"Return":  "ok replayed idempotency_key_reused order_not_found deadline_exceeded invalid_state invalid_value",
		"Fence":   "ok replayed outcome_fenced deadline_exceeded sku_not_found invalid_value",
		"Adjust":  "ok replayed idempotency_key_reused deadline_exceeded insufficient_stock sku_not_found invalid_value",
		"Create":  "ok sku_exists deadline_exceeded invalid_value",
		"Update":  "ok deadline_exceeded sku_not_found invalid_value",
		"Freeze":  "ok deadline_exceeded sku_not_found invalid_value", "SetSettings": "ok deadline_exceeded", "FlushMark": "evicts",
	} {
		for what := range strings.FieldsSeq(whats) {
			if n[name+" "+what] < 20 {
				t.Errorf("%s %s: %d times", name, what, n[name+" "+what])
			}
		}
	}
	for _, what := range []string{
		"Place expires held", "Place expires open", "Adjust expires held", "Confirm expires held", "Confirm expires open",
		"Place remembered", "Confirm remembered", "Cancel expires held", "Cancel expires open", "Expire expires held", "Expire expires open",
	} {
		if n[what] < 10 {
			t.Errorf("%s: %d times", what, n[what])
		}
	}
	if t.Failed() || testing.Verbose() {
		var lines []string
		for what, times := range n {
			lines = append(lines, fmt.Sprintf("%7d %s", times, what))
		}
		slices.Sort(lines)
		t.Log("\n" + strings.Join(lines, "\n"))
	}
}

func TestTimeStandsStillAndLeaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ps := stocktest.Positions(200).Draw(t, "positions")
		for i, p := range ps[1:] {
			if was := ps[i]; p.Index < was.Index || p.Now < was.Now || p.Index == was.Index && p.Now != was.Now {
				t.Fatalf("%+v after %+v", p, was)
			}
		}
	})
	var entry, still, moved, leapt int
	for seed := range uint64(50) {
		steps := stocktest.Random(seed, 60)
		for i, s := range steps[1:] {
			switch was := steps[i].At; {
			case s.At.Index == was.Index && s.At.Now == was.Now:
				entry++
			case s.At.Index > was.Index && s.At.Now == was.Now:
				still++
			case s.At.Index > was.Index && s.At.Now-was.Now <= 6:
				moved++
			case s.At.Index > was.Index && s.At.Now > was.Now:
				leapt++
			default:
				t.Fatalf("seed %d: %+v after %+v", seed, s.At, was)
			}
		}
	}
	if min(entry, still, moved, leapt) < 100 {
		t.Errorf("same entry %d, time stands %d, moves %d, leaps %d", entry, still, moved, leapt)
	}
}
