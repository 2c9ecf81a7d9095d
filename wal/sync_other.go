//go:build !linux

package wal

import (
	"errors"
	"os"
)

func allocate(*os.File, int64) error { return errors.ErrUnsupported }

func syncContent(f *os.File) error { return f.Sync() }
