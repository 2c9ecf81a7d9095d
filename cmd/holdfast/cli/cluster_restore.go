package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"holdfast/cluster"
	"holdfast/cluster/backup"
	"holdfast/node"
)

func (a *app) clusterRestoreCommand() *cobra.Command {
	dataDir, nodeID := "", ""
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Begin a new cluster with what is in a backup, offline", Args: exactly("FILE"),
		Example: "  holdfast cluster restore holdfast-2026-11-11.tar --data-dir /var/lib/holdfast --node-id n1",
		Long: "Write the data directory of the first node of a new cluster, with the SKUs, orders and keys of a backup. No node is asked. FILE is verified\n" +
			"first, as with 'cluster backup FILE --verify'; the directory must be empty. The new cluster has an id of its own: nodes of the old one are none\n" +
			"of it, and a database that it wrote is refused until the node is started with --adopt-sink. What was ordered after the backup is lost. Start the\n" +
			"node with 'holdfast serve' and let others join it. Exit code 4: FILE is damaged; 1: file or directory cannot be used.",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case args[0] == "":
				return usagef("FILE is empty")
			case dataDir == "":
				return usagef("--data-dir is missing")
			case nodeID == "":
				return usagef("--node-id is missing")
			}
			if err := cluster.CheckNodeID(nodeID); err != nil {
				return usagef("--node-id %q: %w", nodeID, err)
			}
			return a.restore(cmd.Context(), args[0], dataDir, nodeID)
		},
	}
	f := cmd.Flags()
	f.StringVar(&dataDir, "data-dir", "", "directory of the new cluster's first node, empty or not there yet (needed)")
	f.StringVar(&nodeID, "node-id", "", "name of that node (needed)")
	return cmd
}

// archived is what a backup holds.
type archived struct {
	File       string          `json:"file"`
	ClusterID  string          `json:"cluster_id"`
	Ancestors  []string        `json:"ancestors"`
	Epoch      uint16          `json:"epoch"`
	Node       string          `json:"node"`
	Version    string          `json:"version"`
	TakenAt    time.Time       `json:"taken_at"`
	StateBytes int64           `json:"state_bytes"`
	Shards     []archivedShard `json:"shards"`
}

type archivedShard struct {
	ID        uint32 `json:"id"`
	Index     uint64 `json:"index"`
	Term      uint64 `json:"term"`
	SKUs      uint64 `json:"skus"`
	Orders    uint64 `json:"orders"`
	Available int64  `json:"available"`
	Held      int64  `json:"held"`
	Sold      int64  `json:"sold"`
	Broken    uint64 `json:"broken"`
}

func archivedOf(path string, c *backup.Contents) archived {
	v := archived{
		File: path, ClusterID: c.ClusterID, Ancestors: c.Ancestors, Epoch: c.Epoch, Node: c.Node, Version: c.Version,
		TakenAt: c.TakenAt, StateBytes: c.Bytes,
	}
	for i := range c.Shards {
		s := &c.Shards[i]
		v.Shards = append(v.Shards, archivedShard{
			ID: s.ID, Index: s.Index, Term: s.Term, SKUs: s.SKUs, Orders: s.Orders,
			Available: s.Available, Held: s.Held, Sold: s.Sold, Broken: s.Broken,
		})
	}
	return v
}

func (v *archived) table() table {
	t := table{head: []string{"SHARD", "INDEX", "TERM", "SKUS", "ORDERS", "AVAILABLE", "HELD", "SOLD", "BROKEN"}}
	for _, s := range v.Shards {
		row := []string{strconv.FormatUint(uint64(s.ID), 10)}
		for _, n := range []uint64{s.Index, s.Term, s.SKUs, s.Orders, uint64(s.Available), uint64(s.Held), uint64(s.Sold), s.Broken} {
			row = append(row, strconv.FormatUint(n, 10))
		}
		t.rows = append(t.rows, row)
	}
	return t
}

func (a *app) verifyBackup(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the backup: %w", err)
	}
	defer f.Close()
	c, err := backup.Verify(f)
	if err != nil {
		return exitOfArchive(fmt.Errorf("%s: %w", path, err))
	}
	v := archivedOf(path, c)
	if err := a.print(v, v.table()); err != nil {
		return err
	}
	a.note("Sound. Cluster %s, epoch %d, backed up by node %s at %s.", c.ClusterID, c.Epoch, c.Node, showTime(&c.TakenAt))
	return ctx.Err()
}

// begun is the result of cluster restore.
type begun struct {
	DataDir   string   `json:"data_dir"`
	NodeID    string   `json:"node_id"`
	ClusterID string   `json:"cluster_id"`
	Epoch     uint16   `json:"epoch"`
	From      archived `json:"from"`
}

func (a *app) restore(ctx context.Context, path, dataDir, nodeID string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the backup: %w", err)
	}
	defer f.Close()
	cfg := node.DefaultConfig()
	cfg.DataDir, cfg.NodeID = filepath.Clean(dataDir), nodeID
	r, err := node.Restore(ctx, f, cfg)
	if err != nil {
		return exitOfArchive(fmt.Errorf("%s: %w", path, err))
	}
	v := begun{DataDir: cfg.DataDir, NodeID: nodeID, ClusterID: r.ClusterID, Epoch: r.Epoch, From: archivedOf(path, r.Contents)}
	if err := a.print(v, v.From.table()); err != nil {
		return err
	}
	a.note("Restored into %s: cluster %s, epoch %d. Start it: holdfast serve --data-dir %s --node-id %s",
		v.DataDir, v.ClusterID, v.Epoch, v.DataDir, nodeID)
	return nil
}

// exitOfArchive gives an error about a backup its exit code.
func exitOfArchive(err error) error {
	if errors.Is(err, backup.ErrDamaged) || errors.Is(err, backup.ErrUnsound) || errors.Is(err, backup.ErrChanged) {
		return exitWith(ExitCorrupt, err)
	}
	return exitWith(ExitFailed, err)
}
