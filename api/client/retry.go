package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

// Policy says when a call is sent again. Only what is not yet definite is: no answer, 503, 504 and 500; a refusal ends it.
type Policy struct {
	// Attempts bounds how often the call is sent; 0: until the context ends.
	Attempts int
	// AttemptTimeout bounds each attempt; 0: DefaultAttemptTimeout.
	AttemptTimeout time.Duration
	// Backoff is the longest pause before the second attempt; it doubles from attempt to attempt up to MaxBackoff. 0: the defaults.
	Backoff, MaxBackoff time.Duration
	// Random spreads the pauses: a number in [0, 1). Nil: math/rand.
	Random func() float64
}

// The defaults of Policy.
const (
	DefaultAttemptTimeout = 5 * time.Second
	DefaultBackoff        = 20 * time.Millisecond
	DefaultMaxBackoff     = time.Second
)

func (p Policy) withDefaults() Policy {
	if p.AttemptTimeout <= 0 {
		p.AttemptTimeout = DefaultAttemptTimeout
	}
	if p.Backoff <= 0 {
		p.Backoff = DefaultBackoff
	}
	if p.MaxBackoff <= 0 {
		p.MaxBackoff = DefaultMaxBackoff
	}
	if p.Random == nil {
		p.Random = rand.Float64
	}
	return p
}

// pause returns how long to wait before attempt n+1: at least what the server asked for, never more than MaxBackoff.
func (p Policy) pause(n int, err error) time.Duration {
	step := p.MaxBackoff
	if n < 20 {
		step = min(p.Backoff<<(n-1), p.MaxBackoff)
	}
	wait := step/2 + time.Duration(p.Random()*float64(step/2))
	if problem, ok := errors.AsType[*Problem](err); ok {
		wait = max(wait, problem.RetryAfter)
	}
	return min(wait, p.MaxBackoff)
}

// attempts sends the call once or, in a retrying client, until its outcome is known. Once a copy may have been taken, only an answer that
// was decided about the key itself ends the doubt; all others leave the outcome unknown.
func (c *Client) attempts(ctx context.Context, k call, body []byte) (reply, error) {
	if !c.retrying {
		r, err := c.once(ctx, k, body, false)
		r.attempts = 1
		return r, err
	}
	doubt := false
	for n := 1; ; n++ {
		r, err := c.limited(ctx, k, body, doubt)
		r.attempts = n
		if err == nil || decides(err, doubt) {
			return r, err
		}
		doubt = doubt || IsUnknown(err)
		if !repeats(err) || n == c.policy.Attempts || !sleep(ctx, c.policy.pause(n, err)) {
			return r, undecided(err, doubt)
		}
	}
}

func (c *Client) limited(ctx context.Context, k call, body []byte, again bool) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.policy.AttemptTimeout)
	defer cancel()
	return c.once(ctx, k, body, again)
}

// decides reports whether an error is the last word. A refusal is, unless an earlier copy may be under way and the refusal was spoken
// before anybody looked at the key.
func decides(err error, doubt bool) bool {
	if !IsRefused(err) {
		return false
	}
	if !doubt {
		return true
	}
	switch CodeOf(err) {
	case "not_started", "ended", "frozen", "sku_not_found", "order_not_found", "outcome_not_seen", "qty_above_max":
		return true
	}
	p, _ := errors.AsType[*Problem](err)
	return p.Status == http.StatusConflict || p.Status == http.StatusUnprocessableEntity
}

// repeats reports whether sending the same bytes again may bring another answer.
func repeats(err error) bool {
	if _, ok := errors.AsType[*NoAnswer](err); ok {
		return !errors.Is(err, ErrAddr)
	}
	p, ok := errors.AsType[*Problem](err)
	return ok && p.Status >= 500
}

// undecided is the error of a call that ended in doubt, or the last error when there is none.
func undecided(err error, doubt bool) error {
	if !doubt || IsUnknown(err) {
		return err
	}
	return &NoAnswer{Sent: true, Err: err}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
