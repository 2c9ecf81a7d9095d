package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// spend waits, in the virtual time of a bubble.
func spend(d time.Duration) { <-time.After(d) }

// virtual is a configuration whose waits all happen in the virtual time of a bubble.
func virtual(c Config) Config {
	c.nap = spend
	return c
}

// run runs a load in a bubble.
func run(t *testing.T, ctx context.Context, cfg Config, call Call) *Report {
	t.Helper()
	r, err := Run(ctx, virtual(cfg), call)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// pausing is a target that answers in a millisecond, but stands still from one time to another.
func pausing(from, to time.Duration) Call {
	begin := time.Now()
	return func(_ context.Context, _ int, r *Record) {
		if at := time.Since(begin); at >= from && at < to {
			spend(to - at)
		}
		spend(time.Millisecond)
		r.Accepted = 1
	}
}

func p99(r *Report) time.Duration { return PercentilesOf(r.Latency).P99 }

// A target that stands still for one second of ten has kept a tenth of an open loop's arrivals waiting, half a second on average: its 99th percentile
// says so, whatever the bound on calls under way. A closed loop asks it a few times fewer, and says that it is one.
func TestPauseOfASecondIsSeen(t *testing.T) {
	for _, outstanding := range []int{4, 4096} {
		t.Run(fmt.Sprintf("outstanding=%d", outstanding), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := Config{Rate: 500, MaxOutstanding: outstanding, Warmup: time.Second, Duration: 10 * time.Second, Seed: 1}
				r := run(t, t.Context(), cfg, pausing(3*time.Second, 4*time.Second))
				if p := p99(r); p < 850*time.Millisecond || p > 1100*time.Millisecond {
					t.Errorf("the 99th percentile is %v", p)
				}
				if p := PercentilesOf(r.Latency).P50; p > 3*time.Millisecond {
					t.Errorf("the median is %v", p)
				}
				if r.Loop != Open {
					t.Errorf("the loop is %s", r.Loop)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{Clients: 4, Warmup: time.Second, Duration: 10 * time.Second}
		r := run(t, t.Context(), cfg, pausing(3*time.Second, 4*time.Second))
		if p := p99(r); p > 2*time.Millisecond || r.Loop != Closed {
			t.Errorf("loop %s, the 99th percentile is %v", r.Loop, p)
		}
	})
}

// The bound on calls under way holds, is counted, and what waits is measured from when it came.
func TestBoundOfCallsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var under, most atomic.Int64
		callers := make([]atomic.Bool, 2)
		r := run(t, t.Context(), Config{Rate: 300, MaxOutstanding: 2, Duration: 2 * time.Second}, func(_ context.Context, caller int, r *Record) {
			if callers[caller].Swap(true) {
				t.Error("a caller makes two calls at once")
			}
			most.Store(max(most.Load(), under.Add(1)))
			spend(10 * time.Millisecond) // 200 a second is all it can do
			under.Add(-1)
			callers[caller].Store(false)
			r.Accepted = 1
		})
		if most.Load() != 2 {
			t.Errorf("%d calls under way", most.Load())
		}
		// A third of 600 arrivals is too many: the last of them waits for about a second.
		if p := p99(r); p < 700*time.Millisecond || r.Full < 400 || r.Missed < 400 || r.Totals.Calls != r.Latency.TotalCount() {
			t.Errorf("p99 %v, %d found it full, %d missed, %d of %d measured", p, r.Full, r.Missed, r.Latency.TotalCount(), r.Totals.Calls)
		}
		if got := float64(r.Within.Accepted) / r.Window.Seconds(); got < 195 || got > 200 {
			t.Errorf("%v orders/s were answered within the time", got)
		}
	})
}

// What begins in the warm-up is asked and counted apart.
func TestWarmup(t *testing.T) {
	for _, cfg := range []Config{
		{Rate: 1000, Warmup: time.Second, Duration: 2 * time.Second},
		{Clients: 1, Warmup: time.Second, Duration: 2 * time.Second},
	} {
		t.Run(cfg.Loop(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin, asked := time.Now(), atomic.Int64{}
				r := run(t, t.Context(), cfg, func(_ context.Context, _ int, r *Record) {
					asked.Add(1)
					d := time.Millisecond
					if time.Since(begin) < 990*time.Millisecond {
						d = 2 * time.Millisecond
					}
					spend(d)
					r.Accepted = 1
				})
				if r.Warmed.Calls < 400 || r.Totals.Calls < 1800 || r.Warmed.Calls+r.Totals.Calls != asked.Load() {
					t.Errorf("%d + %d of %d", r.Warmed.Calls, r.Totals.Calls, asked.Load())
				}
				if p := PercentilesOf(r.Latency); cfg.Loop() == Closed && p.Max > 1100*time.Microsecond || r.Latency.TotalCount() != r.Totals.Calls {
					t.Errorf("%+v of %d", p, r.Latency.TotalCount())
				}
			})
		})
	}
}

// Refusals and failures are timed apart; what was never answered belongs to the latency of those that waited for it.
func TestEachOutcomeHasItsHistogram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		r := run(t, t.Context(), Config{Batch: 10, Clients: 1, Duration: time.Second, Backoff: time.Nanosecond}, func(_ context.Context, _ int, r *Record) {
			n++
			switch n % 4 {
			case 0:
				spend(time.Millisecond)
				r.Accepted = 10
			case 1:
				spend(2 * time.Millisecond)
				r.Refused = 10
				r.Because("sold_out")
			case 2:
				spend(3 * time.Millisecond)
				r.Failed = 10
				r.Because("overloaded")
			case 3:
				spend(4 * time.Millisecond)
				r.Unknown = 10
			}
		})
		most := func(p Percentiles) time.Duration { return p.Max.Truncate(time.Millisecond) }
		if l, f := most(PercentilesOf(r.Refusals)), most(PercentilesOf(r.Failures)); l != 2*time.Millisecond || f != 3*time.Millisecond {
			t.Errorf("refusals %v, failures %v", l, f)
		}
		if p := PercentilesOf(r.Latency); most(p) != 4*time.Millisecond || p.P50.Truncate(time.Millisecond) != time.Millisecond {
			t.Errorf("%+v", p)
		}
		want := Counts{Calls: 400, Accepted: 1000, Refused: 1000, Failed: 1000, Unknown: 1000}
		if r.Totals != want || r.Reasons["sold_out"] != 100 || r.Reasons["overloaded"] != 100 || len(r.Reasons) != 2 {
			t.Errorf("%+v, %v", r.Totals, r.Reasons)
		}
	})
}

// Callers of a closed loop who are told nothing come back later instead of at once.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, t.Context(), Config{Clients: 2, Duration: time.Second}, func(_ context.Context, _ int, r *Record) { r.Failed = 1 })
		if r.Totals.Calls != 200 || PercentilesOf(r.Failures).Max > time.Millisecond {
			t.Errorf("%+v, %+v", r.Totals, PercentilesOf(r.Failures))
		}
	})
}

// The intervals of a run are its phases, in order, and add up to it.
func TestIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []Interval
		cfg := Config{Rate: 1000, Warmup: 1500 * time.Millisecond, Duration: 2500 * time.Millisecond, OnInterval: func(i Interval) { told = append(told, i) }}
		r := run(t, t.Context(), cfg, pausing(3900*time.Millisecond, 4200*time.Millisecond))
		var phases []string
		var sum, within int64
		at := -cfg.Warmup
		for _, i := range r.Intervals {
			phases = append(phases, fmt.Sprintf("%s %v", i.Phase, i.Length.Round(time.Millisecond)))
			sum += i.Accepted
			if i.At != at {
				t.Errorf("an interval begins at %v, not %v", i.At, at)
			}
			at += i.Length
			if i.Phase == Measuring {
				within += i.Accepted
			}
		}
		want := "[warm-up 1s warm-up 500ms measured 1s measured 1s measured 500ms draining 201ms]"
		if got := fmt.Sprint(phases); got != want || len(told) != len(phases) {
			t.Errorf("%s, not %s; told of %d", got, want, len(told))
		}
		if sum != r.Totals.Accepted+r.Warmed.Accepted || within != r.Within.Accepted {
			t.Errorf("%d of %d + %d; %d of %d", sum, r.Totals.Accepted, r.Warmed.Accepted, within, r.Within.Accepted)
		}
		if last := r.Intervals[len(r.Intervals)-1]; last.Latency.Max < 200*time.Millisecond || r.Intervals[2].Latency.Max > 2*time.Millisecond {
			t.Errorf("%+v", last)
		}
	})
}

// An interrupted run ends, lets those under way finish, and reports what it has.
func TestInterrupt(t *testing.T) {
	for _, cfg := range []Config{{Rate: 1000, MaxOutstanding: 1, Duration: time.Hour}, {Clients: 2, Duration: time.Hour}} {
		t.Run(cfg.Loop(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				r := run(t, ctx, cfg, func(ctx context.Context, _ int, r *Record) {
					spend(50 * time.Millisecond)
					if ctx.Err() != nil {
						t.Error("a call under way was cut off")
					}
					r.Accepted = 1
				})
				if !r.Interrupted || r.Window != 2*time.Second || r.Totals.Calls == 0 {
					t.Errorf("%v, %v, %+v", r.Interrupted, r.Window, r.Totals)
				}
				arrived := r.Totals.Calls + int64(r.Abandoned)
				if cfg.Loop() == Open && (arrived < 1800 || arrived > 2200 || r.Latency.TotalCount() != arrived) {
					t.Errorf("%d came, %d were asked, %d measured", arrived, r.Totals.Calls, r.Latency.TotalCount())
				}
			})
		})
	}
}

// A target that never answers ends a run when its patience does; who was waiting counts.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{Rate: 100, Batch: 2, MaxOutstanding: 3, Duration: time.Second, Patience: 5 * time.Second}
		begin := time.Now()
		r := run(t, t.Context(), cfg, func(ctx context.Context, _ int, r *Record) {
			<-ctx.Done()
			r.Unknown = 2
		})
		if took := time.Since(begin); took != 6*time.Second {
			t.Errorf("it took %v", took)
		}
		if r.Totals.Unknown != 6 || r.Abandoned < 60 || r.Latency.TotalCount() != 6+int64(r.Abandoned) || p99(r) < 5*time.Second {
			t.Errorf("%+v, %d abandoned, p99 %v", r.Totals, r.Abandoned, p99(r))
		}
		if r.Interrupted {
			t.Error("nobody interrupted it")
		}
	})
}

// More arrivals than the queue holds are not lost: each is asked or abandoned.
func TestMoreThanTheQueueHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{Rate: 4 * queueLength, MaxOutstanding: 1, Duration: time.Second, Patience: time.Second}
		r := run(t, t.Context(), cfg, func(_ context.Context, _ int, r *Record) {
			spend(time.Millisecond)
			r.Accepted = 1
		})
		came := float64(r.Totals.Calls) + float64(r.Abandoned)
		if math.Abs(came-cfg.Rate) > 0.02*cfg.Rate || r.Totals.Calls < 1900 || float64(r.Latency.TotalCount()) != came {
			t.Errorf("%d asked, %d abandoned, %d measured", r.Totals.Calls, r.Abandoned, r.Latency.TotalCount())
		}
	})
}

// In a rush nobody comes in the warm-up, and everybody at its end.
func TestRush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		cfg := Config{Rate: 2000, Warmup: time.Second, Duration: 5 * time.Second, Rush: time.Second, Seed: 3}
		r := run(t, t.Context(), cfg, func(_ context.Context, _ int, r *Record) {
			if at := time.Since(begin); at < time.Second || at > 2100*time.Millisecond {
				t.Errorf("somebody came at %v", at)
			}
			r.Accepted = 1
		})
		if r.Warmed.Calls != 0 || r.Totals.Calls < 1800 || r.Totals.Calls > 2200 {
			t.Errorf("%d in the warm-up, %d then", r.Warmed.Calls, r.Totals.Calls)
		}
	})
}

func TestConfigsThatAreRefused(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no duration": {}, "rate below 0": {Rate: -1, Duration: 1}, "rate without end": {Rate: math.Inf(1), Duration: 1}, "no number": {Rate: math.NaN(), Duration: 1},
		"batch": {Batch: -1, Duration: 1}, "clients": {Clients: -1, Duration: 1}, "outstanding": {MaxOutstanding: -1, Duration: 1},
		"warm-up": {Warmup: -1, Duration: 1}, "rush in a closed loop": {Rush: 1, Duration: 1}, "rush too long": {Rate: 1, Rush: 2, Duration: 1},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Run(t.Context(), cfg, func(context.Context, int, *Record) {}); !errors.Is(err, ErrConfig) {
				t.Errorf("err is %v", err)
			}
		})
	}
}

// In real time, with the kernel's timers: everything that came was asked, and the generator can say how much it can ask.
func TestInRealTime(t *testing.T) {
	cfg := Config{Rate: 200_000, Batch: 100, Duration: 300 * time.Millisecond, Seed: 7}
	r, err := Run(t.Context(), cfg, func(_ context.Context, _ int, r *Record) { r.Accepted = 100 })
	if err != nil {
		t.Fatal(err)
	}
	if r.Totals.Calls < 450 || r.Totals.Calls > 750 || r.Lag.TotalCount() != r.Totals.Calls || r.Abandoned != 0 {
		t.Errorf("%+v, %d abandoned", r.Totals, r.Abandoned)
	}
	for _, cfg := range []Config{{Clients: 2}, {Rate: 1, Batch: 10}} {
		if c := Ceiling(cfg); !(c > 0) {
			t.Errorf("the ceiling of the %s loop is %v orders/s", cfg.Loop(), c)
		}
	}
}
