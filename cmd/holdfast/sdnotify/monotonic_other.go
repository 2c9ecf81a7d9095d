//go:build !linux

package sdnotify

import "time"

// monotonic: there is no systemd here.
func monotonic() time.Duration { return 0 }
