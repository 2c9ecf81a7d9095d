package bench

import "errors"

// What a run can end with.
var (
	// ErrConfig is returned when a configuration cannot be meant; nothing was opened then.
	ErrConfig = errors.New("bench: bad configuration")
	// ErrBroken is returned when the audit found a promise broken.
	ErrBroken = errors.New("a promise was broken")
	// ErrThreshold is returned when a threshold was missed.
	ErrThreshold = errors.New("a threshold was missed")
	// ErrNothingMeasured is returned when a run was interrupted before its warm-up was over. Its audit was sound.
	ErrNothingMeasured = errors.New("nothing was measured")
)
