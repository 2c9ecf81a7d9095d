package node

import (
	"errors"
	"strings"

	"holdfast/actors"
	"holdfast/cluster/control"
	"holdfast/storage"
)

// report is what this node knows of its replicas' actors and of storage; the status exchange carries it to the other nodes.
func (n *Node) report() []control.Replica {
	flushing := make(map[uint32]storage.Status, len(n.shards))
	if n.flusher != nil {
		for _, st := range n.flusher.Status() {
			flushing[st.Shard] = st
		}
	}
	var told []control.Replica
	for _, s := range n.shards {
		group, r := s.group.Load(), s.replica.Load()
		if group == nil || r == nil {
			continue
		}
		one := control.Replica{Shard: s.id, Applied: r.Applied(), Sink: n.sinkName()}
		one.HashIndex, one.Hash = r.Identity()
		set := r.Settings()
		one.RetentionMS, one.MaxOpenOrders = set.RetentionMS, set.MaxOpenOrders
		if st, ok := flushing[s.id]; ok {
			one.Flushed, one.LagOrders, one.LagMS, one.Seeding = st.Index, st.LagOrders, st.LagMS, !st.Counts
			if st.Elsewhere {
				one.Sink, one.Seeding = "", false // another node's to tell
			}
		}
		if err := group.Fault(); err != nil {
			one.Down = downText(err)
		}
		told = append(told, one)
	}
	return told
}

// downText says in a word what kind of fault took a replica out of its group, and then which.
func downText(err error) string {
	if errors.Is(err, actors.ErrDiverged) || errors.Is(err, actors.ErrDamaged) {
		return "diverged: " + err.Error()
	}
	return err.Error()
}

// sinkName is what the API calls the sink.
func (n *Node) sinkName() string {
	if name, _, found := strings.Cut(n.cfg.Sink, "://"); found {
		return strings.Replace(name, "postgresql", "postgres", 1)
	}
	return n.cfg.Sink
}
