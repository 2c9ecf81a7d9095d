package cluster

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/hashicorp/raft"
)

// SnapshotState is the state in a snapshot, being read; every byte is verified before it is handed out. It stays readable when a newer snapshot takes
// the place of this one.
type SnapshotState struct {
	// Index and Term are those of the last entry in the state. Bytes is its length.
	Index, Term uint64
	Bytes       int64
	io.ReadCloser
}

// OpenSnapshot opens the newest snapshot of this replica. ErrNoSnapshot: there is none.
func (s *Shard) OpenSnapshot() (*SnapshotState, error) {
	r := s.replica.Load()
	if r == nil {
		return nil, s.absent()
	}
	// One that is replaced between the two looks is gone; the next cannot be replaced as fast again.
	const tries = 3
	var err error
	for range tries {
		snap := r.store.latest()
		if snap == nil {
			return nil, ErrNoSnapshot
		}
		var state io.ReadCloser
		if _, state, err = r.store.Open(snap.id); err == nil {
			return &SnapshotState{Index: snap.Index, Term: snap.Term, Bytes: snap.stateBytes, ReadCloser: state}, nil
		}
	}
	return nil, err
}

// Founding is the replica with which a group begins that does not begin empty: that of a restored cluster. Its node is the only voter.
type Founding struct {
	NodeID    string
	ClusterID [16]byte
	// FS and Dir are those of the node's Config; a nil FS is OS. Log is the group's part of its log, empty. Neither may be in use by a Cluster.
	FS  FS
	Dir string
	Log GroupLog

	Shard uint32
	// Index and Term are those of the last entry in the state.
	Index, Term uint64
	// First is the first entry behind the state, a proposal.
	First []byte
}

// Found writes a group's state and first entry, durably. A directory or log that holds something of the shard is refused with ErrReplicaOther. What
// an error leaves behind is not to be opened.
func Found(f *Founding, state io.Reader) error {
	if err := f.check(); err != nil {
		return fmt.Errorf("cluster: found shard %d: %w", f.Shard, err)
	}
	for _, step := range []func() error{
		func() error { return writeMark(f.FS, shardDir(f.Dir, f.Shard), mark{markHeld, firstReplica}) },
		func() error { return f.writeState(state) },
		// Raft must not be in an older term than the newest entry, and this node has voted for nobody in it.
		func() error { return f.Log.SetUint64(keyCurrentTerm, f.Term) },
		func() error {
			return f.Log.StoreLog(&raft.Log{Index: f.Index + 1, Term: f.Term, Type: raft.LogCommand, Data: f.First})
		},
	} {
		if err := step(); err != nil {
			return fmt.Errorf("cluster: found shard %d: %w", f.Shard, err)
		}
	}
	return nil
}

func (f *Founding) check() error {
	if f.FS == nil {
		f.FS = OS{}
	}
	if checkNodeID(f.NodeID) != "" || f.Index == 0 || f.Term == 0 || len(f.First) == 0 || f.ClusterID == [16]byte{} {
		return fmt.Errorf("%w: a founding of shard %d at index %d of term %d", ErrConfig, f.Shard, f.Index, f.Term)
	}
	dir := shardDir(f.Dir, f.Shard)
	if err := f.FS.MkdirAll(dir); err != nil {
		return fmt.Errorf("make snapshot directory: %w", err)
	}
	names, err := f.FS.List(dir)
	if err != nil {
		return fmt.Errorf("list snapshots: %w", err)
	}
	last, err := f.Log.LastIndex()
	if err != nil {
		return fmt.Errorf("last index of the log: %w", err)
	}
	term, err := termOf(f.Log)
	if err != nil {
		return err
	}
	if len(names) > 0 || last > 0 || term > 0 {
		return fmt.Errorf("%w: %s and its log must be empty", ErrReplicaOther, dir)
	}
	return nil
}

// writeState writes the snapshot. The configuration in it stands at the index of its last entry, behind which there is no other one.
func (f *Founding) writeState(state io.Reader) error {
	store, err := openSnapshotStore(f.FS, f.Dir, f.ClusterID, f.Shard, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	id := raftID(f.NodeID, firstReplica)
	members := raft.Configuration{Servers: []raft.Server{{ID: id, Address: memberAddress(id, noAddress), Suffrage: raft.Voter}}}
	sink, err := store.Create(raft.SnapshotVersionMax, f.Index, f.Term, members, f.Index, nil)
	if err != nil {
		return err
	}
	if _, err := io.Copy(sink, state); err != nil {
		return errors.Join(fmt.Errorf("copy the state: %w", err), sink.Cancel())
	}
	return sink.Close()
}

// noAddress stands where an address belongs that is not known yet: nobody dials the only voter before Config.AddressOf knows better.
const noAddress = "unknown:0"
