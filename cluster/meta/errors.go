package meta

import "errors"

var (
	// ErrUnknownCommand is returned when an entry or snapshot holds a version or kind that this binary does not know: the replica stops.
	ErrUnknownCommand = errors.New("meta: unknown command or version")
	// ErrUnknownLevel is returned when the cluster's level is above what this binary knows: the replica stops (rule R1).
	ErrUnknownLevel = errors.New("meta: the cluster's level is above this binary's")
	// ErrMalformed is returned when an entry or snapshot is not what this package writes.
	ErrMalformed = errors.New("meta: malformed")
	// ErrTooLarge is returned when a command does not fit an entry.
	ErrTooLarge = errors.New("meta: command is too large")
)
