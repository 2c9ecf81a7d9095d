package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/api/client"
)

// A founder whose replicas have all gone elsewhere begins no second cluster, whatever a power cut left of what it had written down (rule R22).
func TestFounderWithNothingLeft(t *testing.T) {
	f := fleetOf(t, 4, func(c *Config) { c.Shards = 1 })
	if _, err := f.client("n1").CreateSKU(t.Context(), client.SKUSpec{SKU: "shoe", Stock: 2}); err != nil {
		t.Fatal(err)
	}
	f.remove("n2", "n1")
	founder := f.node("n1")
	await(t, "the founder holds nothing", func() bool { return len(founder.held.all()) == 0 })
	f.stop("n1")
	c := f.config("n1")
	for _, left := range []struct {
		name string
		lost []string
	}{
		{"all", nil}, {"no table", []string{tableFile}}, {"nothing said of what it holds", []string{heldFile}},
	} {
		for _, name := range left.lost {
			if err := os.Remove(filepath.Join(c.DataDir, name)); err != nil {
				t.Fatal(left.name, err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		n, err := Open(ctx, c)
		cancel()
		if n != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: it serves: %v", left.name, err)
		}
		id, err := readIdentity(c.DataDir)
		if err != nil {
			t.Fatal(err)
		}
		if h, err := readHeld(c.DataDir, &id); err != nil || len(h.all()) > 0 {
			t.Errorf("%s: it holds %v, %v", left.name, h, err)
		}
	}
	if _, err := f.client("n3").PlaceOrder(t.Context(), "k", client.NewOrder{SKU: "shoe", User: "u"}); err != nil {
		t.Error(err)
	}
}

// A node without a replica of any shard is ready, and takes requests as any other.
func TestNodeWithoutReplicas(t *testing.T) {
	f := fleetOf(t, 4, func(c *Config) { c.Shards = 1 })
	var bare *Node
	for _, n := range f.running() {
		if n.shards[0].group.Load() == nil {
			bare = n
		}
	}
	if bare == nil {
		t.Fatal("every node has a replica of the only shard")
	}
	c := bare.client(t)
	if _, err := c.CreateSKU(t.Context(), client.SKUSpec{SKU: "shoe", Stock: 1}); err != nil {
		t.Fatal(err)
	}
	o, err := c.PlaceOrder(t.Context(), "k", client.NewOrder{SKU: "shoe", User: "u"})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.Order(t.Context(), o.ID); err != nil || again.State != "held" {
		t.Errorf("%+v %v", again, err)
	}
	if page, err := c.SKUs(t.Context(), "", 10); err != nil || len(page.SKUs) != 1 {
		t.Errorf("%+v %v", page, err)
	}
	id := bare.cfg.NodeID
	f.stop(id)
	f.start(id) // it is ready again, or this fails
}
