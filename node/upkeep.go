package node

import (
	"context"
	"sync"
	"time"

	"holdfast/cluster/control"
	"holdfast/cluster/meta"
	"holdfast/stock"
	"holdfast/storage"
)

// upkeep does, while the node runs, what takes several nodes' statuses: it tells the replicas here the hashes of the others (rule R24) and leaders
// how far the others' sinks are (rule R27), has this node's database filled from a peer's, raises the level once every node knows it (rule R1), and
// keeps the cluster's table for the next start.
type upkeep struct {
	n        *Node
	ctx      context.Context // ends with close
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	seeding  map[uint32]chan struct{} // closed when the shard's seeding has ended; used by run only
	seedings map[uint32]int           // how many were begun, by shard; used by run only
	late     map[uint32]*storage.Laggards
	kept     uint64 // the version of the table that was written
	unkept   uint64 // the newest that was not, which the log has a line about
	raising  bool
	raised   chan struct{}
}

const (
	// upkeepEvery is how often the statuses are looked at.
	upkeepEvery = 250 * time.Millisecond
	// sinkPatience is how long flush marks wait for one sink that is behind; then it has to be filled from a peer.
	sinkPatience = 10 * time.Minute
	// raisePause is how long a raise of the level that failed rests.
	raisePause = 10 * time.Second
)

func startUpkeep(n *Node) *upkeep {
	u := &upkeep{
		n: n, seeding: make(map[uint32]chan struct{}), seedings: make(map[uint32]int), late: make(map[uint32]*storage.Laggards), raised: make(chan struct{}, 1),
	}
	u.ctx, u.cancel = context.WithCancel(context.Background())
	u.wg.Go(u.run)
	return u
}

func (u *upkeep) close() {
	u.cancel()
	u.wg.Wait()
}

func (u *upkeep) run() {
	tick := time.NewTicker(upkeepEvery)
	defer tick.Stop()
	for {
		u.look()
		select {
		case <-tick.C:
		case <-u.ctx.Done():
			return
		}
	}
}

func (u *upkeep) look() {
	nodes := u.n.control.Nodes()
	flushing := make(map[uint32]storage.Status)
	for _, st := range u.n.flusher.Status() {
		flushing[st.Shard] = st
	}
	for _, s := range u.n.shards {
		if st, here := flushing[s.id]; here {
			u.shard(s, st, nodes)
		}
	}
	u.level()
	u.keepTable()
}

// keepTable writes the table when it is another one: a node that is removed while it is down learns of it from those whom the table names.
func (u *upkeep) keepTable() {
	table := u.n.control.Cluster()
	if !table.Created() || table.Version == u.kept {
		return
	}
	err := writeTable(u.n.cfg.DataDir, table)
	switch {
	case err == nil:
		u.kept = table.Version
	case u.unkept != table.Version:
		u.unkept = table.Version
		u.n.cfg.Logger.Warn("the cluster's table was not kept for the next start", "version", table.Version, "error", err)
	}
}

// shard looks after one replica here.
func (u *upkeep) shard(s *shard, st storage.Status, nodes []control.NodeStatus) {
	group, r := s.group.Load(), s.replica.Load()
	if group == nil || r == nil {
		return
	}
	members, known := group.Group()
	if !known {
		return
	}
	if st.Lacks.Any() {
		u.seed(s.id, members, nodes)
	}
	for _, m := range members.Members {
		if other := replicaOf(nodes, m, s.id); other != nil && m.Node != u.n.cfg.NodeID && other.HashIndex > 0 {
			r.ReportHash(meta.RaftID(m.Node, m.Number), other.HashIndex, other.Hash)
		}
	}
	term := r.Term()
	if term == 0 {
		delete(u.late, s.id) // whoever leads next begins anew
		return
	}
	u.flushed(s, term, st, members, nodes)
}

// flushed tells the leader's actors how far a flush mark may go: no further than every sink that must have the rows.
func (u *upkeep) flushed(s *shard, term uint64, st storage.Status, members meta.Group, nodes []control.NodeStatus) {
	r := s.replica.Load()
	if r == nil {
		return
	}
	if storage.SharedSink(u.n.cfg.Sink) || len(members.Members) < 2 {
		r.FlushedEverywhere(term, st.Index)
		return
	}
	sinks := make(map[string]storage.SinkIndex, len(members.Members))
	for _, m := range members.Members {
		sink := storage.SinkIndex{}
		if m.Node == u.n.cfg.NodeID {
			sink = storage.SinkIndex{Index: st.Index, Known: true}
		} else if other := replicaOf(nodes, m, s.id); other != nil {
			sink = storage.SinkIndex{Index: other.Flushed, Known: other.Flushed > 0}
		}
		sinks[meta.RaftID(m.Node, m.Number)] = sink
	}
	if u.late[s.id] == nil {
		u.late[s.id] = &storage.Laggards{Patience: sinkPatience}
	}
	u.late[s.id].Mark(time.Now(), sinks)
	all := make([]storage.SinkIndex, 0, len(sinks))
	for _, sink := range sinks {
		all = append(all, sink)
	}
	ctx, cancel := context.WithTimeout(u.ctx, upkeepEvery)
	defer cancel()
	if mark, err := r.FlushMark(ctx); err == nil {
		r.FlushedEverywhere(term, storage.LeastFlushed(mark, all...))
	}
}

// replicaOf returns what a member's node said of it last, nil for nothing.
func replicaOf(nodes []control.NodeStatus, m meta.GroupMember, shard uint32) *control.ReplicaStatus {
	for i := range nodes {
		if nodes[i].Node == m.Node {
			if r := nodes[i].Replica(shard); r != nil && r.Number == m.Number {
				return r
			}
		}
	}
	return nil
}

// level has the meta group raise the level when every node knows a higher one. Whoever leads that group does it.
func (u *upkeep) level() {
	select {
	case <-u.raised:
		u.raising = false
	default:
	}
	group, table := u.n.cluster.Shard(metaGroup), u.n.control.Cluster()
	if u.raising || group == nil || !group.Leads(group.Term()) || !table.Created() {
		return
	}
	known := uint16(stock.Level)
	for i := range table.Nodes {
		known = min(known, table.Nodes[i].Level)
	}
	if known <= table.Level {
		return
	}
	u.raising = true
	u.wg.Go(func() {
		if out, err := u.n.control.Do(u.ctx, &meta.RaiseLevel{Level: known}); err != nil || out.Code != meta.OK {
			u.n.cfg.Logger.Warn("the level of the cluster was not raised", "to", known, "error", err, "answer", out.Text())
			u.rest(raisePause)
		}
		u.raised <- struct{}{}
	})
}

// rest waits after something failed, or until the upkeep ends.
func (u *upkeep) rest(pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-u.ctx.Done():
	}
}
