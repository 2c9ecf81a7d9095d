package cli

import (
	"errors"
	"fmt"
)

// The exit codes of every command.
const (
	ExitOK          = 0  // done
	ExitFailed      = 1  // refused by the server, or a file, port or directory cannot be used
	ExitUsage       = 2  // flags, arguments or environment
	ExitUnreachable = 3  // nobody answers there
	ExitCorrupt     = 4  // a log or snapshot is corrupt, or the disk failed or stalled
	ExitBroken      = 98 // a promise was broken: oversold, lost or doubled
	ExitThreshold   = 99 // a threshold was missed
)

// exitError is an error that knows its exit code.
type exitError struct {
	code int
	err  error
}

// Error returns the text of the cause.
func (e *exitError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *exitError) Unwrap() error { return e.err }

func exitWith(code int, err error) error { return &exitError{code: code, err: err} }

// usagef is an error in what was typed.
func usagef(format string, args ...any) error {
	return exitWith(ExitUsage, fmt.Errorf(format, args...))
}

// codeOf returns the exit code of an error; what failed before a command began to run is a usage error.
func codeOf(err error, began bool) int {
	if err == nil {
		return ExitOK
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	if !began {
		return ExitUsage
	}
	return ExitFailed
}
