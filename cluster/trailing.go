package cluster

import (
	"time"

	"github.com/hashicorp/raft"
)

// trailing is what a leader's watch knows of members that trail. Replication to one follower may wedge while its heartbeats go on (raft#611, #612):
// nobody fails, no leader changes, and the group has one copy fewer than it seems.
type trailing struct {
	next  time.Time // no look before
	since map[raft.ServerID]standing
}

// standing is where a member stood, and since when.
type standing struct {
	matched uint64
	since   time.Time
	told    bool // the log has a line
}

// trailingEvery is the pause between two looks.
const trailingEvery = time.Second

// checkTrailing counts the members that answer, trail and have come no further for Config.StandstillAfter. One that is being sent a snapshot moves.
func (r *replica) checkTrailing(now time.Time, leads bool) {
	t := &r.trailing
	if !leads {
		t.since = nil
		r.shard.metrics.standstill.Set(0)
		return
	}
	if now.Before(t.next) {
		return
	}
	t.next = now.Add(trailingEvery)
	last, err := r.log.LastIndex()
	if err != nil {
		return // The log has failed: somebody else says so.
	}
	seen, still, term := make(map[raft.ServerID]standing), 0, r.raft.CurrentTerm()
	for _, member := range r.members.newest().members {
		c := r.shard.contacts.last(member.ID)
		answers := c.term == term && now.Sub(c.at) <= r.cfg.HeartbeatTimeout
		if member.ID == r.self || !answers || c.matched >= last || r.shard.contacts.installs(member.ID) {
			continue
		}
		was, known := t.since[member.ID]
		if !known || was.matched != c.matched {
			was = standing{matched: c.matched, since: now}
		}
		if now.Sub(was.since) >= r.cfg.StandstillAfter {
			if still++; !was.told {
				was.told = true
				r.cfg.Logger.Error("a member answers and takes no entries: restart its node if this stays", "shard", r.shard.id,
					"member", string(member.ID), "matched", c.matched, "last", last, "since", was.since)
			}
		}
		seen[member.ID] = was
	}
	t.since = seen
	r.shard.metrics.standstill.Set(float64(still))
}
