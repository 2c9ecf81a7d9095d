package actors

import (
	"errors"
	"fmt"

	"holdfast/stock"
)

var (
	// ErrClock is returned when the machine's clock and the log's time are too far apart to sell by (rule R2).
	ErrClock = errors.New("actors: the clock of this machine does not agree with the log; set it right, or start with --accept-clock")
	// ErrPanic is returned when an actor panicked: a bug. Its replica stops and is built again from snapshot and log (rule R17).
	ErrPanic = errors.New("actors: an actor panicked")
	// ErrClosed is returned when a replica is asked after Close.
	ErrClosed = errors.New("actors: replica closed")
	// ErrProposalBytes is returned by NewReplica when an entry may not be as long as the command that says what the shard is, or the longest order.
	ErrProposalBytes = errors.New("actors: MaxProposalBytes is too small")
	// ErrReplaced is returned when the state was replaced, or an actor was gone, while a visit was under way.
	ErrReplaced = errors.New("actors: the state was replaced meanwhile")
	// ErrUnavailable is returned when a listing cannot be complete: a shard has no leader, or did not answer in time.
	ErrUnavailable = errors.New("actors: a shard did not answer")
	// ErrDiverged is returned when this replica's state is not that of the others (rule R24). Its own snapshot and log may hold the wrong state, so
	// it stays down; it wraps stock.ErrDiverged.
	ErrDiverged = fmt.Errorf("actors: %w; rebuild this one from a peer: holdfast cluster rebuild", stock.ErrDiverged)
	// ErrDamaged is returned when a snapshot found that the state in memory is not what was kept up with its changes: a bug, or a bit that flipped.
	// No snapshot of it is taken; the replica is built again from the one before, and the log.
	ErrDamaged = errors.New("actors: the state in memory is damaged")
	// ErrBroken is returned when a SKU's counters no longer add up; it is frozen.
	ErrBroken = errors.New("actors: an invariant of a SKU does not hold")
)
