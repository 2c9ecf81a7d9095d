package inprocess

import (
	"context"
	"fmt"
	"time"

	"holdfast/api/client"
	"holdfast/api/topology"
)

// pollEvery is how often is looked whether something has come about.
const pollEvery = 20 * time.Millisecond

// maxOpenOrders is the cluster's bound on the open orders of a SKU: a long run has more than a sale.
const maxOpenOrders int64 = 1 << 40

// until waits for something.
func until(ctx context.Context, ok func() bool) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// admin talks to the admin listener of the first node that runs.
func (t *Target) admin() (*client.Client, error) {
	at := t.up().Addrs()
	return client.New(client.Config{Addr: at.HTTP, AdminAddr: at.Admin, MaxConns: 1})
}

// settle waits until every shard has a leader and a voter on each node, and all of them have what was committed when it was called.
func (t *Target) settle(ctx context.Context) error {
	c, err := t.admin()
	if err != nil {
		return err
	}
	defer c.Close()
	var goal map[uint32]uint64
	why := ""
	err = until(ctx, func() bool {
		shards, err := c.Shards(ctx)
		if err != nil {
			why = err.Error()
			return false
		}
		if goal == nil {
			goal = make(map[uint32]uint64)
			for i := range shards {
				goal[shards[i].ID] = shards[i].CommitIndex
			}
		}
		why = ""
		for i := range shards {
			if text := unsettled(&shards[i], t.cfg.Nodes, goal[shards[i].ID]); text != "" {
				why = text
			}
		}
		return why == ""
	})
	if err != nil {
		return fmt.Errorf("inprocess: the cluster does not settle: %s: %w", why, err)
	}
	return nil
}

// unsettled says what a shard lacks, "" for nothing.
func unsettled(s *topology.Shard, nodes int, goal uint64) string {
	if s.Leader == "" {
		return fmt.Sprintf("shard %d has no leader", s.ID)
	}
	voters := 0
	for _, r := range s.Replicas {
		if r.Role == topology.Voter && r.Down == "" && r.AppliedIndex >= goal {
			voters++
		}
	}
	if voters < nodes {
		return fmt.Sprintf("%d of %d replicas of shard %d vote and have caught up", voters, nodes, s.ID)
	}
	return ""
}

// widen lets a SKU have as many open orders as a run can place.
func (t *Target) widen(ctx context.Context) error {
	c, err := t.admin()
	if err != nil {
		return err
	}
	defer c.Close()
	most := maxOpenOrders
	if _, err := c.UpdateSettings(ctx, topology.SettingsPatch{MaxOpenOrdersPerSKU: &most}); err != nil {
		return fmt.Errorf("inprocess: set the bound on open orders: %w", err)
	}
	return nil
}
