package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"holdfast/cluster/meta"
)

// tableFile keeps the newest table of the cluster that this node knew. It is a hint of whom to ask, never more: the meta group's log is the truth.
const tableFile = "cluster.table"

// readTable returns the table that was kept, nil for none. One that cannot be read is as good as none.
func (n *Node) readTable() *meta.Cluster {
	path := filepath.Join(n.cfg.DataDir, tableFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	table := new(meta.Cluster)
	if err == nil {
		err = meta.DecodeMessage(b, table)
	}
	if err == nil && table.ID != n.id.clusterID() {
		err = fmt.Errorf("node: it is of another cluster")
	}
	if err != nil {
		n.cfg.Logger.Warn("the cluster's table of the last start is not used", "file", path, "error", err)
		return nil
	}
	return table
}

func writeTable(dir string, table *meta.Cluster) error {
	b, err := meta.EncodeMessage(table)
	if err != nil {
		return err
	}
	return writeDurably(filepath.Join(dir, tableFile), b)
}
