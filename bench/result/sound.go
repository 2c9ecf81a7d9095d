package result

import (
	"errors"
	"fmt"
)

// ErrUnsound is returned when a run may not be published.
var ErrUnsound = errors.New("a run that may not be published")

// Sound returns ErrUnsound when a run may not be published: it failed its audit or had none, was interrupted, has no fsync probe, or does not say which
// loop it is.
func (r Result) Sound() error {
	switch {
	case !r.Audit.Passed():
		return fmt.Errorf("%w: its audit found %+v", ErrUnsound, r.Audit)
	case r.Accepted+r.Refused > 0 && r.Audited == 0:
		return fmt.Errorf("%w: its audit looked at nothing", ErrUnsound)
	case r.Unresolved > 0:
		return fmt.Errorf("%w: %d outcomes stayed unknown", ErrUnsound, r.Unresolved)
	case r.Interrupted:
		return fmt.Errorf("%w: it was interrupted", ErrUnsound)
	case r.Fsync.P50 <= 0:
		return fmt.Errorf("%w: it has no fsync probe", ErrUnsound)
	case r.Loop != "open" && r.Loop != "closed":
		return fmt.Errorf("%w: it does not say its loop", ErrUnsound)
	}
	return nil
}
