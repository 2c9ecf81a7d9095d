package config

import (
	"errors"
	"fmt"
)

var (
	// ErrFile is returned when a file cannot be read, is empty or too long.
	ErrFile = errors.New("config: file")
	// ErrSyntax is returned for text that is not one flat YAML mapping of names to single values.
	ErrSyntax = errors.New("config: syntax")
	// ErrKey is returned for a key that is no setting, or stands twice.
	ErrKey = errors.New("config: key")
	// ErrValue is returned for a value that its setting does not take.
	ErrValue = errors.New("config: value")
)

// Error is one thing that is wrong. It wraps ErrFile, ErrSyntax, ErrKey or ErrValue, and the cause when there is one.
type Error struct {
	// Where is the file, the file with a line, or the environment variable; Key the setting, "" when none is to blame.
	Where, Key string
	// Text says what is wrong and what is expected.
	Text string
	// Kind is the sentinel, Cause what the system said.
	Kind, Cause error
}

// Error returns where, which and what.
func (e *Error) Error() string {
	text := e.Where + ": "
	if e.Key != "" {
		text += e.Key + ": "
	}
	text += e.Text
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns the sentinel and the cause.
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Cause} }

// at names a line of a file, counted from 1.
func at(file string, line int) string { return fmt.Sprintf("%s:%d", file, line) }
