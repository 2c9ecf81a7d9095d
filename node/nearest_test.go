package node

import (
	"errors"
	"fmt"
	"testing"

	"holdfast/api/client"
	"holdfast/stock"
)

// A node without a replica of a SKU's shard says what is available all the same, and that a SKU does not exist only when its leader says so.
func TestAvailabilityWithoutAReplica(t *testing.T) {
	f := fleetOf(t, 4, nil)
	far := ""
	var shard uint32
	for _, n := range f.running() {
		for _, s := range n.shards {
			if s.group.Load() == nil {
				far, shard = n.cfg.NodeID, s.id
			}
		}
	}
	if far == "" {
		t.Fatal("every node has every shard")
	}
	sku := ""
	for i := 0; sku == ""; i++ {
		if name := fmt.Sprint("sku-", i); f.node(far).shardOf(stock.PartitionOf(name)).id == shard {
			sku = name
		}
	}
	if _, err := f.client(far).CreateSKU(t.Context(), client.SKUSpec{SKU: sku, Stock: 7}); err != nil {
		t.Fatal(err)
	}
	for _, n := range f.running() {
		a, err := n.client(t).Availability(t.Context(), sku)
		if err != nil || a.Available != 7 || a.State != "open" {
			t.Errorf("%s: %+v %v", n.cfg.NodeID, a, err)
		}
		_, err = n.client(t).Availability(t.Context(), "unknown")
		if p, _ := errors.AsType[*client.Problem](err); p == nil || p.Code != "sku_not_found" {
			t.Errorf("%s, a SKU that is not there: %v", n.cfg.NodeID, err)
		}
	}
}
