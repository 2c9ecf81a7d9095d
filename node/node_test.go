package node

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"holdfast/api/client"
	"holdfast/storage"
)

func config(dir string) Config {
	cfg := DefaultConfig()
	cfg.DataDir, cfg.HTTP, cfg.Admin, cfg.Peer = dir, "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.WALSegmentBytes = 4 << 20
	return cfg
}

func open(t testing.TB, cfg Config) *Node {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	n, err := Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *Node) client(t testing.TB) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Addr: "http://" + n.Addrs().HTTP, AdminAddr: "http://" + n.Addrs().Admin})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSellsOverHTTPAndComesBack(t *testing.T) {
	dir := t.TempDir()
	ctx := context.Background()
	n := open(t, config(dir))
	c := n.client(t)
	if _, err := c.CreateSKU(ctx, client.SKUSpec{SKU: "shoe", Stock: 500}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	orders := make(map[string]bool)
	for w := range 30 {
		wg.Go(func() {
			for i := range 100 {
				o, err := c.PlaceOrder(ctx, fmt.Sprint("k", w, "-", i), client.NewOrder{SKU: "shoe", User: fmt.Sprint("u", w, "-", i)})
				if err == nil {
					mu.Lock()
					orders[o.ID] = true
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if len(orders) != 500 {
		t.Fatalf("%d acceptances of 500 units", len(orders))
	}
	drain(t, n)
	rows, err := storage.ReadOrders(ctx, filepath.Join(dir, "orders.db"))
	if err != nil || len(rows) != 500 {
		t.Fatalf("storage has %d orders after the drain: %v", len(rows), err)
	}
	n = open(t, config(dir))
	defer drain(t, n)
	c = n.client(t)
	sku, err := c.SKU(ctx, "shoe")
	if err != nil || sku.Held != 500 || sku.Available != 0 {
		t.Fatalf("after the restart: %+v %v", sku, err)
	}
}

func drain(t testing.TB, n *Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := n.Drain(ctx); err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
}
