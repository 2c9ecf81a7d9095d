package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/api/client"
	"holdfast/api/topology"
)

// settleLimit is how long replicas may take to come to the same place.
const settleLimit = 40 * time.Second

// settle waits until every node has a voting replica of every shard, and nothing is being changed any more.
func settle(ctx context.Context, c *client.Client, nodes int) error {
	return await(ctx, "every shard has a voter on every node", func(ctx context.Context) error {
		o, err := c.Cluster(ctx)
		if err != nil {
			return err
		}
		if len(o.Nodes) < nodes || len(o.Changes) > 0 {
			return fmt.Errorf("%d nodes of %d, %d changes under way", len(o.Nodes), nodes, len(o.Changes))
		}
		shards, err := c.Shards(ctx)
		if err != nil {
			return err
		}
		return inStep(shards, nodes)
	})
}

// agreed waits until all replicas have applied the same entries and, of one shard, noted the hash of their state at one entry at or after another, and
// returns what they say. A replica that says it differs from the others ends the wait, too.
func agreed(ctx context.Context, c *client.Client, nodes int, shard uint32, after uint64) (shards []topology.Shard, err error) {
	err = await(ctx, "all replicas have come to the same place", func(ctx context.Context) error {
		if shards, err = c.Shards(ctx); err != nil || slices.ContainsFunc(shards, differs) {
			return err
		}
		if err := inStep(shards, nodes); err != nil {
			return err
		}
		for _, s := range shards {
			for _, r := range s.Replicas {
				if s.ID == shard && (r.HashIndex < after || r.HashIndex != s.Replicas[0].HashIndex) {
					return fmt.Errorf("%s noted its state at entry %d of shard %d; the sale ended at entry %d", r.Node, r.HashIndex, s.ID, after)
				}
			}
		}
		return nil
	})
	return shards, err
}

// inStep returns what is missing until all replicas of all shards vote and have applied the same.
func inStep(shards []topology.Shard, nodes int) error {
	if len(shards) == 0 {
		return errors.New("no shards")
	}
	for _, s := range shards {
		if s.Leader == "" || len(s.Replicas) != nodes {
			return fmt.Errorf("shard %d has %d replicas and is led by %q", s.ID, len(s.Replicas), s.Leader)
		}
		for _, r := range s.Replicas {
			if r.Role != topology.Voter || r.Down != "" || r.Trailing > 0 || r.AppliedIndex != s.Replicas[0].AppliedIndex {
				return fmt.Errorf("the replica of shard %d on %s, a %s, has applied %d of %d entries %s", s.ID, r.Node, r.Role, r.AppliedIndex, s.CommitIndex, r.Down)
			}
		}
	}
	return nil
}

// differs reports whether a replica of the shard has stopped because its state is not that of the others.
func differs(s topology.Shard) bool {
	return slices.ContainsFunc(s.Replicas, func(r topology.Replica) bool { return strings.HasPrefix(r.Down, "diverged") })
}

// await asks every now and then until there is no error. When that takes too long it says what was waited for, and what was missing last.
func await(ctx context.Context, what string, look func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	for {
		err := look(ctx)
		if err == nil {
			return nil
		}
		if !pause(ctx, 50*time.Millisecond) {
			return fmt.Errorf("wait until %s: %w: %w", what, ctx.Err(), err)
		}
	}
}
