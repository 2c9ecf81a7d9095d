package backup

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"

	"holdfast/cluster"
	"holdfast/stock"
)

// Target is the data directory of the first node of a new cluster.
type Target struct {
	NodeID string
	// ClusterID is the new cluster's, drawn for it.
	ClusterID [16]byte
	// FS and Dir are where snapshots go; a nil FS is the operating system's. Log is the part of the node's log of a shard. All are empty.
	FS  cluster.FS
	Dir string
	Log func(shard uint32) cluster.GroupLog
}

// Restore writes the states of an archive that Verify has read as those with which the shards of a new cluster begin, durably. The first command that
// each of them applies raises its epoch to NextEpoch (rule R6). The meta group begins empty: who is in the old cluster is not in the new one. The
// archive is read again, from its beginning, and must be the same: else ErrChanged, ErrDamaged, or why it cannot be read. What an error leaves behind
// is not to be opened.
func Restore(from io.Reader, c *Contents, to *Target) error {
	epoch, err := c.NextEpoch()
	if err != nil {
		return err
	}
	r, err := newReader(bufio.NewReaderSize(from, 1<<16))
	if err != nil {
		return err
	}
	if a, err := encode(&r.manifest); err != nil {
		return err
	} else if b, err := encode(&c.Manifest); err != nil || !bytes.Equal(a, b) {
		return ErrChanged
	}
	if err := r.state(0, func(io.Reader) error { return nil }); err != nil {
		return err
	}
	for i := range c.Shards {
		s := &c.Shards[i]
		if err := r.state(s.ID, func(state io.Reader) error { return restoreShard(state, s, epoch, to) }); err != nil {
			return err
		}
		// Before the next one is written: a shard that is not the one that was verified must not look whole.
		if seen := r.seen[len(r.seen)-1]; seen.SHA256 != c.Files[len(r.seen)-1].SHA256 {
			return fmt.Errorf("%w: %s", ErrChanged, seen.Name)
		}
	}
	files, err := r.close()
	if err == nil && !slices.Equal(files, c.Files) {
		err = ErrChanged
	}
	return err
}

func restoreShard(state io.Reader, s *Shard, epoch uint16, to *Target) error {
	first, err := firstEntry(s, epoch)
	if err != nil {
		return err
	}
	return cluster.Found(&cluster.Founding{
		NodeID: to.NodeID, ClusterID: to.ClusterID, FS: to.FS, Dir: to.Dir, Log: to.Log(s.ID),
		Shard: s.ID, Index: s.Index, Term: s.Term, First: first,
	}, state)
}

// firstEntry returns the entry behind the restored state. Its clock is the state's, so that log time stands still.
func firstEntry(s *Shard, epoch uint16) ([]byte, error) {
	w := stock.NewProposalWriter(0)
	w.Reset(stock.Header{Term: s.Term})
	if err := w.Add(&stock.RaiseEpoch{Epoch: epoch}); err != nil {
		return nil, fmt.Errorf("backup: the first entry of shard %d: %w", s.ID, err)
	}
	return w.Seal(s.Clock), nil
}

// NextEpoch returns the epoch of a cluster that is restored from the archive: above all in it. ErrEpochs: there is none.
func (c *Contents) NextEpoch() (uint16, error) {
	highest := c.Epoch
	for i := range c.Shards {
		highest = max(highest, c.Shards[i].Epoch)
	}
	if highest >= stock.MaxEpoch {
		return 0, fmt.Errorf("%w above %d", ErrEpochs, highest)
	}
	return highest + 1, nil
}

// Lineage returns the ancestors of a cluster that is restored from the archive, the nearest first.
func (c *Contents) Lineage() []string {
	all := append([]string{c.ClusterID}, c.Ancestors...)
	return all[:min(len(all), maxAncestors)]
}
