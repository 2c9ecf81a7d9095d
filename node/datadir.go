package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// claim opens the data directory: an empty one becomes this node's, and another node's or a newer one is refused before anything is written.
func claim(cfg *Config) (identity, error) {
	id, err := readIdentity(cfg.DataDir)
	if errors.Is(err, fs.ErrNotExist) {
		id, err = create(cfg)
	}
	if err == nil {
		err = id.check(cfg)
	}
	if err == nil {
		err = probe(cfg.DataDir)
	}
	if err == nil && id.Format < dirFormat {
		err = id.upgrade(cfg.DataDir)
	}
	if err == nil && !id.joining() && id.Shards != cfg.Shards {
		cfg.Logger.Info("the number of shards was fixed when the cluster was created", "shards", id.Shards, "ignored", cfg.Shards)
	}
	return id, err
}

// create makes the directory this node's: of a cluster of its own, or on its way into one.
func create(cfg *Config) (id identity, err error) {
	if err := os.MkdirAll(cfg.DataDir, 0o750); err != nil {
		return id, fmt.Errorf("%w: %w", ErrDataDir, err)
	}
	if err := unclaimed(cfg.DataDir); err != nil {
		return id, err
	}
	if id, err = newIdentity(cfg.NodeID); err != nil {
		return id, err
	}
	if len(cfg.Join) == 0 {
		if err := id.found(cfg.Shards); err != nil {
			return id, err
		}
	}
	return id, id.write(cfg.DataDir)
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
