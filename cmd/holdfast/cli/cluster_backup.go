package cli

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"holdfast/api/client"
)

// manifestName is the first file of a backup.
const manifestName = "manifest.json"

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
	return &cobra.Command{
		Use: "backup FILE", Short: "Back up all shards into a file", Args: exactly("FILE"), Example: "  holdfast cluster backup holdfast-2026-11-11.tar",
		Long: "Back up all shards, as they were at one moment, while the cluster serves. FILE is replaced when the backup is whole and on disk, and left as it\n" +
			"is otherwise.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "" {
				return usagef("FILE is empty")
			}
			made, err := a.backUp(cmd.Context(), r, args[0])
			if err != nil {
				return err
			}
			return a.print(made, table{head: []string{"FILE", "BYTES", "FILES", "SHA-256"},
				rows: [][]string{{made.File, strconv.FormatInt(made.Bytes, 10), strconv.Itoa(made.Files), made.SHA256}}})
		},
	}
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
	if made.Files, err = readArchive(f, made.Bytes); err != nil {
		return made, exitWith(ExitCorrupt, err)
	}
	if err := f.Sync(); err != nil {
		return made, fmt.Errorf("sync the backup: %w", err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return made, fmt.Errorf("put the backup in its place: %w", err)
	}
	return made, syncDir(filepath.Dir(path))
}

// readArchive reads a backup again from the disk's side, to its end, and returns how many files it has. It wants a tar that begins with a manifest.
func readArchive(f io.ReadSeeker, length int64) (files int, err error) {
	// A tar ends with two empty blocks of 512 bytes; a reader does not miss them.
	const end = 2 * 512
	tail := make([]byte, end)
	if _, err := f.Seek(max(0, length-end), io.SeekStart); err != nil {
		return 0, err
	}
	if _, err := io.ReadFull(f, tail); err != nil || !bytes.Equal(tail, make([]byte, end)) {
		return 0, fmt.Errorf("%w: it has no end", errNotWhole)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	for archive := tar.NewReader(f); ; files++ {
		header, err := archive.Next()
		switch {
		case err == io.EOF && files > 0:
			return files, nil
		case err != nil:
			return files, fmt.Errorf("%w: after %d files: %w", errNotWhole, files, err)
		case files == 0 && header.Name != manifestName:
			return 0, fmt.Errorf("%w: it begins with %q, and not with its manifest", errNotWhole, header.Name)
		case files == 0:
			err = json.NewDecoder(archive).Decode(&map[string]any{})
		default:
			_, err = io.Copy(io.Discard, archive)
		}
		if err != nil {
			return files, fmt.Errorf("%w: %s: %w", errNotWhole, header.Name, err)
		}
	}
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
