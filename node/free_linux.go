package node

import (
	"math"

	"golang.org/x/sys/unix"
)

// freeBytes returns what a disk has free for this user.
func freeBytes(dir string) (free int64, known bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil || s.Bsize <= 0 {
		return 0, false
	}
	if s.Bavail > uint64(math.MaxInt64/int64(s.Bsize)) {
		return math.MaxInt64, true
	}
	return int64(s.Bavail) * int64(s.Bsize), true
}
