package program

import (
	"cmp"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// ErrMissing is what every *MissingError is, in the sense of errors.Is.
var ErrMissing = errors.New("program is missing")

// MissingError says which program is missing, and how to install it.
type MissingError struct {
	// Program is its name, Debian the package that has it.
	Program, Debian string
}

// Error names the program and the command that installs it on Debian.
func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is not installed; on Debian: apt-get install %s", e.Program, e.Debian)
}

// Is reports whether target is ErrMissing.
func (e *MissingError) Is(target error) bool { return target == ErrMissing }

// Find returns the path of a program: from PATH, else from the directories that the pattern matches, in whose paths the highest number comes first
// (Debian keeps the programs of each version of PostgreSQL in a directory of that name). It returns a *MissingError when there is none.
func Find(name, debian, pattern string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	dirs, err := filepath.Glob(pattern)
	if err != nil {
		return "", fmt.Errorf("look for %s: %w", name, err)
	}
	slices.SortFunc(dirs, func(a, b string) int { return cmp.Compare(version(b), version(a)) })
	for _, dir := range dirs {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", &MissingError{Program: name, Debian: debian}
}

// version is the number that a directory lies in, as in 15/bin; 0: none.
func version(dir string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	if err != nil {
		return 0
	}
	return n
}
