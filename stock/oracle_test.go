package stock_test

import (
	"bytes"
	"flag"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"holdfast/stock"
	"holdfast/stock/stocktest"
)

var (
	sequences = flag.Int("sequences", 100_000, "random sequences to hold against the oracle")
	from      = flag.Uint64("from", 1, "seed of the first random sequence")
)

// TestOracle holds the domain against the naive oracle on random sequences: every outcome, and in the end every order and every SKU.
func TestOracle(t *testing.T) {
	n := *sequences
	if testing.Short() {
		n = min(n, 5_000)
	}
	every := 25
	if n == 1 {
		every = 1 // a single sequence is looked at closely
	}
	var next, steps, accepted atomic.Uint64
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= uint64(n) || t.Failed() {
					return
				}
				seed := *from + i
				diff, ok, count := against(stocktest.Random(seed, 50), seed%16 == 0, every)
				if diff != "" {
					t.Errorf("seed %d: %s\nrun it alone: go test ./stock -run TestOracle -args -sequences 1 -from %d", seed, diff, seed)
				}
				accepted.Add(ok)
				steps.Add(count)
			}
		})
	}
	wg.Wait()
	t.Logf("sequences=%d commands=%d accepted=%d", n, steps.Load(), accepted.Load())
	if accepted.Load() < uint64(n) {
		t.Errorf("vacuous: %d accepted in %d sequences", accepted.Load(), n)
	}
}

func TestOracleRapid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if diff, _, _ := against(stocktest.Sequence(60).Draw(t, "steps"), true, 1); diff != "" {
			t.Fatal(diff)
		}
	})
}

// against plays a sequence on the domain and the oracle. With cuts, the domain is written to a snapshot and read back now and then, and every
// copy must answer alike and end with the same hash; a copy made later checks the hash of an earlier place. The hash that is kept up with the
// changes is held against one from scratch after each step when they are looked at one by one, and with cuts now and then.
func against(steps []stocktest.Step, cuts bool, step int) (diff string, accepted, count uint64) {
	o, books := stocktest.NewOracle(), []*stock.Book{stock.NewBook()}
	for i, s := range steps {
		want, meaningful := o.Apply(s.At, s.Command)
		for k, b := range books {
			at := b.Begin(stock.Header{Clock: s.At.Now}, s.At.Index)
			got := b.Apply(at, s.Command)
			if k == 0 && (step == 1 || cuts && i%8 == 0) && b.Hash() != b.Cut().Hash() {
				return fmt.Sprintf("step %d, %v: the hash kept up is not the one from scratch", i, s), accepted, uint64(i)
			}
			if !meaningful {
				continue
			}
			if d := stocktest.Compare(want, got); d != "" {
				return fmt.Sprintf("step %d of copy %d, %v: %s", i, k, s, d), accepted, uint64(i)
			}
		}
		if i%step == 0 {
			if d := compareState(o, books[0]); d != "" {
				return fmt.Sprintf("after step %d, %v: %s", i, s, d), accepted, uint64(i)
			}
		}
		if want.Code == stock.OK {
			accepted++
		}
		if cuts && i%17 == 5 {
			restored, err := copyOf(books[0])
			if err != nil {
				return fmt.Sprintf("step %d: %v", i, err), accepted, uint64(i)
			}
			books = append(books, restored)
		}
	}
	for k, b := range books[1:] {
		if b.Hash() != books[0].Hash() {
			return fmt.Sprintf("copy %d has another hash at the end", k+1), accepted, uint64(len(steps))
		}
	}
	return compareState(o, books[0]), accepted, uint64(len(steps))
}

func copyOf(b *stock.Book) (*stock.Book, error) {
	var buf bytes.Buffer
	if _, err := b.Cut().WriteTo(&buf); err != nil {
		return nil, err
	}
	return stock.ReadSnapshot(&buf)
}

func compareState(o *stocktest.Oracle, b *stock.Book) string {
	var got []stock.Order
	diff := ""
	b.Each(func(l *stock.Ledger) {
		got = append(got, l.Orders()...)
		if d := stocktest.CompareSKUs(o.Counters(l.Name()), *l.View()); d != "" && diff == "" {
			diff = d
		}
	})
	if diff == "" {
		diff = stocktest.CompareOrders(o.Orders(), got)
	}
	return diff
}
