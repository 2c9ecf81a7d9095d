package control

import (
	"time"

	"holdfast/cluster/meta"
)

// fillings is since when replicas that follow their groups wait for their storage only. A new replica's sink is filled from a peer's before an old
// replica, and with it perhaps the last sink that has some rows, is let go (rule R27); but a database that is down must not hold a change for ever:
// it is filled when it is back.
type fillings map[replicaName]time.Time

type replicaName struct {
	shard  uint32
	number uint64
}

// seeded reports whether the storage of a replica that follows its group has what it should have, or was waited for long enough.
func (c *Control) seeded(shard uint32, m *meta.GroupMember, r *ReplicaStatus) bool {
	name, now := replicaName{shard, m.Number}, c.cfg.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !r.Seeding {
		delete(c.fillings, name)
		return true
	}
	since, waits := c.fillings[name]
	if !waits || now.Before(since) {
		c.fillings[name] = now
		return false
	}
	return now.Sub(since) >= c.cfg.SeedPatience
}

// forgetFillingsLocked drops the replicas that the table does not want any more; c.mu is held.
func (c *Control) forgetFillingsLocked(table *meta.Cluster) {
	for name := range c.fillings {
		wanted := false
		if shard := table.Shard(name.shard); shard != nil {
			for i := range shard.Replicas {
				wanted = wanted || shard.Replicas[i].Number == name.number
			}
		}
		if !wanted {
			delete(c.fillings, name)
		}
	}
}
