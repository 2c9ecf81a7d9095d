package stock

import "errors"

var (
	// ErrNotExecuted is returned when a proposal is known not to have entered the log.
	ErrNotExecuted = errors.New("stock: not executed")
	// ErrUnknown is returned when a proposal may or may not have entered the log.
	ErrUnknown = errors.New("stock: outcome unknown")
	// ErrUnknownCommand is returned when an entry holds a command or version that this binary does not know.
	ErrUnknownCommand = errors.New("stock: unknown command or version")
	// ErrMalformed is returned when an entry or snapshot is not what this package writes.
	ErrMalformed = errors.New("stock: malformed")
	// ErrCorrupt is returned when a state in memory is not what was kept up with its changes: rows changed behind their ledger's back (rule R24).
	ErrCorrupt = errors.New("stock: the state in memory is damaged")
	// ErrDiverged is returned when a replica's state is not that of the others at the same place of the log (rule R24).
	ErrDiverged = errors.New("stock: the state is not that of the other replicas")
	// ErrTooLarge is returned when a proposal has no room for another command.
	ErrTooLarge = errors.New("stock: proposal is full")
)
