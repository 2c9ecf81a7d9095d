package node

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// dirFormat is the version of the data directory as a whole.
const dirFormat = 1

// identity is DATA/node.json: whose directory it is. It is written once, before anything else.
type identity struct {
	Format    int    `json:"format"`
	NodeID    string `json:"node_id"`
	ClusterID string `json:"cluster_id"`
	// Shards is that of the cluster; it never changes.
	Shards int `json:"shards"`
}

// claim opens the data directory: an empty one becomes this node's, and another node's or a newer one is refused before anything is written.
func claim(cfg *Config) (identity, [16]byte, error) {
	var cluster [16]byte
	id, err := readIdentity(filepath.Join(cfg.DataDir, "node.json"))
	if errors.Is(err, fs.ErrNotExist) {
		id, err = create(cfg)
	}
	if err == nil {
		cluster, err = id.check(cfg)
	}
	if err == nil {
		err = probe(cfg.DataDir)
	}
	if err == nil && id.Shards != cfg.Shards {
		cfg.Logger.Info("the number of shards was fixed when the cluster was created", "shards", id.Shards, "ignored", cfg.Shards)
	}
	return id, cluster, err
}

// check refuses a directory that is another node's, of a newer format, or damaged; it returns the cluster's id.
func (id *identity) check(cfg *Config) (cluster [16]byte, err error) {
	switch raw, decodeErr := hex.DecodeString(id.ClusterID); {
	case id.Format > dirFormat:
		err = fmt.Errorf("%w %s: it has format %d and this build knows up to %d: start it with a newer build", ErrDataDir, cfg.DataDir, id.Format, dirFormat)
	case id.NodeID != cfg.NodeID:
		err = fmt.Errorf("%w %s: it belongs to node %q: start with --node-id %s, or give this node a directory of its own with --data-dir",
			ErrDataDir, cfg.DataDir, id.NodeID, id.NodeID)
	case decodeErr != nil || len(raw) != len(cluster) || id.Shards < 1 || id.Format < 1:
		err = fmt.Errorf("%w %s: node.json is damaged: restore it from a backup", ErrDataDir, cfg.DataDir)
	default:
		copy(cluster[:], raw)
	}
	return cluster, err
}

func readIdentity(path string) (id identity, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return id, fmt.Errorf("%w: %w", ErrDataDir, err)
	}
	if err := json.Unmarshal(b, &id); err != nil {
		return id, fmt.Errorf("%w: %s is damaged: restore it from a backup: %w", ErrDataDir, path, err)
	}
	return id, nil
}

// create makes the directory this node's. One that holds a log or snapshots but no node.json lost it, and is refused.
func create(cfg *Config) (identity, error) {
	if err := os.MkdirAll(cfg.DataDir, 0o750); err != nil {
		return identity{}, fmt.Errorf("%w: %w", ErrDataDir, err)
	}
	if err := unclaimed(cfg.DataDir); err != nil {
		return identity{}, err
	}
	var cluster [16]byte
	if _, err := rand.Read(cluster[:]); err != nil {
		return identity{}, fmt.Errorf("node: draw a cluster id: %w", err)
	}
	id := identity{Format: dirFormat, NodeID: cfg.NodeID, ClusterID: hex.EncodeToString(cluster[:]), Shards: cfg.Shards}
	b, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return id, fmt.Errorf("node: encode node.json: %w", err)
	}
	if err := writeDurably(filepath.Join(cfg.DataDir, "node.json"), append(b, '\n')); err != nil {
		return id, fmt.Errorf("%w: %w", ErrDataDir, err)
	}
	return id, nil
}

// unclaimed refuses a directory without node.json that holds anything.
func unclaimed(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDataDir, err)
	}
	for _, e := range entries {
		if e.Name() != "node.json.tmp" && e.Name() != "lost+found" {
			return fmt.Errorf("%w %s: it has no node.json and is not empty (%s): choose an empty directory with --data-dir", ErrDataDir, dir, e.Name())
		}
	}
	return nil
}

// probe finds out, before anything serves, whether the directory can be written.
func probe(dir string) error {
	path := filepath.Join(dir, ".probe")
	err := writeDurably(path, make([]byte, 4096))
	if err == nil {
		err = os.Remove(path)
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w %s cannot be written: give it to the user that runs the node, or choose another with --data-dir: %w", ErrDataDir, dir, err)
	}
	if err != nil {
		return fmt.Errorf("%w %s cannot be written: free some space, mount it writable or choose another with --data-dir: %w", ErrDataDir, dir, err)
	}
	return nil
}

// writeDurably replaces a file by way of another one, synced with its directory.
func writeDurably(path string, content []byte) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(err, removeIfThere(tmp))
	}
	return syncDir(filepath.Dir(path))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
