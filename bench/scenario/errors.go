package scenario

import "errors"

var (
	// ErrUnknown is returned by New for a name that no scenario has, or parameters that cannot be meant.
	ErrUnknown = errors.New("scenario: unknown")
	// ErrTarget is returned by New when the target cannot do what the scenario is about.
	ErrTarget = errors.New("scenario: not for this target")
	// ErrPreload is returned by Prepare when the orders of before are not accepted.
	ErrPreload = errors.New("scenario: orders are not accepted")
)
