package load

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The geometry of all histograms here: nanoseconds in units of 64, up to an hour, with three significant digits. It is that of an HDR histogram with
// the same three numbers, so that a bucket here is a bucket there.
const (
	unitShift = 6
	unitNS    = 1 << unitShift
	longest   = time.Hour
	digits    = 3
	halfShift = 10
)

// bucketCount is one above the bucket of the longest time.
var bucketCount = bucketOf(longest) + 1

// buckets count times; all may be counted into concurrently.
type buckets []atomic.Int64

func newBuckets() buckets { return make(buckets, bucketCount) }

// add counts a time n times. What is longer than the longest counts as that.
func (b buckets) add(d time.Duration, n int64) {
	b[bucketOf(min(max(d, 0), longest))].Add(n)
}

// bucketOf returns the bucket of a time: linear below 2048 units, then 1024 buckets for each doubling.
func bucketOf(d time.Duration) int {
	units := uint64(d) >> unitShift
	doublings := max(bits.Len64(units)-halfShift-1, 0)
	return doublings<<halfShift + int(units>>doublings)
}

// leastOf returns the shortest time of a bucket.
func leastOf(bucket int) time.Duration {
	doublings := max(bucket>>halfShift-1, 0)
	return time.Duration(bucket-doublings<<halfShift) << (doublings + unitShift)
}

// tally is a sum of buckets at one moment.
type tally []int64

func newTally() tally { return make(tally, bucketCount) }

func (t tally) take(b buckets) {
	for i := range b {
		if n := b[i].Load(); n != 0 {
			t[i] += n
		}
	}
}

// histogram returns what was counted since an earlier tally, which may be nil.
func (t tally) histogram(since tally) *hdrhistogram.Histogram {
	h := NewHistogram()
	for i, n := range t {
		if since != nil {
			n -= since[i]
		}
		if n > 0 {
			// The bucket exists there as here: it cannot be out of range.
			_ = h.RecordValues(int64(leastOf(i)), n)
		}
	}
	return h
}

// NewHistogram returns an empty histogram of nanoseconds in the geometry of this package: up to an hour, with three significant digits.
func NewHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(unitNS, int64(longest), digits) }
