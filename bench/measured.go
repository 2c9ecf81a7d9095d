package bench

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"holdfast/bench/audit"
	"holdfast/bench/load"
	"holdfast/bench/probe"
	"holdfast/bench/result"
	"holdfast/bench/sale"
)

// Result is what a run found.
type Result = result.Result

// fractions are the points of the distribution that a result keeps.
var fractions = []float64{0, .1, .2, .3, .4, .5, .6, .7, .75, .8, .85, .9, .925, .95, .97, .98, .99, .995, .998, .999, .9995, .9999, .99999, 1}

// conditions are what a run ran under, apart from its configuration.
type conditions struct {
	started time.Time
	about   sale.About
	fsync   probe.Fsync
	machine probe.Machine
	commit  string
	ceiling float64
	skus    int
}

// newResult says what was asked for and under which conditions.
func newResult(c *Config, k *conditions) *Result {
	r := &Result{
		Scenario: c.Scenario, Target: c.shownTarget(), Nodes: k.about.Nodes, Loop: c.load().Loop(), Rate: c.Rate, Clients: c.Clients, Batch: c.Batch,
		Seed: c.Seed, Sink: redacted(k.about.Sink), FsyncDelayMS: milliseconds(c.FsyncDelay),
		Fsync:   result.Fsync{P50: milliseconds(k.fsync.P50), P99: milliseconds(k.fsync.P99)},
		Machine: result.Machine(k.machine), Commit: k.commit,
		Details: result.Details{
			Started: k.started.UTC().Truncate(time.Millisecond), WarmupS: seconds(c.load().Warmup), SKUs: k.skus, Shards: c.Shards, PayloadBytes: c.PayloadBytes,
			Preloaded: c.Preload, About: k.about, CeilingPerS: math.Round(k.ceiling), FsyncSlowest: milliseconds(k.fsync.Max),
		},
	}
	r.About.Sink = r.Sink
	if c.Scenario == Zipf {
		r.Skew = c.Skew
	}
	if r.Loop == load.Open {
		r.MaxOutstanding = c.MaxOutstanding
	}
	return r
}

// addLoad adds what was measured.
func addLoad(r *Result, m *load.Report) {
	r.DurationS = seconds(m.Window)
	r.Accepted, r.Refused, r.Errors, r.Unknown = m.Totals.Accepted, m.Totals.Refused, m.Totals.Failed, m.Totals.Unknown
	if r.DurationS > 0 {
		r.AcceptedPerS = rounded(float64(m.Within.Accepted)/r.DurationS, 1)
		r.RefusedPerS = rounded(float64(m.Within.Refused)/r.DurationS, 1)
	}
	r.Latency, r.RefusedLatency, r.FailedLatency, r.Lag = latencyOf(m.Latency), latencyOf(m.Refusals), latencyOf(m.Failures), latencyOf(m.Lag)
	r.Reasons, r.Missed, r.Full, r.Abandoned, r.Interrupted = m.Reasons, m.Missed, m.Full, m.Abandoned, m.Interrupted
	for _, f := range fractions {
		if m.Latency.TotalCount() > 0 {
			r.Percentiles = append(r.Percentiles, result.Quantile{Fraction: f, MS: milliseconds(time.Duration(m.Latency.ValueAtPercentile(100 * f)))})
		}
	}
	for _, i := range m.Intervals {
		if i.Phase == load.Measuring {
			r.Intervals = append(r.Intervals, result.Interval{
				StartS: seconds(i.At), DurationS: seconds(i.Length), Accepted: i.Accepted, Refused: i.Refused, Errors: i.Failed, Unknown: i.Unknown,
				Latency: inMilliseconds(i.Latency),
			})
		}
	}
}

// addAudit adds what the audit found.
func addAudit(r *Result, f *audit.Findings) {
	r.Audit = result.Audit{Oversold: f.Oversold, Undersold: f.Undersold, Lost: f.Lost, Duplicated: f.Duplicated, LimitBroken: f.LimitBroken}
	r.Audited, r.Stored, r.Unresolved, r.Findings = f.Checked, f.Stored, f.Unresolved, f.Texts
}

func latencyOf(h *hdrhistogram.Histogram) result.Latency {
	return inMilliseconds(load.PercentilesOf(h))
}

func inMilliseconds(p load.Percentiles) result.Latency {
	return result.Latency{P50: milliseconds(p.P50), P90: milliseconds(p.P90), P99: milliseconds(p.P99), P999: milliseconds(p.P999), Max: milliseconds(p.Max)}
}

// milliseconds is a duration as results have it, to the microsecond: the histograms are no finer.
func milliseconds(d time.Duration) float64 { return rounded(float64(d)/float64(time.Millisecond), 3) }

// seconds is a duration as results have it.
func seconds(d time.Duration) float64 { return rounded(d.Seconds(), 3) }

// rounded rounds to so many decimals.
func rounded(x float64, decimals int) float64 {
	scale := math.Pow10(decimals)
	return math.Round(x*scale) / scale
}
