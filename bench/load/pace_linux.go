package load

import (
	"syscall"
	"time"
)

// nap waits for a short time. The runtime's own timers wait in whole milliseconds when a process is idle (epoll_wait has no finer unit), which would
// count into the latency of every call; the kernel's timer is exact to some 60 microseconds.
func nap(d time.Duration) {
	if d <= 0 {
		return
	}
	t := syscall.NsecToTimespec(int64(d))
	// A signal may end it early: whoever waits looks at the clock again.
	_ = syscall.Nanosleep(&t, nil)
}
