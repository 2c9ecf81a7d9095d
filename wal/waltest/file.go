package waltest

import (
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"path/filepath"
	"slices"

	"holdfast/wal"
)

// inode is the content of a file, guarded by its file system's mu.
type inode struct {
	name   string  // the newest one
	now    []byte  // as it is read
	synced []byte  // as it is for sure after a crash
	writes []write // since the last sync, in order
}

type write struct {
	offset int64
	bytes  []byte
}

func (w write) do(content []byte) []byte {
	if grow := int(w.offset) + len(w.bytes) - len(content); grow > 0 {
		content = append(content, make([]byte, grow)...)
	}
	copy(content[w.offset:], w.bytes)
	return content
}

var _ wal.File = (*file)(nil)

type file struct {
	fs       *FS
	node     *inode
	writable bool
	closed   bool // guarded by fs.mu
}

func (f *file) name() string {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.node.name
}

func (f *file) errLocked(op string) error {
	if f.closed {
		return fmt.Errorf("%s %s: %w", op, f.node.name, iofs.ErrClosed)
	}
	return nil
}

// ReadAt implements wal.File.
func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	if err := f.fs.before(Op{Kind: OpRead, Name: f.name(), Offset: offset, Bytes: len(p)}); err != nil {
		return 0, err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.errLocked("read"); err != nil {
		return 0, err
	}
	if offset >= int64(len(f.node.now)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.now[offset:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements wal.File.
func (f *file) WriteAt(p []byte, offset int64) (int, error) {
	err := f.fs.before(Op{Kind: OpWrite, Name: f.name(), Offset: offset, Bytes: len(p)})
	if errors.Is(err, ErrShort) {
		p = p[:len(p)/2]
	} else if err != nil {
		return 0, err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.errLocked("write"); err != nil {
		return 0, err
	}
	if !f.writable {
		return 0, fmt.Errorf("write %s: %w", f.node.name, iofs.ErrPermission)
	}
	w := write{offset: offset, bytes: slices.Clone(p)}
	f.node.writes = append(f.node.writes, w)
	f.node.now = w.do(f.node.now)
	return len(p), nil
}

// Allocate implements wal.File.
func (f *file) Allocate(size int64) error {
	if err := f.fs.before(Op{Kind: OpAllocate, Name: f.name(), Bytes: int(size)}); err != nil {
		return err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.errLocked("allocate"); err != nil {
		return err
	}
	w := write{offset: size}
	f.node.writes = append(f.node.writes, w)
	f.node.now = w.do(f.node.now)
	return nil
}

// Size implements wal.File.
func (f *file) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(f.node.now)), f.errLocked("size")
}

// Sync implements wal.File.
func (f *file) Sync() error {
	failed := f.fs.before(Op{Kind: OpSync, Name: f.name()})
	if failed != nil && !errors.Is(failed, ErrForgotten) {
		return failed
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.errLocked("sync"); err != nil {
		return err
	}
	if failed != nil {
		f.node.writes = nil
		return failed
	}
	for _, w := range f.node.writes {
		f.node.synced = w.do(f.node.synced)
	}
	f.node.writes = nil
	return nil
}

// Close implements wal.File.
func (f *file) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	err := f.errLocked("close")
	f.closed = true
	return err
}

// ReadFile returns a copy of a file's content, or nil when there is none.
func (s *FS) ReadFile(name string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	node := s.names[filepath.Clean(name)]
	if node == nil {
		return nil
	}
	return append([]byte{}, node.now...)
}

// WriteFile puts a file there, durably, whatever was under the name before. It takes content over.
func (s *FS) WriteFile(name string, content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name = filepath.Clean(name)
	node := &inode{name: name, now: content, synced: slices.Clone(content)}
	s.names[name], s.kept[name] = node, node
}
