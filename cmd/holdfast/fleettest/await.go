package fleettest

import (
	"time"
)

// pollEvery is how often Await looks.
const pollEvery = 20 * time.Millisecond

// Await polls until wrong returns "", and ends the test with what it returned last when that takes longer than within.
func (f *Fleet) Await(within time.Duration, what string, wrong func() string) {
	f.t.Helper()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for begin := time.Now(); ; {
		text := wrong()
		if text == "" {
			return
		}
		if took := time.Since(begin); took > within {
			f.t.Fatalf("%s: not within %s: %s", what, took.Round(time.Millisecond), text)
		}
		<-tick.C
	}
}
