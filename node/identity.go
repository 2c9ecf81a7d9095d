package node

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// dirFormat is the version of the data directory as a whole. Format 1 knew no other nodes.
const dirFormat = 2

// identityFile is where a directory says whose it is.
const identityFile = "node.json"

// identity is DATA/node.json: whose directory it is. It is written before anything else, and once more by a node that joined a cluster.
type identity struct {
	Format int    `json:"format"`
	NodeID string `json:"node_id"`
	// ClusterID is "" from the moment a node begins to ask its way into a cluster until it is taken.
	ClusterID string `json:"cluster_id"`
	// Shards is that of the cluster; it never changes.
	Shards int `json:"shards"`
	// Incarnation was drawn with the directory. With the node's id it tells this disk from another under the same name; in hex.
	Incarnation string `json:"incarnation,omitempty"`
	// Founder: the cluster was created here, so this node began its groups.
	Founder bool `json:"founder,omitempty"`
	// Epoch is the cluster's, raised by every restore.
	Epoch uint16 `json:"epoch,omitempty"`
	// Origin is what the cluster was restored from; nil: it was not, or this node is not its first.
	Origin *origin `json:"restored,omitempty"`
	// Seeds are the peer addresses of the nodes that were there when this one joined.
	Seeds []string `json:"seeds,omitempty"`
}

// origin is what a cluster was restored from.
type origin struct {
	// Ancestors are the clusters whose backups it comes from, the nearest first.
	Ancestors []string `json:"ancestors"`
	// Indexes are those of the last log entries in the backup, by shard.
	Indexes map[uint32]uint64 `json:"indexes"`
	// The cluster begins with these settings.
	RetentionMS   int64 `json:"retention_ms"`
	MaxOpenOrders int64 `json:"max_open_orders_per_sku"`
	MaxNodes      int64 `json:"max_nodes"`
}

// newIdentity returns that of an empty directory, on its way into a cluster.
func newIdentity(node string) (identity, error) {
	incarnation, err := drawIncarnation()
	return identity{Format: dirFormat, NodeID: node, Incarnation: incarnation}, err
}

func drawIncarnation() (string, error) {
	var drawn [8]byte
	for drawn == [8]byte{} { // 0 stands for none
		if _, err := rand.Read(drawn[:]); err != nil {
			return "", fmt.Errorf("node: draw an incarnation: %w", err)
		}
	}
	return hex.EncodeToString(drawn[:]), nil
}

// found makes it the first node of a new cluster.
func (id *identity) found(shards int) error {
	var cluster [16]byte
	if _, err := rand.Read(cluster[:]); err != nil {
		return fmt.Errorf("node: draw a cluster id: %w", err)
	}
	id.ClusterID, id.Shards, id.Founder = hex.EncodeToString(cluster[:]), shards, true
	return nil
}

// ancestors returns the clusters whose backups this one comes from.
func (id *identity) ancestors() []string {
	if id.Origin == nil {
		return nil
	}
	return id.Origin.Ancestors
}

// restored returns the index of a shard's last entry in the backup, 0 when there was none.
func (id *identity) restored(shard uint32) uint64 {
	if id.Origin == nil {
		return 0
	}
	return id.Origin.Indexes[shard]
}

// upgrade writes a directory of format 1 as one of this format: it was the only node of its cluster.
func (id *identity) upgrade(dir string) (err error) {
	if id.Incarnation, err = drawIncarnation(); err != nil {
		return err
	}
	id.Format, id.Founder = dirFormat, true
	return id.write(dir)
}

// joining reports whether the node has yet to be taken into a cluster.
func (id *identity) joining() bool { return id.ClusterID == "" && id.Format > 1 }

// clusterID returns the cluster's id, zero while the node is joining.
func (id *identity) clusterID() (cluster [16]byte) {
	raw, _ := hex.DecodeString(id.ClusterID) // check has seen it
	copy(cluster[:], raw)
	return cluster
}

// incarnation returns the number that was drawn with the directory.
func (id *identity) incarnation() uint64 {
	raw, _ := hex.DecodeString(id.Incarnation) // check has seen it
	if len(raw) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(raw)
}

// check refuses a directory that is another node's, of a newer format, or damaged.
func (id *identity) check(cfg *Config) error {
	switch {
	case id.Format > dirFormat:
		return fmt.Errorf("%w %s: it has format %d and this build knows up to %d: start it with a newer build", ErrDataDir, cfg.DataDir, id.Format, dirFormat)
	case id.NodeID != cfg.NodeID:
		return fmt.Errorf("%w %s: it belongs to node %q: start with --node-id %s, or give this node a directory of its own with --data-dir",
			ErrDataDir, cfg.DataDir, id.NodeID, id.NodeID)
	case !id.sound():
		return fmt.Errorf("%w %s: node.json is damaged: restore it from a backup", ErrDataDir, cfg.DataDir)
	case id.joining() && len(cfg.Join) == 0:
		return fmt.Errorf("%w %s: its node was joining a cluster and was not taken yet: start it with --join, or empty the directory for a cluster "+
			"of its own", ErrDataDir, cfg.DataDir)
	}
	return nil
}

func (id *identity) sound() bool {
	if id.Format < 1 || id.Format > 1 && id.incarnation() == 0 {
		return false
	}
	if id.joining() {
		return id.Shards == 0
	}
	const clusterIDBytes = 16
	raw, err := hex.DecodeString(id.ClusterID)
	return err == nil && len(raw) == clusterIDBytes && id.Shards >= 1
}

func readIdentity(dir string) (id identity, err error) {
	path := filepath.Join(dir, identityFile)
	b, err := os.ReadFile(path)
	if err != nil {
		return id, fmt.Errorf("%w: %w", ErrDataDir, err)
	}
	if err := json.Unmarshal(b, &id); err != nil {
		return id, fmt.Errorf("%w: %s is damaged: restore it from a backup: %w", ErrDataDir, path, err)
	}
	return id, nil
}

// write replaces the file, durably.
func (id *identity) write(dir string) error {
	b, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return fmt.Errorf("node: encode node.json: %w", err)
	}
	if err := writeDurably(filepath.Join(dir, identityFile), append(b, '\n')); err != nil {
		return fmt.Errorf("%w: %w", ErrDataDir, err)
	}
	return nil
}
