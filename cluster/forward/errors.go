package forward

import (
	"errors"
	"fmt"

	"holdfast/stock"
)

var (
	// ErrConfig is returned by New for a Config that cannot work.
	ErrConfig = errors.New("forward: bad configuration")
	// ErrFrame is returned, with stock.ErrNotExecuted, for a frame of another node that is not what this package writes.
	ErrFrame = errors.New("forward: bad frame")
	// ErrCaller is returned, with stock.ErrNotExecuted, when the caller of a frame is not the caller of every request in it.
	ErrCaller = errors.New("forward: a request of another caller than its frame's")
	// ErrStray is returned, with stock.ErrNotExecuted, for a request that belongs to another shard than its frame.
	ErrStray = errors.New("forward: a request of another shard than its frame's")
	// ErrUnavailable is returned by SKUs, with stock.ErrNotExecuted, when a shard did not answer in time: a listing is complete or not at all.
	ErrUnavailable = errors.New("forward: a shard did not answer")
)

// refused wraps why nothing was done.
func refused(sentinel error, cause any) error {
	return fmt.Errorf("%w: %w: %v", stock.ErrNotExecuted, sentinel, cause)
}
