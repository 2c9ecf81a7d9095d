package cli

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"holdfast/wal"
)

func (a *app) walCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "wal",
		Short:   "Look at a node's log, offline and read only",
		Example: "  holdfast wal verify holdfast-data",
		Args:    cobra.ArbitraryArgs,
		RunE:    group,
	}
	cmd.AddCommand(&cobra.Command{
		Use: "verify DIR", Short: "Read every byte of a log and say whether it is sound", Args: exactly("DIR"),
		Example: "  holdfast wal verify holdfast-data",
		Long: "Read every byte of a log and say whether it is sound. DIR is a data directory or its wal/; nothing is changed, and no node may have it\n" +
			"open. A torn tail, which a crash leaves and the next start cuts, is sound. Exit code 0: sound; 4: corrupt, with segment and byte\n" +
			"offset; 1: it cannot be read.",
		RunE: func(_ *cobra.Command, args []string) error { return a.verify(args[0]) },
	})
	return cmd
}

// verdict is what wal verify prints as JSON.
type verdict struct {
	Dir       string    `json:"dir"`
	Sound     bool      `json:"sound"`
	ClusterID string    `json:"cluster_id"`
	Segments  int       `json:"segments"`
	Batches   int       `json:"batches"`
	Entries   uint64    `json:"entries"`
	Groups    []groupOf `json:"groups"`
	TornTail  *place    `json:"torn_tail,omitempty"`
	Corrupt   *place    `json:"corrupt,omitempty"`
}

type groupOf struct {
	Group uint32 `json:"group"`
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
	Bytes int64  `json:"bytes"`
}

type place struct {
	Segment string `json:"segment"`
	Offset  int64  `json:"offset"`
	Bytes   int64  `json:"bytes,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

func (a *app) verify(dir string) error {
	dir, err := walDir(dir)
	if err != nil {
		return exitWith(ExitFailed, err)
	}
	report, err := wal.Verify(nil, dir)
	v := verdictOf(dir, report)
	corrupt, isCorrupt := errors.AsType[*wal.CorruptionError](err)
	switch {
	case isCorrupt:
		v.Corrupt = &place{Segment: corrupt.Segment, Offset: corrupt.Offset, Reason: corrupt.Reason}
	case errors.Is(err, wal.ErrCorrupt):
		return exitWith(ExitCorrupt, fmt.Errorf("%s: %w", dir, err))
	case err != nil:
		return exitWith(ExitFailed, fmt.Errorf("%s: %w", dir, err))
	case len(report.Segments) == 0:
		return exitWith(ExitFailed, fmt.Errorf("%s holds no log", dir))
	}
	v.Sound = !isCorrupt
	if err := a.print(v, v.table()); err != nil {
		return err
	}
	switch {
	case v.Corrupt != nil:
		return exitWith(ExitCorrupt, fmt.Errorf("%s: %w", dir, err))
	case v.TornTail != nil:
		a.note("Sound. A torn tail of %d bytes in segment %s at offset %d was never acknowledged; the next start cuts it.",
			v.TornTail.Bytes, v.TornTail.Segment, v.TornTail.Offset)
	default:
		a.note("Sound.")
	}
	return nil
}

// walDir returns the directory of the segments: dir/wal when there is one, else dir.
func walDir(dir string) (string, error) {
	if below := filepath.Join(dir, "wal"); isDir(below) {
		return below, nil
	}
	if _, err := os.ReadDir(dir); err != nil {
		return "", fmt.Errorf("read the log's directory: %w", err)
	}
	return dir, nil
}

func isDir(path string) bool {
	s, err := os.Stat(path)
	return err == nil && s.IsDir()
}

func verdictOf(dir string, r wal.Report) verdict {
	v := verdict{Dir: dir, ClusterID: hex.EncodeToString(r.ClusterID[:]), Segments: len(r.Segments), Groups: []groupOf{}}
	for _, s := range r.Segments {
		v.Batches += s.Batches
	}
	for _, g := range r.Groups {
		v.Groups = append(v.Groups, groupOf{Group: g.ID, First: g.First, Last: g.Last, Bytes: g.LiveBytes})
		if g.First > 0 {
			v.Entries += g.Last - g.First + 1
		}
	}
	if t := r.TornTail; t != nil {
		v.TornTail = &place{Segment: t.Segment, Offset: t.Offset, Bytes: t.Bytes}
	}
	return v
}

func (v verdict) table() table {
	word := "sound"
	if v.Corrupt != nil {
		word = "corrupt"
	} else if v.TornTail != nil {
		word = "sound, torn tail"
	}
	return table{
		head: []string{"LOG", "SEGMENTS", "BATCHES", "GROUPS", "ENTRIES", "CLUSTER"},
		rows: [][]string{{
			word, strconv.Itoa(v.Segments), strconv.Itoa(v.Batches), strconv.Itoa(len(v.Groups)), strconv.FormatUint(v.Entries, 10), v.ClusterID,
		}},
	}
}
