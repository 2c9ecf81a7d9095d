package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrNotAResult is returned when a file is JSON but not the result of a run.
var ErrNotAResult = errors.New("not the result of a run")

// Read reads a result. What it does not know in the file it passes over: newer results have more fields.
func Read(name string) (Result, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return Result{}, fmt.Errorf("reading a result: %w", err)
	}
	return Parse(name, text)
}

// Parse is Read of a text; the name is for its errors.
func Parse(name string, text []byte) (Result, error) {
	var r Result
	if err := json.Unmarshal(text, &r); err != nil {
		return Result{}, fmt.Errorf("%s: %w: %w", name, ErrNotAResult, err)
	}
	if r.Scenario == "" || r.Target == "" || r.DurationS <= 0 {
		return Result{}, fmt.Errorf("%s: %w: scenario, target or duration_s is missing", name, ErrNotAResult)
	}
	return r, nil
}

// ReadOptional is Read for a place where no result yet is a result, too: ok is false when there is no such file.
func ReadOptional(name string) (r Result, ok bool, err error) {
	r, err = Read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Result{}, false, nil
	}
	return r, err == nil, err
}

// Encode is a result as it is printed and stored: indented, with a newline at its end.
func (r Result) Encode() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding a result: %w", err)
	}
	return append(text, '\n'), nil
}
