package cluster

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// mark says which replica of a shard a directory and its part of the log belong to. It is a file beside the snapshots, written before anything else
// of a replica and the last to speak of it:
//
//	OpenReplica(7)    mark "empty 7" -> raft runs -> first entry or snapshot durable -> mark "held 7" -> the first acknowledgement
//	RemoveReplica     closed -> mark "gone 7" -> snapshots, entries, term and vote go
//
// So nothing of a replica opens under another number: whatever is found beside "gone" is wiped before the next number is written. A crash anywhere
// leaves one of the three. "held" is what tells a voter that lost its state, which must not vote again, from a learner that never had any.
type mark struct {
	state  markState
	number uint64
}

type markState string

const (
	markEmpty markState = "empty"
	markHeld  markState = "held"
	markGone  markState = "gone"
)

const markName = "replica"

// markSum guards the text: a flipped digit must not make another replica of it.
func markSum(text string) uint32 { return crc32.Checksum([]byte(text), castagnoli) }

// readMark reads the mark in dir; found is false when there is none.
func readMark(fsys FS, dir string) (m mark, found bool, err error) {
	path := filepath.Join(dir, markName)
	f, err := fsys.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return mark{}, false, nil
	}
	if err != nil {
		return mark{}, false, fmt.Errorf("cluster: open the replica's mark: %w", err)
	}
	defer func() { _ = f.Close() }()
	const most = 64
	b, err := io.ReadAll(io.NewSectionReader(f, 0, most))
	if err != nil {
		return mark{}, false, fmt.Errorf("cluster: read the replica's mark: %w", err)
	}
	var sum uint32
	text := string(b)
	if _, err := fmt.Sscanf(text, "%s %d %x\n", &m.state, &m.number, &sum); err != nil || text != m.text() {
		return mark{}, false, fmt.Errorf("%w: %s", ErrMark, path)
	}
	return m, true, nil
}

func (m mark) text() string {
	head := fmt.Sprintf("%s %d", m.state, m.number)
	return fmt.Sprintf("%s %08x\n", head, markSum(head))
}

// writeMark makes m the mark of dir, durably.
func writeMark(fsys FS, dir string, m mark) error {
	path := filepath.Join(dir, markName)
	f, err := fsys.Create(path + snapTempSuffix)
	if err != nil {
		return fmt.Errorf("cluster: create the replica's mark: %w", err)
	}
	_, err = io.WriteString(f, m.text())
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = fsys.Rename(path+snapTempSuffix, path)
	}
	if err == nil {
		err = errors.Join(fsys.SyncDir(dir), fsys.SyncDir(filepath.Dir(dir)))
	}
	if err != nil {
		return fmt.Errorf("cluster: write the replica's mark: %w", err)
	}
	return nil
}

// shardDir returns the directory of a shard's snapshots and mark.
func shardDir(parent string, shard uint32) string {
	return filepath.Join(parent, fmt.Sprintf("shard-%d", shard))
}

// claim makes a shard's directory and log those of replica number, before anything of it is opened. It returns ErrReplicaGone for a number that was
// removed, ErrReplicaOther when another replica's state is there, ErrStateLost when the mark of what is there is missing.
func (c *Cluster) claim(shard uint32, number uint64) error {
	fsys, dir := c.cfg.FS, shardDir(c.cfg.Dir, shard)
	if err := fsys.MkdirAll(dir); err != nil {
		return fmt.Errorf("cluster: make snapshot directory: %w", err)
	}
	m, found, err := readMark(fsys, dir)
	if err != nil {
		return err
	}
	if !found {
		return c.adopt(shard, number)
	}
	switch {
	case m.state == markGone:
		if err := c.wipe(shard); err != nil {
			return err
		}
		if number <= m.number {
			return fmt.Errorf("%w: %d, the last one removed is %d", ErrReplicaGone, number, m.number)
		}
		return writeMark(fsys, dir, mark{markEmpty, number})
	case m.number != number:
		return fmt.Errorf("%w: %s is replica %d's, this is %d", ErrReplicaOther, dir, m.number, number)
	}
	return nil
}

// adopt writes the first mark of a directory that has none. State beside it is from a version that wrote no marks, when all replicas were the first.
func (c *Cluster) adopt(shard uint32, number uint64) error {
	dir, log := shardDir(c.cfg.Dir, shard), c.cfg.Groups(shard)
	last, err := log.LastIndex()
	if err != nil {
		return fmt.Errorf("cluster: last index of the log: %w", err)
	}
	term, err := termOf(log)
	if err != nil {
		return err
	}
	snapshots, err := c.snapshotsIn(dir)
	if err != nil {
		return err
	}
	// The process may have ended while it wrote the first mark.
	snapshots = slices.DeleteFunc(snapshots, func(path string) bool { return path == filepath.Join(dir, markName+snapTempSuffix) })
	held := last > 0 || len(snapshots) > 0
	switch {
	case held && number == firstReplica:
		return writeMark(c.cfg.FS, dir, mark{markHeld, number})
	case held || term > firstTerm:
		return fmt.Errorf("%w: %s holds no mark of replica %d, and the group was in term %d: put the directory back, restore a backup, or join "+
			"again under a new node id", ErrStateLost, dir, number, term)
	}
	return writeMark(c.cfg.FS, dir, mark{markEmpty, number})
}

func (c *Cluster) snapshotsIn(dir string) (paths []string, err error) {
	names, err := c.cfg.FS.List(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cluster: list snapshots: %w", err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, snapSuffix) || strings.HasSuffix(name, snapTempSuffix) {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	return paths, nil
}

// wipe removes snapshots, entries, term and vote of a replica that is gone, durably. It may run twice.
func (c *Cluster) wipe(shard uint32) error {
	dir, log := shardDir(c.cfg.Dir, shard), c.cfg.Groups(shard)
	paths, err := c.snapshotsIn(dir)
	for _, path := range paths {
		err = errors.Join(err, c.cfg.FS.Remove(path))
	}
	if err == nil && len(paths) > 0 {
		err = c.cfg.FS.SyncDir(dir)
	}
	if err == nil {
		err = log.Drop()
	}
	// A term of 0 is what a group without a term is in, and nobody asks for a vote in it.
	for _, key := range [][]byte{keyLastVoteTerm, keyCurrentTerm} {
		if err == nil {
			err = log.SetUint64(key, 0)
		}
	}
	if err != nil {
		return fmt.Errorf("cluster: remove what replica of shard %d left: %w", shard, err)
	}
	return nil
}
