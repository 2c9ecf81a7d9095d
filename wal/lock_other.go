//go:build !unix || solaris || aix

package wal

import (
	"errors"
	"os"
)

func lockFile(*os.File) error { return errors.ErrUnsupported }
