package main

import "testing"

// onceOnly leaves a test out under the race detector: it runs whole processes for a long time, in ways that shorter tests beside it have, too, and the
// gate runs it without the detector.
func onceOnly(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("runs without the race detector only: processes, for long")
	}
}
