package sdnotify

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Watchdog returns within which time the manager wants to hear WATCHDOG=1 again, 0 when it does not care, or cares about another process than pid.
func Watchdog(env []string, pid int) (time.Duration, error) {
	text := lookup(env, "WATCHDOG_USEC")
	if text == "" {
		return 0, nil
	}
	us, err := strconv.ParseInt(text, 10, 64)
	if err != nil || us < 1 || us > math.MaxInt64/int64(time.Microsecond) {
		return 0, fmt.Errorf("%w %q: not a positive number of microseconds", ErrWatchdog, text)
	}
	if of := lookup(env, "WATCHDOG_PID"); of != "" && of != strconv.Itoa(pid) {
		return 0, nil
	}
	return time.Duration(us) * time.Microsecond, nil
}
