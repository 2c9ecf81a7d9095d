package fleettest

import (
	"context"
	"fmt"
	"time"

	"holdfast/api/client"
	"holdfast/api/topology"
	"holdfast/cluster/placement"
	"holdfast/stock"
)

// voters is how many replicas of a shard vote, where there are so many nodes.
const voters = 3

// metaVoters is how many nodes vote in the meta group: an odd number, at most five.
func metaVoters(nodes int) int { return min(5, nodes-1+nodes%2) }

// askTimeout bounds a question about the cluster.
const askTimeout = 5 * time.Second

// Shards returns the data shards as a live node shows them.
func (f *Fleet) Shards() ([]topology.Shard, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	var err error = client.ErrAddr
	for _, n := range f.Live() {
		var all []topology.Shard
		if all, err = n.Client.Shards(ctx); err == nil {
			return all, nil
		}
	}
	return nil, fmt.Errorf("no live node shows the shards: %w", err)
}

// Leaders returns who leads each data shard, by its id, as a live node knows it; shards without a leader are missing.
func (f *Fleet) Leaders() map[uint32]*Node {
	led := make(map[uint32]*Node)
	all, err := f.Shards()
	if err != nil {
		return led
	}
	for _, s := range all {
		if n := f.Named(s.Leader); n != nil {
			led[s.ID] = n
		}
	}
	return led
}

// Busiest returns the live node that leads most of the SKUs, and those.
func (f *Fleet) Busiest(skus []string) (busiest *Node, there []string) {
	led, by := f.Leaders(), make(map[*Node][]string)
	for _, sku := range skus {
		n := led[f.ShardOf(sku)]
		if n == nil || !n.Up() {
			continue
		}
		by[n] = append(by[n], sku)
		if len(by[n]) > len(there) {
			busiest, there = n, by[n]
		}
	}
	return busiest, there
}

// ShardOf returns the shard of a SKU.
func (f *Fleet) ShardOf(sku string) uint32 {
	return placement.Partitions(f.opts.Shards)[stock.PartitionOf(sku)]
}

// CreateSKUs makes SKUs with so much stock each, on as many different shards as there are, and returns their names. Their holds last an
// hour.
func (f *Fleet) CreateSKUs(number int, units int64) (names []string) {
	f.t.Helper()
	taken := make(map[uint32]int)
	for i := 0; len(names) < number; i++ {
		name := fmt.Sprintf("sku-%d", i)
		if taken[f.ShardOf(name)] > len(names)/f.opts.Shards || f.ledger.knows(name) {
			continue
		}
		taken[f.ShardOf(name)]++
		names = append(names, name)
		f.CreateSKU(client.SKUSpec{SKU: name, Stock: units, HoldTTLMS: time.Hour.Milliseconds()})
	}
	return names
}

// CreateSKU makes a SKU, which the ledger then knows of.
func (f *Fleet) CreateSKU(spec client.SKUSpec) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, err := f.Live()[0].Patient.CreateSKU(ctx, spec); err != nil {
		f.t.Fatalf("create %s: %v", spec.SKU, err)
	}
	f.ledger.made(spec.SKU, spec.Stock)
}

// AwaitSettled waits until all live nodes show the same: every shard has as many voters as it should, all of which answer, and a leader;
// nothing is being changed; and each node is ready.
func (f *Fleet) AwaitSettled(within time.Duration) {
	f.t.Helper()
	f.Await(within, "the cluster settles", f.unsettled)
}

func (f *Fleet) unsettled() string {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	leaders := make(map[uint32]string)
	for _, n := range f.Live() {
		o, err := n.Client.Cluster(ctx)
		switch {
		case err != nil:
			return fmt.Sprintf("%s: %v", n.ID, err)
		case len(o.Changes) > 0:
			return fmt.Sprintf("%s: change %+v", n.ID, o.Changes[0])
		case o.Meta.Leader == "" || len(o.Nodes) == 0 || len(o.Meta.Voters) != metaVoters(len(o.Nodes)):
			return fmt.Sprintf("%s: the meta group is %+v, %d nodes", n.ID, o.Meta, len(o.Nodes))
		}
		if text := f.unsettledShards(ctx, n, min(voters, len(o.Nodes)), leaders); text != "" {
			return n.ID + ": " + text
		}
		if r, err := n.Client.Ready(ctx); err != nil || !r.Ready {
			return fmt.Sprintf("%s: not ready: %+v %v", n.ID, r.Checks, err)
		}
	}
	return ""
}

func (f *Fleet) unsettledShards(ctx context.Context, n *Node, want int, leaders map[uint32]string) string {
	shards, err := n.Client.Shards(ctx)
	if err != nil || len(shards) != f.opts.Shards {
		return fmt.Sprintf("%d shards, %v", len(shards), err)
	}
	for _, s := range shards {
		sound := 0
		for _, r := range s.Replicas {
			if r.Role == topology.Voter && r.Down == "" {
				sound++
			}
		}
		if leaders[s.ID] == "" {
			leaders[s.ID] = s.Leader
		}
		if sound != want || len(s.Replicas) != want || s.Leader == "" || s.Leader != leaders[s.ID] {
			return fmt.Sprintf("shard %d: %+v", s.ID, s)
		}
	}
	return ""
}
