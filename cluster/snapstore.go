package cluster

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"

	"github.com/hashicorp/raft"
)

// snapshotStore keeps a shard's newest snapshot, and offers nothing else (rule R23): raft's own store falls back to an older one without an
// error, which takes back what was acknowledged.
//
// A snapshot is written under another name, synced, renamed, and its directory and the one above synced; only then it counts, and only then the
// one before is removed. After a crash the directory holds the old one, the new one, or both, and leftovers under the other name.
type snapshotStore struct {
	fs      FS
	dir     string
	cluster [16]byte
	shard   uint32
	logger  *slog.Logger
	held    func() error // called with each snapshot that became durable, before it counts

	mu      sync.Mutex // guards what follows
	newest  *snapshot  // nil when there is none
	before  *snapshot  // the one that newest replaced; nil when there was none
	covered int64      // goes into the next one's CoveredBytes
}

// snapshot is one that counts.
type snapshot struct {
	snapMeta
	id         string
	blocksAt   int64
	stateBytes int64
}

var _ raft.SnapshotStore = (*snapshotStore)(nil)

const (
	snapSuffix     = ".snap"
	snapTempSuffix = ".tmp"
)

// openSnapshotStore opens or creates the store of a shard below parent and removes what a crash left over. The head and the end of the newest
// snapshot are verified here, its state when it is read.
func openSnapshotStore(fsys FS, parent string, cluster [16]byte, shard uint32, logger *slog.Logger) (*snapshotStore, error) {
	s := &snapshotStore{
		fs: fsys, dir: shardDir(parent, shard), cluster: cluster, shard: shard, logger: logger,
		held: func() error { return nil },
	}
	if err := fsys.MkdirAll(s.dir); err != nil {
		return nil, fmt.Errorf("cluster: make snapshot directory: %w", err)
	}
	names, err := fsys.List(s.dir)
	if err != nil {
		return nil, fmt.Errorf("cluster: list snapshots: %w", err)
	}
	newest := ""
	for _, name := range names {
		switch {
		case strings.HasSuffix(name, snapTempSuffix):
			if err := fsys.Remove(filepath.Join(s.dir, name)); err != nil {
				return nil, fmt.Errorf("cluster: remove leftover: %w", err)
			}
		case strings.HasSuffix(name, snapSuffix):
			newest = max(newest, name)
		}
	}
	// What is seen here must also be there after the next crash.
	if err := s.syncDirs(); err != nil {
		return nil, err
	}
	if newest == "" {
		return s, nil
	}
	s.newest, err = s.load(newest)
	return s, err
}

func (s *snapshotStore) syncDirs() error {
	if err := errors.Join(s.fs.SyncDir(s.dir), s.fs.SyncDir(filepath.Dir(s.dir))); err != nil {
		return fmt.Errorf("cluster: sync snapshot directory: %w", err)
	}
	return nil
}

// nameOf names a snapshot so that byte order is log order.
func snapName(index, term uint64) string {
	return fmt.Sprintf("%020d-%020d%s", index, term, snapSuffix)
}

// load reads head and end of a snapshot.
func (s *snapshotStore) load(name string) (*snapshot, error) {
	path := filepath.Join(s.dir, name)
	f, err := s.fs.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cluster: open snapshot: %w", err)
	}
	defer func() { _ = f.Close() }()
	snap := &snapshot{id: name}
	meta, blocksAt, err := readHead(f)
	if err != nil {
		return nil, s.explain(name, err)
	}
	snap.snapMeta, snap.blocksAt = *meta, blocksAt
	switch {
	case string(meta.Cluster) != string(s.cluster[:]) || meta.Shard != s.shard:
		return nil, s.explain(name, fmt.Errorf("%w: shard %d of cluster %x", ErrSnapshotForeign, meta.Shard, meta.Cluster))
	case snapName(meta.Index, meta.Term) != name:
		return nil, s.explain(name, fmt.Errorf("%w: it holds index %d of term %d", ErrSnapshotCorrupt, meta.Index, meta.Term))
	}
	if err := meta.checkMembers(); err != nil {
		return nil, s.explain(name, err)
	}
	if snap.stateBytes, err = readEnd(f, blocksAt); err != nil {
		return nil, s.explain(name, err)
	}
	return snap, nil
}

// explain names the file and, for a corrupt one, the way out.
func (s *snapshotStore) explain(name string, err error) error {
	path := filepath.Join(s.dir, name)
	if !errors.Is(err, ErrSnapshotCorrupt) {
		return fmt.Errorf("%s: %w", path, err)
	}
	return fmt.Errorf("%s: %w. The log no longer holds what it covers, and an older snapshot would take back acknowledged orders. "+
		"Way out: put back a good copy of the file, or restore a backup, or (with other replicas) move the data directory aside and join "+
		"under a new node id", path, err)
}

// List returns the newest snapshot, or nothing.
func (s *snapshotStore) List() ([]*raft.SnapshotMeta, error) {
	snap := s.latest()
	if snap == nil {
		return nil, nil
	}
	return []*raft.SnapshotMeta{snap.raftMeta(snap.id, snap.stateBytes)}, nil
}

func (s *snapshotStore) latest() *snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest
}

// index returns the log index of the newest snapshot, 0 without one.
func (s *snapshotStore) index() uint64 {
	if snap := s.latest(); snap != nil {
		return snap.Index
	}
	return 0
}

// Open returns a reader of the newest snapshot's state, verified block by block.
func (s *snapshotStore) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	snap := s.latest()
	if snap == nil || snap.id != id {
		return nil, nil, fmt.Errorf("cluster: snapshot %s is not the newest any more", id)
	}
	f, err := s.fs.Open(filepath.Join(s.dir, id))
	if err != nil {
		return nil, nil, fmt.Errorf("cluster: open snapshot: %w", err)
	}
	blocks, err := newBlockReader(f, snap.blocksAt)
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return snap.raftMeta(snap.id, snap.stateBytes), &snapshotReader{store: s, id: id, blocks: blocks, file: f}, nil
}

// verify reads the newest snapshot to its end.
func (s *snapshotStore) verify() error {
	snap := s.latest()
	if snap == nil {
		return nil
	}
	_, r, err := s.Open(snap.id)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close())
}

// snapshotReader is an open snapshot.
type snapshotReader struct {
	store  *snapshotStore
	id     string
	blocks *blockReader
	file   FileReader
}

// Read reads verified bytes; an error names the file.
func (r *snapshotReader) Read(p []byte) (int, error) {
	n, err := r.blocks.Read(p)
	if err != nil && err != io.EOF {
		err = r.store.explain(r.id, err)
	}
	return n, err
}

// Close closes the file.
func (r *snapshotReader) Close() error { return r.file.Close() }

// ReadSnapshot opens the state in the newest snapshot of a shard below dir, which no node may have open, and says which log index it stands for:
// nil and 0 when there is none. The state is verified while it is read. A nil FS is OS.
func ReadSnapshot(fsys FS, dir string, shard uint32) (state io.ReadCloser, index uint64, err error) {
	if fsys == nil {
		fsys = OS{}
	}
	s := &snapshotStore{fs: fsys, dir: shardDir(dir, shard), shard: shard}
	names, err := fsys.List(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("cluster: list snapshots: %w", err)
	}
	newest := ""
	for _, name := range names {
		if strings.HasSuffix(name, snapSuffix) {
			newest = max(newest, name)
		}
	}
	if newest == "" {
		return nil, 0, nil
	}
	f, err := fsys.Open(filepath.Join(s.dir, newest))
	if err != nil {
		return nil, 0, fmt.Errorf("cluster: open snapshot: %w", err)
	}
	meta, blocksAt, err := readHead(f)
	if err == nil {
		var blocks *blockReader
		if blocks, err = newBlockReader(f, blocksAt); err == nil {
			return &snapshotReader{store: s, id: newest, blocks: blocks, file: f}, meta.Index, nil
		}
	}
	_ = f.Close()
	return nil, 0, s.explain(newest, err)
}
