package cluster

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/hashicorp/raft"
)

// snapshotSink writes one snapshot. It is used by one goroutine at a time; Close and Cancel may come more than once.
type snapshotSink struct {
	store  *snapshotStore
	snap   *snapshot
	file   FileWriter
	blocks *blockWriter
	done   bool
	err    error // what Close said
}

var _ raft.SnapshotSink = (*snapshotSink)(nil)

// Create begins a snapshot. One that is behind the newest is refused: it could only be a late copy from a leader, and would take state back.
func (s *snapshotStore) Create(_ raft.SnapshotVersion, index, term uint64, members raft.Configuration, membersIndex uint64,
	_ raft.Transport) (raft.SnapshotSink, error) {
	if newest := s.index(); index < newest {
		return nil, fmt.Errorf("cluster: snapshot at %d comes late, there is one at %d", index, newest)
	}
	s.mu.Lock()
	covered := s.covered
	s.mu.Unlock()
	snap := &snapshot{id: snapName(index, term), snapMeta: snapMeta{
		Cluster: s.cluster[:], Shard: s.shard, Index: index, Term: term,
		MembersIndex: membersIndex, Members: raft.EncodeConfiguration(members), CoveredBytes: covered,
	}}
	head, err := appendHead(nil, &snap.snapMeta)
	if err != nil {
		return nil, err
	}
	snap.blocksAt = int64(len(head))
	file, err := s.fs.Create(filepath.Join(s.dir, snap.id+snapTempSuffix))
	if err != nil {
		return nil, fmt.Errorf("cluster: create snapshot: %w", err)
	}
	sink := &snapshotSink{store: s, snap: snap, file: file, blocks: newBlockWriter(file)}
	if _, err := file.Write(head); err != nil {
		_ = sink.Cancel()
		return nil, fmt.Errorf("cluster: write snapshot: %w", err)
	}
	return sink, nil
}

// ID returns the snapshot's id.
func (k *snapshotSink) ID() string { return k.snap.id }

// Write adds to the state.
func (k *snapshotSink) Write(p []byte) (int, error) { return k.blocks.Write(p) }

// Close makes the snapshot durable; once it returned nil it is the newest, and the one before is gone. On an error nothing counts.
func (k *snapshotSink) Close() error {
	if k.done {
		return k.err
	}
	k.done = true
	if k.err = k.finish(); k.err != nil {
		return k.err
	}
	k.store.count(k.snap)
	return nil
}

func (k *snapshotSink) finish() error {
	s, temp := k.store, filepath.Join(k.store.dir, k.snap.id+snapTempSuffix)
	err := k.blocks.end()
	if err == nil {
		err = k.file.Sync()
	}
	if closeErr := k.file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = s.fs.Rename(temp, filepath.Join(s.dir, k.snap.id))
	}
	if err != nil {
		_ = s.fs.Remove(temp) // The next start removes what stays.
		return fmt.Errorf("cluster: write snapshot: %w", err)
	}
	k.snap.stateBytes = k.blocks.total
	return errors.Join(s.syncDirs(), s.held())
}

// Cancel gives the snapshot up. It does nothing after Close.
func (k *snapshotSink) Cancel() error {
	if k.done {
		return nil
	}
	k.done, k.err = true, fmt.Errorf("cluster: snapshot %s was cancelled", k.snap.id)
	_ = k.file.Close()
	if err := k.store.fs.Remove(filepath.Join(k.store.dir, k.snap.id+snapTempSuffix)); err != nil {
		return fmt.Errorf("cluster: remove cancelled snapshot: %w", err)
	}
	return nil
}

// count makes a durable snapshot the newest and removes the others. One that cannot be removed costs disk, nothing else: it is tried again.
func (s *snapshotStore) count(snap *snapshot) {
	s.mu.Lock()
	s.before, s.newest = s.newest, snap
	s.mu.Unlock()
	names, err := s.fs.List(s.dir)
	for _, name := range names {
		if strings.HasSuffix(name, snapSuffix) && name != snap.id {
			if rmErr := s.fs.Remove(filepath.Join(s.dir, name)); rmErr != nil {
				err = rmErr
			}
		}
	}
	if err != nil {
		s.logger.Warn("an older snapshot could not be removed", "shard", s.shard, "error", err)
	}
}
