package control

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/cluster/meta"
)

// here brings the replicas of this node to what the table says. Opening one may take long, so it is done beside the loop, one at a time.
type here struct {
	c      *Control
	busy   atomic.Bool
	failed atomic.Bool
	after  time.Time         // not before; used by the loop only
	missed map[uint32]uint64 // voters that are not here and were told of; used by whoever set busy
}

func newHere(c *Control) *here { return &here{c: c, missed: make(map[uint32]uint64)} }

// chore is one replica to open or to remove.
type chore struct {
	open   bool
	shard  uint32
	number uint64
}

// look begins to do what there is to do.
func (h *here) look() {
	now := h.c.cfg.Now()
	if h.c.cfg.Replicas == nil || h.busy.Load() {
		return
	}
	if h.failed.Swap(false) {
		h.after = now.Add(h.c.cfg.Retry)
	}
	if wait := h.after.Sub(now); wait > 0 && wait <= h.c.cfg.Retry {
		return
	}
	next, ok := h.next()
	if !ok {
		return
	}
	h.busy.Store(true)
	if !h.c.begin(func() { h.work(next) }) {
		h.busy.Store(false)
	}
}

// work does one thing after the other until nothing is left or one fails.
func (h *here) work(next chore) {
	defer h.busy.Store(false)
	for ok := true; ok && h.c.ctx.Err() == nil; next, ok = h.next() {
		if !h.do(next) {
			h.failed.Store(true)
			break
		}
	}
	h.c.moved()
}

// next returns the first thing to do. The meta group's replica comes first and goes last: from it a node learns what it should have.
func (h *here) next() (chore, bool) {
	table, g, self := h.c.Cluster(), h.c.groups(), h.c.cfg.NodeID
	seen := sync.OnceValue(h.c.view) // mostly there is nothing to do, and nobody needs it
	for i := range table.Shards {
		want := table.Shards[i].On(self)
		if want == nil || g.Shard(uint32(i)) != nil {
			continue
		}
		if v := seen(); v.newest > table.Version || !h.mayOpen(v.groups[uint32(i)], uint32(i), want.Number) {
			continue
		}
		return chore{open: true, shard: uint32(i), number: want.Number}, true
	}
	held := g.Held()
	slices.Reverse(held)
	for _, id := range held {
		s := g.Shard(id)
		if s == nil {
			continue
		}
		number := s.Number()
		if shard := table.Shard(id); shard != nil {
			if want := shard.On(self); want != nil && want.Number == number {
				continue
			}
		}
		if h.gone(seen().groups[id], number, s) {
			return chore{shard: id, number: number}, true
		}
	}
	return chore{}, false
}

// mayOpen reports whether an empty replica may be opened under that number: not one that votes already, for then its disk was lost, and what it
// acknowledged and whom it voted for with it. The group's leader says so.
func (h *here) mayOpen(g *groupView, shard uint32, number uint64) bool {
	if g == nil || g.Leader == "" {
		return false
	}
	votes := slices.ContainsFunc(g.Members, func(m meta.GroupMember) bool {
		return m.Node == h.c.cfg.NodeID && m.Number == number && m.Role == meta.Voter
	})
	if votes && h.missed[shard] != number {
		h.missed[shard] = number
		h.c.cfg.Logger.Error("a replica that votes is not here: rebuild it", "shard", shard, "number", number)
	}
	return !votes
}

// gone reports whether a replica that the table does not want is out of its group for good: its leader says so in a configuration that is committed
// and not older than what the replica itself knows. Raft ids are not used again, so nothing brings it back.
func (h *here) gone(g *groupView, number uint64, s Shard) bool {
	if g == nil || g.Leader == "" || g.Leader == h.c.cfg.NodeID || !g.committed {
		return false
	}
	if slices.ContainsFunc(g.Members, func(m meta.GroupMember) bool { return m.Node == h.c.cfg.NodeID && m.Number == number }) {
		return false
	}
	known, ok := s.Group()
	return !ok || g.Index >= known.Index
}

// do opens or removes one replica.
func (h *here) do(next chore) bool {
	result := "removed"
	var err error
	if next.open {
		result = "opened"
		err = h.c.cfg.Replicas.OpenReplica(next.shard, next.number)
	} else {
		err = h.c.cfg.Replicas.RemoveReplica(next.shard)
	}
	if err != nil {
		h.c.cfg.Logger.Error("a replica was not "+result, "shard", next.shard, "number", next.number, "error", err)
		h.c.metrics.replicas.WithLabelValues("failed").Inc()
		return false
	}
	h.c.cfg.Logger.Info("a replica was "+result, "shard", next.shard, "number", next.number)
	h.c.metrics.replicas.WithLabelValues(result).Inc()
	return true
}
