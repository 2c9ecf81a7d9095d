package node

import (
	"context"
	"sync"
	"time"

	"holdfast/cluster"
	"holdfast/cluster/meta"
)

// handOverShare of the time that a drain has left goes into handing leadership over.
const handOverShare = 4

// handOver gives the leadership of every group that is led here to another voter, where there is one, the meta group's last: until then others learn
// from it who leads. What was admitted is answered by the new leaders, or by this one before.
func (n *Node) handOver(ctx context.Context) {
	if deadline, bounded := ctx.Deadline(); bounded {
		share, cancel := context.WithTimeout(ctx, time.Until(deadline)/handOverShare)
		defer cancel()
		ctx = share
	}
	var wg sync.WaitGroup
	for _, s := range n.shards {
		if group := s.group.Load(); group != nil {
			wg.Go(func() { n.giveAway(ctx, group) })
		}
	}
	wg.Wait()
	if group := n.cluster.Shard(metaGroup); group != nil {
		n.giveAway(ctx, group)
	}
}

// giveAway hands one group over.
func (n *Node) giveAway(ctx context.Context, group *cluster.Shard) {
	members, known := group.Group()
	voters := 0
	for _, m := range members.Members {
		if m.Role == meta.Voter {
			voters++
		}
	}
	if !known || voters < 2 || !group.Leads(group.Term()) {
		return
	}
	if err := group.Transfer(ctx, ""); err != nil {
		n.cfg.Logger.Warn("leadership was not handed over: the others elect a leader when this node is gone", "shard", group.ID(), "error", err)
	}
}
