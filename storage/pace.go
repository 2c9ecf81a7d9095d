package storage

import "time"

// backoff is the pause after failures in a row: the first lasts min, each one twice the one before, none more than max. The shards of a process
// take turns at a local sink, so it needs no jitter.
type backoff struct {
	min, max time.Duration
	failures int
}

// fail counts a failure and returns how long to pause.
func (b *backoff) fail() time.Duration {
	pause := b.min
	for i := 0; i < b.failures && pause < b.max; i++ {
		pause *= 2
	}
	b.failures++
	return min(pause, b.max)
}

func (b *backoff) succeed() { b.failures = 0 }

// idleness is how long to leave an idle shard alone: twice as long each time nothing was new, from poll up to most.
type idleness struct {
	poll, most, now time.Duration
}

func (i *idleness) rest() time.Duration {
	i.now = min(max(2*i.now, i.poll), i.most)
	return i.now
}

func (i *idleness) wake() { i.now = 0 }
