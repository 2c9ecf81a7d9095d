package node

import (
	"errors"

	"holdfast/actors"
	"holdfast/cluster"
	"holdfast/wal"
)

var (
	// ErrConfig is returned for a configuration that cannot work.
	ErrConfig = errors.New("node: configuration")
	// ErrDataDir is returned when the data directory cannot be used: another node's, a newer format, read-only, full, in use.
	ErrDataDir = errors.New("node: data directory")
	// ErrJoin is returned when nobody of the cluster to join answered in time.
	ErrJoin = errors.New("node: nobody to join")
	// ErrListen is returned when an address cannot be listened on.
	ErrListen = errors.New("node: cannot listen")
)

// The exit codes of holdfast serve.
const (
	exitUnusable = 1
	exitConfig   = 2
	exitNobody   = 3
	exitCorrupt  = 4
)

// ExitCode returns the exit code that an error of Open, Drain or Fatal calls for: 1 for a port or data directory that cannot be used, 2 for the
// configuration, 3 for nobody to join, 4 for a log or snapshot that is corrupt and a disk that failed; 0 for nil.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case is(err, ErrDataDir, ErrListen, wal.ErrNewerFormat, wal.ErrOtherCluster, wal.ErrLocked, cluster.ErrSnapshotVersion, cluster.ErrSnapshotForeign, actors.ErrClock):
		return exitUnusable
	case is(err, wal.ErrFailed, wal.ErrCorrupt, wal.ErrStalled, wal.ErrHardBound, cluster.ErrSnapshotCorrupt, cluster.ErrLogGap,
		cluster.ErrStateLost, cluster.ErrEntryFailed, actors.ErrPanic):
		return exitCorrupt
	case is(err, ErrConfig, cluster.ErrConfig, wal.ErrConfig):
		return exitConfig
	case is(err, ErrJoin):
		return exitNobody
	}
	return exitUnusable
}

func is(err error, targets ...error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}
