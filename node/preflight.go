package node

import (
	"errors"
	"io/fs"
)

// Identity is whose a data directory is.
type Identity struct {
	// NodeID names the node, ClusterID its cluster in hex.
	NodeID, ClusterID string
	// Format is the version of the directory as a whole; Shards is the cluster's, and never changes.
	Format, Shards int
}

// CheckDataDir returns whose the data directory of a configuration is, and what Open would refuse about it, in the same words. It changes nothing,
// so whether the directory can be written stays open. A directory that is missing or empty has the zero Identity; an error wraps ErrDataDir,
// or wal.ErrCorrupt when the log is gone.
func CheckDataDir(cfg Config) (Identity, error) {
	cfg = cfg.withDefaults()
	id, err := readIdentity(cfg.DataDir)
	if errors.Is(err, fs.ErrNotExist) {
		err = unclaimed(cfg.DataDir)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return Identity{}, err
	}
	if err == nil {
		err = id.check(&cfg)
	}
	if err == nil {
		err = lostLog(cfg.DataDir)
	}
	return Identity{NodeID: id.NodeID, ClusterID: id.ClusterID, Format: id.Format, Shards: id.Shards}, err
}
