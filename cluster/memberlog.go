package cluster

import (
	"slices"
	"sync"

	"github.com/hashicorp/raft"

	"holdfast/cluster/meta"
)

// memberLog knows the configurations in a replica's log with their indexes. Raft tells its newest configuration, but not where it stands, and a
// change must name the one that it was decided on (prevIndex). Members and index are read from the same entry here, so they always belong together.
type memberLog struct {
	store *snapshotStore

	mu       sync.Mutex // guards what follows
	starting bool       // raft reads its log for the first time
	// known are those in the log. Invariant: ascending by index.
	known []configuration
}

type configuration struct {
	index   uint64
	members []raft.Server
}

func newMemberLog(store *snapshotStore) *memberLog { return &memberLog{store: store, starting: true} }

// keptConfigurations is enough: at most one configuration in a log is not committed, and only that one is ever taken back.
const keptConfigurations = 8

// stored notes an entry that was appended.
func (m *memberLog) stored(entry *raft.Log) {
	if entry.Type != raft.LogConfiguration {
		return
	}
	c := configuration{index: entry.Index, members: raft.DecodeConfiguration(entry.Data).Servers}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cutLocked(entry.Index)
	if m.known = append(m.known, c); len(m.known) > keptConfigurations {
		m.known = slices.Delete(m.known, 0, len(m.known)-keptConfigurations)
	}
}

// read notes an entry that was read while raft starts: it then goes through its log in order. Later it reads old entries, too.
func (m *memberLog) read(entry *raft.Log) {
	if entry.Type != raft.LogConfiguration {
		return
	}
	m.mu.Lock()
	starting := m.starting
	m.mu.Unlock()
	if starting {
		m.stored(entry)
	}
}

// opened ends the start.
func (m *memberLog) opened() {
	m.mu.Lock()
	m.starting = false
	m.mu.Unlock()
}

// cut forgets what stood at an index or behind it.
func (m *memberLog) cut(from uint64) {
	m.mu.Lock()
	m.cutLocked(from)
	m.mu.Unlock()
}

func (m *memberLog) cutLocked(from uint64) {
	m.known = slices.DeleteFunc(m.known, func(c configuration) bool { return c.index >= from })
}

// newest returns the newest configuration in log or snapshot; its index is 0 when there is none.
func (m *memberLog) newest() configuration {
	m.mu.Lock()
	var c configuration
	if n := len(m.known); n > 0 {
		c = m.known[n-1]
	}
	m.mu.Unlock()
	if snap := m.store.latest(); snap != nil && snap.MembersIndex > c.index {
		return configuration{index: snap.MembersIndex, members: raft.DecodeConfiguration(snap.Members).Servers}
	}
	return c
}

// on returns the member of that raft id, nil for none.
func (c *configuration) on(id raft.ServerID) *raft.Server {
	for i := range c.members {
		if c.members[i].ID == id {
			return &c.members[i]
		}
	}
	return nil
}

// Group returns the members of the shard's group, the index of that configuration in its log, and the leader, as the replica here knows them; it may
// be behind. CaughtUp is not filled in. False while the replica knows of no configuration, or none serves.
func (s *Shard) Group() (meta.Group, bool) {
	r := s.replica.Load()
	if r == nil {
		return meta.Group{}, false
	}
	c := r.members.newest()
	g := meta.Group{Shard: s.id, Index: c.index, Leader: s.Leader()}
	for _, member := range c.members {
		node, number, ok := meta.ParseRaftID(string(member.ID))
		if !ok {
			continue
		}
		role := meta.Learner
		if member.Suffrage == raft.Voter {
			role = meta.Voter
		}
		g.Members = append(g.Members, meta.GroupMember{Node: node, Number: number, Role: role})
	}
	return g, c.index != 0
}
