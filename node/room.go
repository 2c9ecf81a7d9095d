package node

import (
	"errors"
	"fmt"
	"syscall"
)

// hasSpare reports whether the log has a segment to go on in when the one it writes is full. A node that began to serve without would end in the
// middle of its first orders on a disk that has no room for it. There is none where --wal-hard-bytes forbids one.
func (n *Node) hasSpare() bool {
	space := n.log.Space()
	return space.Prepared > 0 || space.UsedBytes+n.cfg.WALSegmentBytes > n.cfg.WALHardBytes
}

// noRoom says of an error of a start that the disk is full, if that is the reason. Nothing was served, so it is not the failed disk of a node that
// runs: what the log could not make ready holds nothing yet. A step may only have met a log that had failed for it, which tells that by n.fatal.
func (n *Node) noRoom(err error) error {
	select {
	case cause := <-n.fatal:
		err = errors.Join(err, cause)
	default:
	}
	if !errors.Is(err, syscall.ENOSPC) || errors.Is(err, ErrDataDir) {
		return err
	}
	return fmt.Errorf("%w %s is full: free some space, choose another with --data-dir, or set a smaller --wal-segment-bytes (two segments are "+
		"there from the start): %w", ErrDataDir, n.cfg.DataDir, err)
}
