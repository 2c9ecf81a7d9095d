package load

import (
	"math/rand/v2"
	"time"
)

// schedule says when calls are intended to begin, as times since the beginning of the run: a Poisson process, whose gaps know nothing of each other.
// A constant gap lost: it would never show what happens when two buyers come at once, which is what crowds do. The same seed gives the same times.
type schedule struct {
	chance *rand.Rand
	// at is the next arrival and gap the mean distance of two, in nanoseconds.
	at, gap float64
	end     time.Duration
}

// newSchedule returns a schedule of so many calls a second from one moment until another.
func newSchedule(seed uint64, callsPerSecond float64, from, until time.Duration) *schedule {
	const stream = 0x9e3779b97f4a7c15 // so that the scenario may use the same seed for another stream
	s := &schedule{chance: rand.New(rand.NewPCG(seed, stream)), at: float64(from), gap: float64(time.Second) / callsPerSecond, end: until}
	s.advance()
	return s
}

// next returns the next arrival; ok is false when there is none any more.
func (s *schedule) next() (at time.Duration, ok bool) {
	at = time.Duration(s.at)
	return at, at < s.end
}

func (s *schedule) advance() { s.at += s.chance.ExpFloat64() * s.gap }

// stop lets nobody come from a moment on.
func (s *schedule) stop(at time.Duration) { s.end = min(s.end, at) }
