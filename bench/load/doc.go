// Package load asks. It calls what it is given as often as it is told, on a schedule or as fast as answers come, and measures how long each answer
// took.
//
// An open loop (a rate was given) begins calls when a schedule says so, whether or not earlier ones were answered, as a crowd does. The schedule is a
// Poisson process made from the seed: arrivals know nothing of each other and of the answers. Latency counts from the moment at which a call was
// intended to begin. A target that stands still for a second is therefore seen to do so by every order that would have come in that second; a loop
// that waits would have sent, and measured, none of them (coordinated omission).
//
// A closed loop (no rate) has a number of callers, each of which waits for its answer and asks again. It finds out how much a target can do, and
// says little about latency: its rate falls whenever the target is slow. Every report says which loop it was.
//
// It promises: one caller never makes two calls at once; the callers are numbered from 0 to Callers()-1; calls begun in the warm-up are made like
// all others and counted apart; what an interruption or the end of the patience leaves unasked is counted, with the wait so far, and not forgotten;
// no goroutine is left when Run returns. Recording takes no lock and allocates nothing: counters are atomic, sharded by caller, in the geometry of
// HDR histograms with three digits, and merged when somebody looks.
//
// It assumes that a call ends by itself or when its context ends.
//
// Files: config.go what is asked for, run.go a run, closed.go and open.go the loops, queue.go what is due and waits for a caller, schedule.go when
// orders come, pace_linux.go and pace_other.go short waits, record.go what a call reports, recorder.go and buckets.go counting, watch.go intervals,
// report.go what is found, ceiling.go how much the generator itself can ask.
package load
