package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"holdfast/api/client"
	"holdfast/cluster/backup"
)

// errNotWhole is returned for a backup that is not one to its end.
var errNotWhole = errors.New("the backup is not whole")

// backedUp is the result of cluster backup.
type backedUp struct {
	File   string `json:"file"`
	Bytes  int64  `json:"bytes"`
	Files  int    `json:"files"`
	SHA256 string `json:"sha256"`
}

func (a *app) clusterBackupCommand(r *remote) *cobra.Command {
	verify := false
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Back up all shards into a file", Args: exactly("FILE"),
		Example: `  holdfast cluster backup holdfast-2026-11-11.tar
  holdfast cluster backup holdfast-2026-11-11.tar --verify`,
		Long: "Back up all shards while the cluster serves: everything that was acknowledged before. FILE is replaced when the backup is whole and on disk,\n" +
			"and left as it is otherwise. With --verify nothing is backed up and no node is asked: FILE is read, every state in it decoded and held against\n" +
			"its invariants, and shown. Exit code 4: FILE is damaged; 1: it cannot be read, or a newer version wrote it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case args[0] == "":
				return usagef("FILE is empty")
			case verify:
				return a.verifyBackup(cmd.Context(), args[0])
			}
			made, err := a.backUp(cmd.Context(), r, args[0])
			if err != nil {
				return err
			}
			return a.print(made, table{head: []string{"FILE", "BYTES", "FILES", "SHA-256"},
				rows: [][]string{{made.File, strconv.FormatInt(made.Bytes, 10), strconv.Itoa(made.Files), made.SHA256}}})
		},
	}
	cmd.Flags().BoolVar(&verify, "verify", false, "read FILE, which is there, and say what is in it; back up nothing")
	return cmd
}

// backUp writes the backup beside the file and puts it in its place when it is whole, so that an earlier backup is not lost to one that fails.
func (a *app) backUp(ctx context.Context, r *remote, path string) (made backedUp, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".holdfast-backup-*")
	if err != nil {
		return made, fmt.Errorf("make a file beside %s: %w", path, err)
	}
	defer func() {
		// Once it has its name, what is left to close or to remove is nothing.
		_ = f.Close()
		_ = os.Remove(f.Name())
	}()
	hash := sha256.New()
	made.File = path
	err = r.stream(ctx, func(ctx context.Context, c *client.Client) (err error) {
		made.Bytes, err = c.Backup(ctx, io.MultiWriter(f, hash))
		return err
	})
	if err != nil {
		return made, err
	}
	made.SHA256 = hex.EncodeToString(hash.Sum(nil))
	if made.Files, err = readArchive(f); err != nil {
		return made, err
	}
	if err := f.Sync(); err != nil {
		return made, fmt.Errorf("sync the backup: %w", err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return made, fmt.Errorf("put the backup in its place: %w", err)
	}
	return made, syncDir(filepath.Dir(path))
}

// readArchive reads a backup again from the disk's side, to its end, holds it against its checksums, and returns how many files it has.
func readArchive(f io.ReadSeeker) (files int, err error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, fmt.Errorf("read the backup again: %w", err)
	}
	_, all, err := backup.Check(f)
	if err != nil {
		return 0, exitOfArchive(fmt.Errorf("%w: %w", errNotWhole, err))
	}
	return len(all) + 1, nil // and the checksums
}

// syncDir makes a new name in a directory last.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync the directory: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("sync the directory: %w", err)
	}
	return nil
}
