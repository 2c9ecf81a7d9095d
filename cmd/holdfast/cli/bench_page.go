package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"holdfast/bench/report"
	"holdfast/bench/result"
)

// pageFile is a file that comes into being when it is complete.
type pageFile struct {
	path string
	f    *os.File // nil: none is wanted, or it is done
}

// newPageFile makes sure that a page can be written before anything is measured.
func newPageFile(path string) (*pageFile, error) {
	if path == "" {
		return &pageFile{}, nil
	}
	if stat, err := os.Stat(path); err == nil && stat.IsDir() {
		return nil, fmt.Errorf("%s is a directory", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".holdfast-report-*")
	if err != nil {
		return nil, err
	}
	return &pageFile{path: path, f: f}, nil
}

// write writes the page and gives it its name.
func (p *pageFile) write(r *result.Result, baseline *result.Result) error {
	if p.f == nil {
		return nil
	}
	if err := report.Write(p.f, *r, baseline); err != nil {
		return err
	}
	if err := errors.Join(p.f.Chmod(0o644), p.f.Close()); err != nil {
		return err
	}
	if err := os.Rename(p.f.Name(), p.path); err != nil {
		return err
	}
	p.f = nil
	return nil
}

// discard removes what was not completed.
func (p *pageFile) discard() {
	if p.f == nil {
		return
	}
	// It is only a leftover, and may be closed already.
	_ = p.f.Close()
	_ = os.Remove(p.f.Name())
}
