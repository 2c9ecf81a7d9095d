package cli

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"holdfast/cmd/holdfast/doctor"
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
	cmd.AddCommand(a.walInspectCommand(), &cobra.Command{
		Use: "verify DIR", Short: "Read every byte of a log and say whether it is sound", Args: exactly("DIR"),
		Example: "  holdfast wal verify holdfast-data",
		Long: "Read every byte of a log and say whether it is sound. DIR is a data directory or its wal/; nothing is changed, and no node may have it\n" +
			"open. A torn tail, which a crash leaves and the next start cuts, is sound. Exit code 0: sound; 4: corrupt, with segment, byte\n" +
			"offset and the entries of each group that stand there or behind it; 1: it cannot be read.",
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
	// Entries are those that stand there or behind it, as far as they can be read.
	Entries []entriesOf `json:"entries,omitempty"`
}

type entriesOf struct {
	Group uint32 `json:"group"`
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

func entriesIn(all []wal.Loss) []entriesOf {
	var entries []entriesOf
	for _, l := range all {
		entries = append(entries, entriesOf(l))
	}
	return entries
}

// examined is a log that was read: what was found, and what is wrong with it.
type examined struct {
	dir     string
	report  wal.Report
	corrupt *place
	damage  error // with corrupt
}

// examineLog reads the whole log of a directory. An error is one of reading it, not of what it holds.
func examineLog(dir string) (examined, error) {
	x := examined{}
	var err error
	if x.dir, err = walDir(dir); err != nil {
		return x, exitWith(ExitFailed, err)
	}
	x.report, err = wal.Verify(nil, x.dir)
	damage, ok := errors.AsType[*wal.CorruptionError](err)
	switch {
	case ok:
		x.corrupt = &place{Segment: damage.Segment, Offset: damage.Offset, Reason: damage.Reason, Entries: entriesIn(damage.Loss)}
		x.damage = exitWith(ExitCorrupt, fmt.Errorf("%s: %w", x.dir, err))
	case err != nil:
		return x, exitWith(ExitFailed, fmt.Errorf("%s: %w", x.dir, err))
	case len(x.report.Segments) == 0:
		return x, exitWith(ExitFailed, fmt.Errorf("%s holds no log", x.dir))
	}
	return x, nil
}

// conclude says in one sentence how the log is, and returns what is wrong with it.
func (a *app) conclude(x examined) error {
	t := x.report.TornTail
	switch {
	case x.corrupt != nil:
		return x.damage
	case t == nil:
		a.note("Sound.")
	default:
		a.note("Sound. A torn tail of %d bytes in segment %s at offset %d was never acknowledged; the next start cuts it.", t.Bytes, t.Segment, t.Offset)
		for _, e := range t.Entries {
			a.note("Of the torn tail can be read: %s.", e)
		}
	}
	return nil
}

func (a *app) verify(dir string) error {
	x, err := examineLog(dir)
	if err != nil {
		return err
	}
	v := verdictOf(x.dir, x.report)
	v.Corrupt, v.Sound = x.corrupt, x.corrupt == nil
	if err := a.print(v, v.table()); err != nil {
		return err
	}
	return a.conclude(x)
}

// walDir returns the directory of the segments: dir/wal when there is one, else dir. One that a node has open is refused: what is being written
// could look damaged.
func walDir(dir string) (string, error) {
	if below := filepath.Join(dir, "wal"); isDir(below) {
		dir = below
	}
	if _, err := os.ReadDir(dir); err != nil {
		return "", fmt.Errorf("read the log's directory: %w", err)
	}
	if process := doctor.ServesFrom(dir); process != "" {
		return "", fmt.Errorf("%s: %s serves from it: stop that one first", dir, process)
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
	v.TornTail = tornTail(r.TornTail)
	return v
}

func tornTail(t *wal.TornTail) *place {
	if t == nil {
		return nil
	}
	return &place{Segment: t.Segment, Offset: t.Offset, Bytes: t.Bytes, Entries: entriesIn(t.Entries)}
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
