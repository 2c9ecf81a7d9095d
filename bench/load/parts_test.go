package load

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A bucket here is a bucket of the library's histograms: every time lies in it, and the histogram says of it what the library says.
func TestBucketsAreThoseOfTheLibrary(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		d := time.Duration(math.Exp(chance.Float64() * math.Log(float64(longest))))
		b := bucketOf(d)
		if leastOf(b) > d || b+1 < bucketCount && leastOf(b+1) <= d {
			t.Fatalf("%v is in bucket %d, which begins at %v", d, b, leastOf(b))
		}
		theirs := NewHistogram()
		if err := theirs.RecordValue(int64(d)); err != nil {
			t.Fatal(err)
		}
		ours := newBuckets()
		ours.add(d, 1)
		sum := newTally()
		sum.take(ours)
		if got := sum.histogram(nil); !got.Equals(theirs) {
			t.Fatalf("%v is %d there and %d here", d, theirs.Max(), got.Max())
		}
		if off := float64(theirs.Max()-int64(d)) / float64(d); d > time.Microsecond*64 && off > 0.002 {
			t.Fatalf("%v is off by %v", d, off)
		}
	}
	all := newBuckets()
	all.add(-time.Second, 1) // a clock that steps back
	all.add(10*longest, 1)
	if all[0].Load() != 1 || all[bucketCount-1].Load() != 1 {
		t.Error("what is out of range is not at its ends")
	}
}

// Arrivals come as often as asked, know nothing of each other, and are the same for the same seed.
func TestSchedule(t *testing.T) {
	times := func(seed uint64) (all []float64) {
		s := newSchedule(seed, 1000, 2*time.Second, 12*time.Second)
		for at, ok := s.next(); ok; at, ok = s.next() {
			all = append(all, at.Seconds())
			s.advance()
		}
		return all
	}
	first, again, other := times(1), times(1), times(2)
	if fmt.Sprint(first) != fmt.Sprint(again) || fmt.Sprint(first) == fmt.Sprint(other) {
		t.Error("the seed does not decide")
	}
	if n := len(first); n < 9_600 || n > 10_400 || first[0] < 2 || first[n-1] >= 12 {
		t.Fatalf("%d arrivals from %v", len(first), first[0])
	}
	var sum, squares float64
	for i, at := range first[1:] {
		gap := at - first[i]
		sum, squares = sum+gap, squares+gap*gap
	}
	n := float64(len(first) - 1)
	mean := sum / n
	if spread := math.Sqrt(squares/n-mean*mean) / mean; spread < 0.95 || spread > 1.05 {
		t.Errorf("gaps spread by %v of their mean; by 1 in a Poisson process", spread)
	}
}

// Each call that is put is taken once, however many callers there are, and all leave at the end.
func TestQueue(t *testing.T) {
	const calls, callers = 5 * queueLength, 7
	q := newQueue(callers)
	var taken [calls]atomic.Int32
	var running sync.WaitGroup
	for range callers {
		running.Go(func() {
			for at, ok := q.await(); ok; at, ok = q.await() {
				taken[at].Add(1)
			}
		})
	}
	for i := 0; i < calls; {
		n := 0
		for ; n < 100 && i < calls && q.put(time.Duration(i)); i++ {
			n++
		}
		q.announce(n)
	}
	q.end()
	running.Wait()
	for i := range taken {
		if n := taken[i].Load(); n != 1 {
			t.Fatalf("call %d was taken %d times", i, n)
		}
	}
}

// A call costs no allocation of ours.
func TestNothingIsAllocatedPerCall(t *testing.T) {
	e := &engine{
		cfg: Config{}, call: func(_ context.Context, _ int, r *Record) { r.Refused = 1; r.Because("sold_out") }, begin: time.Now(),
		warm: newRecorder(1), proper: newRecorder(1), within: newCounters(1), reasons: make([]map[string]int64, 1), calls: t.Context(),
	}
	e.until.Store(int64(time.Hour))
	var r Record
	if n := testing.AllocsPerRun(1000, func() { e.one(0, &r, 0) }); n != 0 {
		t.Errorf("%v allocations a call", n)
	}
}

// BenchmarkCeiling asks a call that does nothing: what the generator itself costs.
func BenchmarkCeiling(b *testing.B) {
	for _, cfg := range []Config{{Clients: 1}, {Clients: 64}, {Rate: 1}, {Rate: 1, Batch: 100}} {
		b.Run(fmt.Sprintf("loop=%s/clients=%d/batch=%d", cfg.Loop(), cfg.Callers(), max(cfg.Batch, 1)), func(b *testing.B) {
			var sum float64
			for b.Loop() {
				sum += Ceiling(cfg)
			}
			b.ReportMetric(sum/float64(b.N), "orders/s")
		})
	}
}
