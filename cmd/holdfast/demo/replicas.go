package demo

import (
	"fmt"

	"holdfast/api/topology"
)

// identical: when the sale had ended every replica of every shard had applied the same entries. What each said of the hash of its state is what its
// log, replayed into an empty state, comes to at that entry; and up to where all had come the logs replay to the same.
func (c *comparison) identical() Row {
	pass := true
	row := Row{Check: "replicas identical, by the hash of their states", Told: "-", Log: "-", Stored: "-"}
	hot := false
	for i := range c.ended {
		shard := &c.ended[i]
		pass = c.alikeAtTheEnd(shard) && c.asTheySaid(shard) && pass
		if !c.owns(shard) || len(shard.Replicas) == 0 {
			continue
		}
		hot = true
		var said, replayed []string
		for _, r := range shard.Replicas {
			said = append(said, r.StateHash)
			pass = pass && r.StateHash != ""
		}
		at := shard.Replicas[0].HashIndex
		for _, s := range c.sources {
			hash, _ := s.Log.HashAt(shard.ID, at)
			replayed = append(replayed, fmt.Sprintf("%016x", hash))
		}
		row.Told, row.Log = unanimous(said), unanimous(replayed)
	}
	row.Pass = pass && hot
	return row
}

// owns reports whether the shard is that of the SKU, as the logs have it.
func (c *comparison) owns(shard *topology.Shard) bool {
	for _, s := range c.sources {
		if s.Log.Shard != shard.ID {
			return false
		}
	}
	return len(c.sources) > 0
}

// alikeAtTheEnd: every node's log replays to the same state at the last entry that all replicas had applied.
func (c *comparison) alikeAtTheEnd(shard *topology.Shard) bool {
	if len(shard.Replicas) != len(c.sources) {
		c.fault("shard %d has %d replicas, on %d nodes", shard.ID, len(shard.Replicas), len(c.sources))
		return false
	}
	at := shard.Replicas[0].AppliedIndex
	first, known := c.sources[0].Log.HashAt(shard.ID, at)
	alike := known
	for i, s := range c.sources {
		if r := shard.Replicas[i]; r.Down != "" || r.AppliedIndex != at {
			c.fault("the replica of shard %d on %s had applied %d entries, not %d: %s", shard.ID, r.Node, r.AppliedIndex, at, r.Down)
			alike = false
		}
		if hash, _ := s.Log.HashAt(shard.ID, at); hash != first {
			c.fault("%s replays to %016x at entry %d of shard %d, not %016x", s.theLog, hash, at, shard.ID, first)
			alike = false
		}
	}
	return alike
}

// asTheySaid: the hash that a replica noted is the one that its node's log replays to at that entry. A replica that came by a later snapshot has a log
// that does not reach back to it.
func (c *comparison) asTheySaid(shard *topology.Shard) bool {
	alike := true
	for _, r := range shard.Replicas {
		for _, s := range c.sources {
			hash, known := s.Log.HashAt(shard.ID, r.HashIndex)
			if s.Node != r.Node || !known || r.HashIndex == 0 {
				continue
			}
			if replayed := fmt.Sprintf("%016x", hash); replayed != r.StateHash {
				c.fault("the replica of shard %d on %s was %s at entry %d, and its log replays to %s", shard.ID, r.Node, r.StateHash, r.HashIndex, replayed)
				alike = false
			}
		}
	}
	return alike
}

// lost: no order that a caller was told of is gone, on any node.
func (c *comparison) lost() Row {
	gone := func(v view) (n int64) {
		for _, claim := range c.told.Claims {
			if _, there := v[claim.ID]; !there {
				n++
			}
		}
		return n
	}
	log := c.of(func(s *source) int64 { return gone(s.logged) })
	stored := c.of(func(s *source) int64 { return gone(s.sqlite) })
	return Row{"orders lost", "of " + number(int64(len(c.told.Claims))), log.String(), stored.String(), log.are(0) && stored.are(0) && c.want.Cuts > 0}
}

// unknown: no caller of a node that lived was left without an answer, or told that nobody knows.
func (c *comparison) unknown() Row {
	return Row{"unknown to callers of nodes that lived", fmt.Sprintf("%s of %s", number(c.told.Unknown), number(c.told.Requests)), "-", "-",
		c.told.Unknown == 0 && c.told.Requests > 0}
}

// gap: after the leader was killed another one led, and orders were accepted again.
func (c *comparison) gap() Row {
	t := &c.told
	return Row{fmt.Sprintf("longest wait for an order: led by %s, then by %s", t.LedBefore, t.LedAfter), number(t.Gap.Milliseconds()) + " ms", "-", "-",
		t.Gap > 0 && t.LedBefore != "" && t.LedAfter != "" && t.LedBefore != t.LedAfter}
}
