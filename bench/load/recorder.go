package load

import (
	"sync/atomic"
	"time"
)

// maxShards bounds memory: each shard holds four sets of buckets of 220 KB, of which a run touches little.
const maxShards = 8

// shard counts for some of the callers.
type shard struct {
	calls, accepted, refused, failed, unknown atomic.Int64
	// latency is of orders that were accepted and of those whose answer never came, refusals of those decided against, failures of those that
	// nothing was decided about. lag is how late calls were begun, a call once.
	latency, refusals, failures, lag buckets
	_                                [64]byte // so that neighbours do not share a cache line
}

// recorder counts what becomes of calls, by any number of callers at once.
type recorder struct {
	shards []shard
}

func newRecorder(callers int) *recorder {
	r := &recorder{shards: make([]shard, min(callers, maxShards))}
	for i := range r.shards {
		r.shards[i].latency, r.shards[i].refusals, r.shards[i].failures, r.shards[i].lag = newBuckets(), newBuckets(), newBuckets(), newBuckets()
	}
	return r
}

// newCounters is a recorder that only counts.
func newCounters(callers int) *recorder {
	return &recorder{shards: make([]shard, min(callers, maxShards))}
}

func (r *recorder) of(caller int) *shard { return &r.shards[caller%len(r.shards)] }

// add counts a call that took so long: each of its orders did.
func (s *shard) add(r *Record, took time.Duration) {
	s.count(r)
	if n := r.Accepted + r.Unknown; n > 0 {
		s.latency.add(took, int64(n))
	}
	if r.Refused > 0 {
		s.refusals.add(took, int64(r.Refused))
	}
	if r.Failed > 0 {
		s.failures.add(took, int64(r.Failed))
	}
}

func (s *shard) count(r *Record) {
	s.calls.Add(1)
	for _, c := range [...]struct {
		to *atomic.Int64
		n  int
	}{{&s.accepted, r.Accepted}, {&s.refused, r.Refused}, {&s.failed, r.Failed}, {&s.unknown, r.Unknown}} {
		if c.n != 0 {
			c.to.Add(int64(c.n))
		}
	}
}

// counts returns the counters' sums. A call that ends meanwhile may be in some and not yet in others.
func (r *recorder) counts() Counts {
	var c Counts
	for i := range r.shards {
		s := &r.shards[i]
		c.Calls += s.calls.Load()
		c.Accepted += s.accepted.Load()
		c.Refused += s.refused.Load()
		c.Failed += s.failed.Load()
		c.Unknown += s.unknown.Load()
	}
	return c
}

// tallies are the sums of all shards' buckets at one moment.
type tallies struct {
	latency, refusals, failures, lag tally
}

func (r *recorder) tallies() *tallies {
	t := &tallies{newTally(), newTally(), newTally(), newTally()}
	for i := range r.shards {
		s := &r.shards[i]
		t.latency.take(s.latency)
		t.refusals.take(s.refusals)
		t.failures.take(s.failures)
		t.lag.take(s.lag)
	}
	return t
}
