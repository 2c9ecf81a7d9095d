package waltest

import (
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"holdfast/wal"
)

var _ wal.FS = (*FS)(nil)

// OpKind names an operation of the file system.
type OpKind int

// The operations a hook is told of.
const (
	OpOpen OpKind = iota
	OpWrite
	OpSync
	OpRead
	OpRename
	OpRemove
	OpSyncDir
	OpLock
	OpAllocate
)

// ErrShort, returned by a hook for a write, lets the first half of it through: the write then says so and returns no error.
var ErrShort = errors.New("waltest: short write")

// ErrForgotten, returned by a hook for a sync, is the sync's error as on a kernel that then takes the pages for clean:
// what was written is still read, no later sync brings it to the disk, and a crash may take it.
var ErrForgotten = errors.New("waltest: sync failed, written pages are forgotten")

// Op is one operation, before it is done.
type Op struct {
	Kind   OpKind
	Name   string // path of the file, or of the directory
	Offset int64  // of a read or write
	Bytes  int    // of a read, write or allocation
}

// Changes reports whether the operation can change what a crash leaves.
func (o Op) Changes() bool { return o.Kind != OpRead && o.Kind != OpLock }

// FS is a file system in memory. Create it with NewFS.
type FS struct {
	hookMu sync.RWMutex // guards hook; held by nobody who holds mu
	hook   func(Op) error

	mu     sync.Mutex // guards all below and the content of every inode
	names  map[string]*inode
	kept   map[string]*inode // names as they are for sure after a crash
	undone []change          // changes of names that are not synced, in order
	locks  map[string]bool
}

// change is one change of names: to stands for node from now on, from for nothing. Either may be empty.
type change struct {
	from, to string
	node     *inode
}

// NewFS returns an empty file system.
func NewFS() *FS {
	return &FS{names: make(map[string]*inode), kept: make(map[string]*inode), locks: make(map[string]bool)}
}

// SetHook lets f see every operation before it is done; an error of f is the operation's result, which then is not
// done. f may block, fork the file system and read it. nil removes the hook.
func (s *FS) SetHook(f func(Op) error) {
	s.hookMu.Lock()
	defer s.hookMu.Unlock()
	s.hook = f
}

func (s *FS) before(op Op) error {
	s.hookMu.RLock()
	hook := s.hook
	s.hookMu.RUnlock()
	if hook == nil {
		return nil
	}
	return hook(op)
}

// MkdirAll implements wal.FS; directories need not exist here.
func (s *FS) MkdirAll(string) error { return nil }

// List implements wal.FS.
func (s *FS) List(dir string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range s.names {
		if filepath.Dir(name) == filepath.Clean(dir) {
			names = append(names, filepath.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// Open implements wal.FS.
func (s *FS) Open(name string, mode wal.OpenMode) (wal.File, error) {
	name = filepath.Clean(name)
	if err := s.before(Op{Kind: OpOpen, Name: name}); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	node := s.names[name]
	switch {
	case mode == wal.Create:
		node = &inode{name: name}
		s.changeLocked(change{to: name, node: node})
	case node == nil:
		return nil, fmt.Errorf("open %s: %w", name, iofs.ErrNotExist)
	}
	return &file{fs: s, node: node, writable: mode != wal.ReadOnly}, nil
}

// Rename implements wal.FS.
func (s *FS) Rename(from, to string) error {
	from, to = filepath.Clean(from), filepath.Clean(to)
	if err := s.before(Op{Kind: OpRename, Name: to}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	node := s.names[from]
	if node == nil {
		return fmt.Errorf("rename %s: %w", from, iofs.ErrNotExist)
	}
	node.name = to
	s.changeLocked(change{from: from, to: to, node: node})
	return nil
}

// Remove implements wal.FS.
func (s *FS) Remove(name string) error {
	name = filepath.Clean(name)
	if err := s.before(Op{Kind: OpRemove, Name: name}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names[name] == nil {
		return fmt.Errorf("remove %s: %w", name, iofs.ErrNotExist)
	}
	s.changeLocked(change{from: name})
	return nil
}

func (s *FS) changeLocked(c change) {
	s.undone = append(s.undone, c)
	c.do(s.names)
}

func (c change) do(names map[string]*inode) {
	if c.from != "" {
		delete(names, c.from)
	}
	if c.to != "" {
		names[c.to] = c.node
	}
}

// SyncDir implements wal.FS.
func (s *FS) SyncDir(dir string) error {
	dir = filepath.Clean(dir)
	if err := s.before(Op{Kind: OpSyncDir, Name: dir}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	in := func(c change) bool {
		return c.to != "" && filepath.Dir(c.to) == dir || c.from != "" && filepath.Dir(c.from) == dir
	}
	for _, c := range s.undone {
		if in(c) {
			c.do(s.kept)
		}
	}
	s.undone = slices.DeleteFunc(s.undone, in)
	return nil
}

// Lock implements wal.FS. A fork holds no locks.
func (s *FS) Lock(name string) (io.Closer, error) {
	name = filepath.Clean(name)
	if err := s.before(Op{Kind: OpLock, Name: name}); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locks[name] {
		return nil, fmt.Errorf("lock %s: %w", name, wal.ErrLocked)
	}
	s.locks[name] = true
	return &unlock{s, name}, nil
}

type unlock struct {
	fs   *FS
	name string
}

// Close implements io.Closer.
func (u *unlock) Close() error {
	u.fs.mu.Lock()
	defer u.fs.mu.Unlock()
	delete(u.fs.locks, u.name)
	return nil
}

// Names returns the paths of all files, in order.
func (s *FS) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.names))
}
