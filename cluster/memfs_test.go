package cluster

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"sync"
)

// memFS is a file system in memory that knows what a crash keeps: the content that was synced, under the names that were synced.
type memFS struct {
	mu      sync.Mutex
	dirs    map[string]bool
	entries map[string]*memFile // what a reader sees
	durable map[string]*memFile // what names survive a crash
	dirsDur map[string]bool
	steps   int // operations so far
	failAt  int // the operation that fails, and all after it; 0 for none
}

type memFile struct {
	content []byte
	synced  []byte
}

var (
	_          FS = (*memFS)(nil)
	errPowered    = errors.New("memfs: power is off")
)

func newMemFS() *memFS {
	return &memFS{
		dirs: map[string]bool{"/": true}, dirsDur: map[string]bool{"/": true}, entries: map[string]*memFile{}, durable: map[string]*memFile{},
	}
}

// crash returns the file system as it may look after the power was cut: with keep, everything not synced happened to be kept.
func (m *memFS) crash(keep bool) *memFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	after := newMemFS()
	names, dirs := m.durable, m.dirsDur
	if keep {
		names, dirs = m.entries, m.dirs
	}
	maps.Copy(after.dirs, dirs)
	maps.Copy(after.dirsDur, dirs)
	for name, f := range names {
		content := f.synced
		if keep {
			content = f.content
		}
		if dirs[filepath.Dir(name)] {
			kept := &memFile{content: append([]byte(nil), content...), synced: append([]byte(nil), content...)}
			after.entries[name], after.durable[name] = kept, kept
		}
	}
	return after
}

// step counts an operation that changes something; from failAt on they fail and change nothing.
func (m *memFS) step() error {
	m.steps++
	if m.failAt != 0 && m.steps >= m.failAt {
		return errPowered
	}
	return nil
}

func (m *memFS) MkdirAll(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dirs[dir] && m.dirsDur[dir] {
		return nil
	}
	if err := m.step(); err != nil {
		return err
	}
	for d := dir; d != "/"; d = filepath.Dir(d) {
		m.dirs[d], m.dirsDur[d] = true, true
	}
	return nil
}

func (m *memFS) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name := range m.entries {
		if filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	return names, nil
}

func (m *memFS) Create(name string) (FileWriter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step(); err != nil {
		return nil, err
	}
	if !m.dirs[filepath.Dir(name)] {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	f := &memFile{}
	m.entries[name] = f
	return &memWriter{fs: m, file: f}, nil
}

func (m *memFS) Open(name string) (FileReader, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.entries[name]
	if f == nil {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return &memReader{content: f.content}, nil
}

func (m *memFS) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step(); err != nil {
		return err
	}
	if m.entries[from] == nil {
		return fmt.Errorf("%s: %w", from, fs.ErrNotExist)
	}
	m.entries[to] = m.entries[from]
	delete(m.entries, from)
	return nil
}

func (m *memFS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step(); err != nil {
		return err
	}
	delete(m.entries, name)
	return nil
}

func (m *memFS) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step(); err != nil {
		return err
	}
	for name := range m.durable {
		if filepath.Dir(name) == dir {
			delete(m.durable, name)
		}
	}
	for name, f := range m.entries {
		if filepath.Dir(name) == dir {
			m.durable[name] = f
		}
	}
	return nil
}

// edit changes the content of a file, durably.
func (m *memFS) edit(name string, change func([]byte) []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.entries[name]
	content := change(append([]byte(nil), f.content...))
	m.entries[name] = &memFile{content: content, synced: content}
	m.durable[name] = m.entries[name]
}

type memWriter struct {
	fs   *memFS
	file *memFile
}

func (w *memWriter) Write(p []byte) (int, error) {
	w.fs.mu.Lock()
	defer w.fs.mu.Unlock()
	if err := w.fs.step(); err != nil {
		return 0, err
	}
	w.file.content = append(w.file.content, p...)
	return len(p), nil
}

func (w *memWriter) Sync() error {
	w.fs.mu.Lock()
	defer w.fs.mu.Unlock()
	if err := w.fs.step(); err != nil {
		return err
	}
	w.file.synced = append([]byte(nil), w.file.content...)
	return nil
}

func (w *memWriter) Close() error { return nil }

type memReader struct{ content []byte }

func (r *memReader) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(r.content)) {
		return 0, io.EOF
	}
	n := copy(p, r.content[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (r *memReader) Size() (int64, error) { return int64(len(r.content)), nil }

func (r *memReader) Close() error { return nil }
