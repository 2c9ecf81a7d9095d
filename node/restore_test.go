package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"holdfast/api/client"
	"holdfast/cluster"
	"holdfast/cluster/backup"
	"holdfast/stock"
	"holdfast/storage"
)

// sale is a crowd that buys while something else happens.
type sale struct {
	t     *testing.T
	skus  []string
	stop  chan struct{}
	crowd sync.WaitGroup

	mu     sync.Mutex
	orders map[string]string // id by key, of everything that was acknowledged
}

const saleStock = 1_000_000

func openSale(t *testing.T, nodes ...*Node) *sale {
	t.Helper()
	s := &sale{t: t, stop: make(chan struct{}), orders: make(map[string]string)}
	for i := range 8 {
		s.skus = append(s.skus, fmt.Sprint("sku-", i))
		if _, err := nodes[0].client(t).CreateSKU(t.Context(), client.SKUSpec{SKU: s.skus[i], Stock: saleStock}); err != nil {
			t.Fatal(err)
		}
	}
	for buyer := range 4 {
		c := nodes[buyer%len(nodes)].client(t)
		s.crowd.Go(func() { s.buy(c, buyer) })
	}
	return s
}

func (s *sale) buy(c *client.Client, buyer int) {
	for i := 0; ; i++ {
		select {
		case <-s.stop:
			return
		default:
		}
		key := fmt.Sprintf("%s/%d-%d", s.skus[i%len(s.skus)], buyer, i)
		if o, err := again(c, key); err == nil {
			s.mu.Lock()
			s.orders[key] = o.ID
			s.mu.Unlock()
		}
	}
}

// again places the order of a key, or asks for it again.
func again(c *client.Client, key string) (client.Order, error) {
	sku, _, _ := strings.Cut(key, "/")
	o, err := c.PlaceOrder(context.Background(), key, client.NewOrder{SKU: sku, User: "u-" + key})
	return o.Order, err
}

// acknowledged returns what was acknowledged so far.
func (s *sale) acknowledged() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]string, len(s.orders))
	for key, id := range s.orders {
		all[key] = id
	}
	return all
}

// waitFor waits until there are so many.
func (s *sale) waitFor(orders int) {
	await(s.t, fmt.Sprint(orders, " orders"), func() bool { return len(s.acknowledged()) >= orders })
}

func (s *sale) end() map[string]string {
	close(s.stop)
	s.crowd.Wait()
	return s.acknowledged()
}

func backedUp(t *testing.T, n *Node) []byte {
	t.Helper()
	var archive bytes.Buffer
	if _, err := n.client(t).Backup(t.Context(), &archive); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

func restored(t *testing.T, archive []byte) (Config, Restored) {
	t.Helper()
	cfg := config(filepath.Join(t.TempDir(), "restored"))
	cfg.NodeID = "r1"
	r, err := Restore(t.Context(), bytes.NewReader(archive), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return cfg, r
}

// A backup that was made in the middle of a sale, restored: everything acknowledged before it is there under its key and id, nothing is counted twice, and
// what is sold from there on has ids that the lost part of the sale did not have. The database of the old cluster is taken over only when told so, and
// then says what was lost.
func TestASaleIsRestored(t *testing.T) {
	cfg := config(t.TempDir())
	old := open(t, cfg)
	s := openSale(t, old)
	s.waitFor(100)
	before := s.acknowledged()
	archive := backedUp(t, old)
	s.waitFor(len(s.acknowledged()) + 100)
	all := s.end()
	newCfg, r := restored(t, archive)
	if r.Epoch != 1 || r.ClusterID == old.id.ClusterID || r.Contents.ClusterID != old.id.ClusterID {
		t.Errorf("restored %+v of %s", r, old.id.ClusterID)
	}

	n := open(t, newCfg)
	if _, err := old.cluster.Peers().Call(t.Context(), "r1", n.Addrs().Peer, cluster.Request{Kind: cluster.KindStatus}); !errors.Is(err, stock.ErrNotExecuted) {
		t.Errorf("a node of the old cluster asks: %v", err)
	}
	drain(t, old)
	kept := keptOf(t, n, before, all)
	drain(t, n)
	n = open(t, newCfg) // and once more, from its own log
	if again := keptOf(t, n, before, all); len(again) != len(kept) {
		t.Errorf("%d orders after a restart, %d before", len(again), len(kept))
	}
	drain(t, n)
	adopts(t, newCfg, filepath.Join(cfg.DataDir, "orders.db"), len(all)-len(kept))
}

// keptOf holds a restored node against what the old cluster acknowledged, and returns the orders that it has.
func keptOf(t *testing.T, n *Node, before, all map[string]string) map[string]bool {
	t.Helper()
	c, kept, ids := n.client(t), make(map[string]bool), make(map[string]bool)
	held := make(map[string]int64)
	for key, id := range all {
		ids[id] = true
		switch o, err := c.Order(t.Context(), id); {
		case err == nil && o.User == "u-"+key:
			kept[id] = true
			held[o.SKU] += o.Qty
		case before[key] != "":
			t.Fatalf("%s, acknowledged before the backup: %+v, %v", key, o, err)
		}
	}
	for sku := range held {
		if v, err := c.SKU(t.Context(), sku); err != nil || v.Held < held[sku] || v.Available+v.Held != saleStock {
			t.Errorf("%s has %+v for %d units ordered: %v", sku, v, held[sku], err)
		}
	}
	const enough = 60
	asked := 0
	for key, id := range before { // in any order: a sample
		if asked++; asked > enough {
			break
		}
		if o, err := again(c, key); err != nil || o.ID != id {
			t.Fatalf("%s again: %+v, %v; it was %s", key, o, err, id)
		}
	}
	for i := range 24 {
		if o, err := again(c, fmt.Sprintf("sku-%d/new-%s-%d", i%8, n.Addrs().HTTP, i)); err != nil || ids[o.ID] {
			t.Fatalf("a new order: %+v, %v", o, err)
		}
	}
	return kept
}

// adopts opens a restored node over the database that the old cluster wrote.
func adopts(t *testing.T, cfg Config, orders string, lost int) {
	t.Helper()
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(filepath.Join(cfg.DataDir, "orders.db"+suffix)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(orders)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cfg.DataDir, "orders.db"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "another cluster") {
		t.Fatalf("the old cluster's database was taken: %v, %v", n, err)
	}
	cfg.AdoptSink = true
	drain(t, open(t, cfg))
	rows, err := storage.ReadOrders(t.Context(), filepath.Join(cfg.DataDir, "orders.db"))
	if err != nil {
		t.Fatal(err)
	}
	marked := 0
	for _, row := range rows {
		if row.State == "lost_in_restore" {
			marked++
		}
	}
	if marked != lost || lost == 0 {
		t.Errorf("%d of %d rows are marked as lost, %d are", marked, len(rows), lost)
	}
}

// A backup of three nodes, of which each leads some shards, taken through one of them while the crowd buys through all.
func TestThreeNodesAreBackedUp(t *testing.T) {
	nodes := three(t)
	settled(t, nodes[2])
	s := openSale(t, nodes...)
	s.waitFor(100)
	before := s.acknowledged()
	archive := backedUp(t, nodes[2])
	all := s.end()
	for i := len(nodes) - 1; i >= 0; i-- {
		drain(t, nodes[i])
	}
	cfg, _ := restored(t, archive)
	n := open(t, cfg)
	defer drain(t, n)
	keptOf(t, n, before, all)
}

// What cannot be restored leaves the directory as it is, and says why.
func TestARestoreIsRefused(t *testing.T) {
	n := open(t, config(t.TempDir()))
	archive := backedUp(t, n)
	drain(t, n)
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "holiday.jpg"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(archive)
	flipped[len(flipped)/2] ^= 1
	for name, row := range map[string]struct {
		archive []byte
		change  func(*Config)
		want    error
	}{
		"a directory that is in use": {archive, func(c *Config) { c.DataDir = full }, ErrDataDir},
		"half a backup":              {archive[:len(archive)/2], func(*Config) {}, backup.ErrDamaged},
		"a bit":                      {flipped, func(*Config) {}, backup.ErrDamaged},
		"a node without a name":      {archive, func(c *Config) { c.NodeID = "n#1" }, cluster.ErrConfig},
	} {
		cfg := config(t.TempDir())
		row.change(&cfg)
		_, err := Restore(t.Context(), bytes.NewReader(row.archive), cfg)
		if !errors.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
		entries, err := os.ReadDir(cfg.DataDir)
		if err != nil || len(entries) > 0 && entries[0].Name() != "holiday.jpg" {
			t.Errorf("%s: %v, %v", name, entries, err)
		}
	}
	if cfg := config(t.TempDir()).withDefaults(); !errors.Is(cfg.hasRoom(1<<62), ErrDataDir) {
		t.Error("a backup that no disk has room for")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Restore(ctx, bytes.NewReader(archive), config(t.TempDir())); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A restored cluster is one like any other: nodes join it and learn its epoch, and what it backs up can be restored again, in the next one.
func TestARestoredClusterGrows(t *testing.T) {
	n := open(t, config(t.TempDir()))
	s := openSale(t, n)
	s.waitFor(50)
	s.end()
	archive := backedUp(t, n)
	all := s.acknowledged()
	drain(t, n)
	cfg, first := restored(t, archive)
	r1 := open(t, cfg)
	cfg = config(filepath.Join(t.TempDir(), "joined"))
	cfg.NodeID, cfg.Join = "r2", []string{r1.Addrs().Peer}
	r2 := open(t, cfg)
	if r2.id.Epoch != first.Epoch || r2.id.ClusterID != first.ClusterID || r2.id.Origin != nil {
		t.Errorf("joined as %+v", r2.id)
	}
	await(t, "r2 has its replicas", func() bool {
		shards, _ := topologist{r2}.Shards(t.Context())
		for _, shard := range shards {
			if len(shard.Replicas) != 2 || shard.Leader == "" {
				return false
			}
		}
		return len(shards) == r2.id.Shards
	})
	keptOf(t, r2, all, all)
	archive = backedUp(t, r1)
	drain(t, r2)
	drain(t, r1)
	c, err := backup.Verify(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprint([]string{first.ClusterID, first.Contents.ClusterID}); fmt.Sprint(c.Lineage()) != want {
		t.Errorf("it comes from %v, not %s", c.Lineage(), want)
	}
	for i := range c.Shards {
		if c.Shards[i].Epoch != first.Epoch || c.Epoch != first.Epoch {
			t.Errorf("shard %d of epoch %d, the cluster of %d", c.Shards[i].ID, c.Shards[i].Epoch, c.Epoch)
		}
	}
	cfg, second := restored(t, archive)
	again := open(t, cfg)
	defer drain(t, again)
	keptOf(t, again, all, all)
	if second.Epoch != first.Epoch+1 {
		t.Errorf("epoch %d after %d", second.Epoch, first.Epoch)
	}
}
