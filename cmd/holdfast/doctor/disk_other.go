//go:build !linux

package doctor

import (
	"io/fs"
	"os"
)

func statVolume(string) volume { return volume{} }

func nameless(dir string) (*os.File, error) { return unnamed(dir) }

func syncContent(f *os.File) error { return f.Sync() }

func ownerOf(fs.FileInfo) int { return -1 }
