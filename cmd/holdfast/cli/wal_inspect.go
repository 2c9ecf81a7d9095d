package cli

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"holdfast/wal"
)

func (a *app) walInspectCommand() *cobra.Command {
	var frames bool
	var group, from, to uint64
	limit := 1000
	cmd := &cobra.Command{
		Use: "inspect DIR", Short: "Show what a log holds: segments, groups, index ranges, terms, live and dead bytes", Args: exactly("DIR"),
		Example: "  holdfast wal inspect holdfast-data\n  holdfast wal inspect holdfast-data --entries --group 1 --from 100 --to 200",
		Long: "Show what a log holds: segments, groups, index ranges, terms, live and dead bytes. With --entries, the frames of which it consists,\n" +
			"without what is in them. DIR is a data directory or its wal/; nothing is changed, and no node may have it open. Of a corrupt log what\n" +
			"stands before the damage is shown, and the exit code is 4.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !frames {
				for _, flag := range []string{"group", "from", "to", "limit"} {
					if cmd.Flags().Changed(flag) {
						return usagef("--%s chooses frames: it needs --entries", flag)
					}
				}
				return a.inspect(args[0])
			}
			choose := wal.Filter{From: from, To: to}
			if cmd.Flags().Changed("group") {
				g := uint32(group)
				if uint64(g) != group {
					return usagef("--group is a number of a group, not %d", group)
				}
				choose.Group = &g
			}
			return a.inspectFrames(args[0], choose, limit)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&frames, "entries", false, "list frames: entries, ranges, keys, checkpoints, ends of batches")
	f.Uint64Var(&group, "group", 0, "only of this group")
	f.Uint64Var(&from, "from", 0, "only with indexes from")
	f.Uint64Var(&to, "to", 0, "only with indexes to")
	f.IntVar(&limit, "limit", limit, "at most so many frames")
	return cmd
}

// holding is what wal inspect prints as JSON.
type holding struct {
	Dir       string        `json:"dir"`
	Sound     bool          `json:"sound"`
	ClusterID string        `json:"cluster_id"`
	Segments  []segmentView `json:"segments"`
	Groups    []groupView   `json:"groups"`
	LiveBytes int64         `json:"live_bytes"`
	DeadBytes int64         `json:"dead_bytes"`
	TornTail  *place        `json:"torn_tail,omitempty"`
	Corrupt   *place        `json:"corrupt,omitempty"`
}

type segmentView struct {
	Name       string `json:"name"`
	State      string `json:"state"` // sealed, active or prepared
	Bytes      int64  `json:"bytes"`
	UsedBytes  int64  `json:"used_bytes"`
	LiveBytes  int64  `json:"live_bytes"`
	DeadBytes  int64  `json:"dead_bytes"`
	Batches    int    `json:"batches"`
	Frames     int    `json:"frames"`
	FirstBatch uint64 `json:"first_batch"`
	LastBatch  uint64 `json:"last_batch"`
}

type groupView struct {
	Group     uint32   `json:"group"`
	First     uint64   `json:"first"`
	Last      uint64   `json:"last"`
	FirstTerm uint64   `json:"first_term"`
	LastTerm  uint64   `json:"last_term"`
	LiveBytes int64    `json:"live_bytes"`
	Oldest    string   `json:"oldest_segment"`
	Keys      []string `json:"keys"`
}

func (a *app) inspect(dir string) error {
	x, err := examineLog(dir)
	if err != nil {
		return err
	}
	h := holdingOf(x)
	if a.output == "json" {
		if err := a.print(h, table{}); err != nil {
			return err
		}
		return a.conclude(x)
	}
	if err := a.print(h, h.segmentTable()); err != nil {
		return err
	}
	fmt.Fprintln(a.Out)
	if err := a.print(h, h.groupTable()); err != nil {
		return err
	}
	return a.conclude(x)
}

func holdingOf(x examined) holding {
	h := holding{Dir: x.dir, Sound: x.corrupt == nil, ClusterID: hex.EncodeToString(x.report.ClusterID[:]), Segments: []segmentView{}, Groups: []groupView{}}
	h.TornTail, h.Corrupt = tornTail(x.report.TornTail), x.corrupt
	for _, s := range x.report.Segments {
		v := segmentView{
			Name: s.Name, State: "active", Bytes: s.Bytes, UsedBytes: s.UsedBytes, LiveBytes: s.LiveBytes, DeadBytes: s.UsedBytes - s.LiveBytes,
			Batches: s.Batches, Frames: s.Frames, FirstBatch: s.FirstBatch, LastBatch: s.LastBatch,
		}
		if s.Sealed {
			v.State = "sealed"
		} else if s.Batches == 0 {
			v.State = "prepared"
		}
		h.LiveBytes, h.DeadBytes = h.LiveBytes+v.LiveBytes, h.DeadBytes+v.DeadBytes
		h.Segments = append(h.Segments, v)
	}
	for _, g := range x.report.Groups {
		h.Groups = append(h.Groups, groupView{
			Group: g.ID, First: g.First, Last: g.Last, FirstTerm: g.FirstTerm, LastTerm: g.LastTerm, LiveBytes: g.LiveBytes, Oldest: g.Oldest, Keys: append([]string{}, g.Keys...),
		})
	}
	return h
}

func (h holding) segmentTable() table {
	t := table{head: []string{"SEGMENT", "STATE", "BYTES", "USED", "LIVE", "DEAD", "BATCHES", "FRAMES"}}
	for _, s := range h.Segments {
		t.rows = append(t.rows, []string{
			s.Name, s.State, decimal(s.Bytes), decimal(s.UsedBytes), decimal(s.LiveBytes), decimal(s.DeadBytes), strconv.Itoa(s.Batches), strconv.Itoa(s.Frames),
		})
	}
	return t
}

func (h holding) groupTable() table {
	t := table{head: []string{"GROUP", "ENTRIES", "TERMS", "BYTES", "OLDEST SEGMENT", "KEYS"}}
	for _, g := range h.Groups {
		entries, terms := "-", "-"
		if g.First > 0 {
			entries, terms = fmt.Sprintf("%d to %d", g.First, g.Last), fmt.Sprintf("%d to %d", g.FirstTerm, g.LastTerm)
		}
		t.rows = append(t.rows, []string{
			strconv.FormatUint(uint64(g.Group), 10), entries, terms, decimal(g.LiveBytes), orDash(g.Oldest), strconv.Itoa(len(g.Keys)),
		})
	}
	return t
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// frameView is one line of wal inspect --entries.
type frameView struct {
	Segment string `json:"segment"`
	Offset  int64  `json:"offset"`
	Batch   uint64 `json:"batch"`
	Kind    string `json:"kind"`
	Group   uint32 `json:"group"`
	First   uint64 `json:"first,omitempty"`
	Last    uint64 `json:"last,omitempty"`
	Term    uint64 `json:"term,omitempty"`
	Bytes   int64  `json:"bytes"`
	Data    int64  `json:"data_bytes,omitempty"`
	Key     string `json:"key,omitempty"`
	Live    bool   `json:"live"`
}

// errEnough ends a listing at its limit.
var errEnough = errors.New("enough")

func (a *app) inspectFrames(dir string, choose wal.Filter, limit int) error {
	dir, err := walDir(dir)
	if err != nil {
		return exitWith(ExitFailed, err)
	}
	frames := []frameView{}
	err = wal.Inspect(nil, dir, choose, func(f wal.FrameReport) error {
		if len(frames) == limit {
			return errEnough
		}
		frames = append(frames, frameView{
			Segment: f.Segment, Offset: f.Offset, Batch: f.Batch, Kind: f.Kind, Group: f.Group, First: f.First, Last: f.Last, Term: f.Term,
			Bytes: f.Bytes, Data: f.Data, Key: f.Key, Live: f.Live,
		})
		return nil
	})
	switch {
	case errors.Is(err, wal.ErrCorrupt):
		return exitWith(ExitCorrupt, fmt.Errorf("%s: %w", dir, err))
	case err != nil && !errors.Is(err, errEnough):
		return exitWith(ExitFailed, fmt.Errorf("%s: %w", dir, err))
	}
	if err := a.print(frames, frameTable(frames)); err != nil {
		return err
	}
	if errors.Is(err, errEnough) {
		a.note("There are more than %d frames: choose with --group, --from and --to, or raise --limit.", limit)
	}
	return nil
}

func frameTable(frames []frameView) table {
	t := table{head: []string{"SEGMENT", "OFFSET", "BATCH", "GROUP", "KIND", "INDEX", "TERM", "BYTES", "DATA", "LIVE"}}
	for _, f := range frames {
		index, term, data := orDash(f.Key), "-", "-"
		switch {
		case f.Term > 0:
			index, term, data = strconv.FormatUint(f.First, 10), strconv.FormatUint(f.Term, 10), decimal(f.Data)
		case f.First > 0:
			index = fmt.Sprintf("%d to %d", f.First, f.Last)
		}
		t.rows = append(t.rows, []string{
			f.Segment, decimal(f.Offset), strconv.FormatUint(f.Batch, 10), strconv.FormatUint(uint64(f.Group), 10), f.Kind, index, term, decimal(f.Bytes), data, yesNo(f.Live),
		})
	}
	return t
}
