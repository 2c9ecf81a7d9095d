package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"holdfast/cluster"
	"holdfast/cluster/backup"
	"holdfast/wal"
)

// Restored is a cluster that was restored.
type Restored struct {
	// ClusterID is the new cluster's, in hex; Epoch is above the backup's.
	ClusterID string
	Epoch     uint16
	// Contents is what the backup holds.
	Contents *backup.Contents
}

// Restore writes the data directory of the first node of a new cluster, with what is in a backup. Of the configuration, DataDir and NodeID count, and
// what concerns the log. The archive is read twice, and nothing is written before it was found to be whole and sound; on an error nothing stays. Its
// errors are those of package backup for the archive, and ErrDataDir or ErrConfig.
func Restore(ctx context.Context, archive io.ReadSeeker, cfg Config) (r Restored, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return r, err
	}
	if err := emptyDir(cfg.DataDir); err != nil {
		return r, err
	}
	if r.Contents, err = backup.Verify(reading{ctx, archive}); err != nil {
		return r, err
	}
	if err := cfg.hasRoom(r.Contents.Bytes); err != nil {
		return r, err
	}
	if _, err := archive.Seek(0, io.SeekStart); err != nil {
		return r, fmt.Errorf("node: read the backup again: %w", err)
	}
	id, err := restoredIdentity(cfg.NodeID, r.Contents)
	if err != nil {
		return r, err
	}
	r.ClusterID, r.Epoch = id.ClusterID, id.Epoch
	if err := cfg.restore(reading{ctx, archive}, r.Contents, &id); err != nil {
		return r, errors.Join(err, os.RemoveAll(filepath.Join(cfg.DataDir, "wal")), os.RemoveAll(filepath.Join(cfg.DataDir, "snapshots")))
	}
	return r, nil
}

// emptyDir makes the directory, or wants it to be empty.
func emptyDir(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("%w: %w", ErrDataDir, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDataDir, err)
	}
	for _, e := range entries {
		if e.Name() != "lost+found" {
			return fmt.Errorf("%w %s: it is not empty (%s): a restore begins a new cluster; choose an empty directory with --data-dir", ErrDataDir, dir, e.Name())
		}
	}
	return probe(dir)
}

// hasRoom refuses a disk that has no room for the states and the first segments of the log. Where nobody can tell, a full disk ends the restore.
func (c *Config) hasRoom(states int64) error {
	const segments = 2
	need := states + segments*c.WALSegmentBytes
	if free, known := freeBytes(c.DataDir); known && free < need {
		return fmt.Errorf("%w %s: the disk has %d bytes free and the restore needs %d: free some, or choose another with --data-dir",
			ErrDataDir, c.DataDir, free, need)
	}
	return nil
}

// restoredIdentity returns the identity of the first node of a cluster that comes from a backup.
func restoredIdentity(node string, c *backup.Contents) (id identity, err error) {
	if id, err = newIdentity(node); err != nil {
		return id, err
	}
	if err := id.found(c.Manifest.Shards); err != nil {
		return id, err
	}
	if id.Epoch, err = c.NextEpoch(); err != nil {
		return id, err
	}
	id.Origin = &origin{
		Ancestors: c.Lineage(), Indexes: make(map[uint32]uint64),
		RetentionMS: c.Settings.RetentionMS, MaxOpenOrders: c.Settings.MaxOpenOrders, MaxNodes: c.Settings.MaxNodes,
	}
	for i := range c.Shards {
		id.Origin.Indexes[c.Shards[i].ID] = c.Shards[i].Index
	}
	return id, nil
}

// restore writes log and snapshots, and last whose they are: a directory that was not finished is nobody's, and no node starts from it.
func (c *Config) restore(archive io.Reader, contents *backup.Contents, id *identity) error {
	cfg := c.logConfig()
	cfg.ClusterID = id.clusterID()
	log, err := wal.Open(cfg)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDataDir, err)
	}
	err = backup.Restore(archive, contents, &backup.Target{
		NodeID: c.NodeID, ClusterID: id.clusterID(), Dir: filepath.Join(c.DataDir, "snapshots"),
		Log: func(shard uint32) cluster.GroupLog { return log.Group(shard) },
	})
	if closed := log.Close(); err == nil && closed != nil {
		err = fmt.Errorf("%w: %w", ErrDataDir, closed)
	}
	if err != nil {
		return err
	}
	return id.write(c.DataDir)
}

// reading is a file that is read until a context ends.
type reading struct {
	ctx  context.Context
	from io.Reader
}

// Read reads the file.
func (r reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}
