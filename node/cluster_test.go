package node

import (
	"context"
	"fmt"
	"testing"
	"time"

	"holdfast/api/client"
)

// three opens a cluster of three nodes over loopback; the second and third join the first.
func three(t *testing.T) []*Node {
	t.Helper()
	var nodes []*Node
	for i := range 3 {
		c := config(t.TempDir() + "/data")
		c.NodeID = fmt.Sprintf("n%d", i+1)
		if i > 0 {
			c.Join = []string{nodes[0].Addrs().Peer}
		}
		nodes = append(nodes, open(t, c))
	}
	return nodes
}

// settled waits until every shard has three voters.
func settled(t *testing.T, n *Node) {
	t.Helper()
	await(t, "every shard has three voters", func() bool {
		shards, _ := topologist{n}.Shards(context.Background())
		for _, s := range shards {
			voters := 0
			for _, r := range s.Replicas {
				if r.Role == "voter" && r.Down == "" {
					voters++
				}
			}
			if voters != 3 || s.Leader == "" {
				return false
			}
		}
		return len(shards) > 0
	})
}

// Any node of three takes any request, wherever the SKU is led, and sees what the others answered.
func TestThreeNodesSellThroughAnyOfThem(t *testing.T) {
	nodes := three(t)
	settled(t, nodes[2])
	for i := range 8 {
		sku := fmt.Sprintf("sku-%d", i)
		if _, err := nodes[i%3].client(t).CreateSKU(t.Context(), client.SKUSpec{SKU: sku, Stock: 2}); err != nil {
			t.Fatal(err)
		}
		for buyer := range 3 {
			_, err := nodes[(i+buyer)%3].client(t).PlaceOrder(t.Context(), fmt.Sprint(buyer), client.NewOrder{SKU: sku, User: fmt.Sprint(buyer)})
			if (err == nil) != (buyer < 2) {
				t.Fatalf("%s, buyer %d: %v", sku, buyer, err)
			}
		}
		a, err := nodes[(i+2)%3].client(t).SKU(t.Context(), sku)
		if err != nil || a.Held != 2 || a.Available != 0 {
			t.Fatalf("%s: %+v %v", sku, a, err)
		}
	}
	began := time.Now()
	for i := len(nodes) - 1; i >= 0; i-- {
		drain(t, nodes[i])
	}
	t.Logf("drained in %v", time.Since(began))
}
