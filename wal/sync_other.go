//go:build !linux

package wal

import "os"

func syncContent(f *os.File) error { return f.Sync() }
