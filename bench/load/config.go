package load

import (
	"errors"
	"fmt"
	"time"
)

// Errors of a configuration.
var (
	// ErrConfig is returned when a configuration cannot be meant.
	ErrConfig = errors.New("load: bad configuration")
)

// Loops, as reports name them.
const (
	Open   = "open"
	Closed = "closed"
)

// Defaults of bounds.
const (
	// DefaultOutstanding is how many calls of an open loop are under way at most.
	DefaultOutstanding = 1024
	// DefaultPatience is how long what is still to be asked or answered at the end is waited for.
	DefaultPatience = 30 * time.Second
	// DefaultBackoff is how long a caller of a closed loop waits after a call of which nothing was decided.
	DefaultBackoff = 10 * time.Millisecond
	// DefaultEvery is the length of an interval.
	DefaultEvery = time.Second
)

// Config says what to ask.
type Config struct {
	// Rate is in orders a second; 0 makes the loop a closed one.
	Rate float64
	// Batch is how many orders one call stands for; 0: 1.
	Batch int
	// Clients is how many callers a closed loop has; 0: 1.
	Clients int
	// MaxOutstanding bounds the calls under way in an open loop; 0: DefaultOutstanding. Arrivals that find all of them under way wait, which counts
	// into their latency and into Report.Full.
	MaxOutstanding int
	// Warmup is asked like the rest, and measured apart. Duration is measured.
	Warmup, Duration time.Duration
	// Rush, when it is above 0, lets everybody come in the first Rush of Duration and nobody in the warm-up. It needs a rate.
	Rush time.Duration
	// Patience is how long a run goes on for what is under way or waits when Duration is over; 0: DefaultPatience. Then the calls' context ends, and
	// what was not begun is counted as abandoned.
	Patience time.Duration
	// Backoff is how long a caller of a closed loop waits after a call of which nothing was decided, as a client does that is told to come back later:
	// 64 callers who ask again at once keep a target from ever having a leader. 0: DefaultBackoff.
	Backoff time.Duration
	// Seed decides when the orders of an open loop come.
	Seed uint64
	// Every is the length of an interval; 0: DefaultEvery.
	Every time.Duration
	// OnInterval is told of each interval when it is over, from one goroutine; nil: nobody is.
	OnInterval func(Interval)

	// forgetful: what comes and cannot be asked in time is left alone rather than counted, to find out how much can.
	forgetful bool
	// nap waits for less than a few milliseconds; nil: as precisely as the system can.
	nap func(time.Duration)
}

// Loop returns which loop this is.
func (c Config) Loop() string {
	if c.Rate > 0 {
		return Open
	}
	return Closed
}

// Callers returns how many callers there are: their numbers are below it.
func (c Config) Callers() int {
	c = c.withDefaults()
	if c.Rate > 0 {
		return c.MaxOutstanding
	}
	return c.Clients
}

func (c Config) withDefaults() Config {
	if c.Batch == 0 {
		c.Batch = 1
	}
	if c.Clients == 0 {
		c.Clients = 1
	}
	if c.MaxOutstanding == 0 {
		c.MaxOutstanding = DefaultOutstanding
	}
	if c.Patience == 0 {
		c.Patience = DefaultPatience
	}
	if c.Backoff == 0 {
		c.Backoff = DefaultBackoff
	}
	if c.Every == 0 {
		c.Every = DefaultEvery
	}
	if c.nap == nil {
		c.nap = nap
	}
	return c
}

func (c Config) check() error {
	for _, wrong := range []struct {
		is   bool
		text string
	}{
		{!(c.Rate >= 0) || c.Rate > maxRate, "the rate must be 0 or above, in orders a second, and finite"},
		{c.Batch < 1, "a call is at least one order"},
		{c.Clients < 1, "there must be a client"},
		{c.MaxOutstanding < 1, "a call must be allowed to be outstanding"},
		{c.Duration <= 0, "the duration must be above 0"},
		{c.Warmup < 0 || c.Patience < 0 || c.Every < 0 || c.Backoff < 0, "the warm-up, the patience, the back-off and the interval must not be negative"},
		{c.Rush < 0 || c.Rush > 0 && (c.Rate == 0 || c.Rush > c.Duration), "a rush needs a rate and fits into the duration"},
	} {
		if wrong.is {
			return fmt.Errorf("%w: %s", ErrConfig, wrong.text)
		}
	}
	return nil
}

// maxRate keeps the arithmetic of schedules sound; no machine comes near it.
const maxRate = 1e12
