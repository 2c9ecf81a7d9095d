package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"holdfast/actors"
	"holdfast/api"
)

var _ api.Health = (*Node)(nil)

// Ready says what stands between the node and its work.
func (n *Node) Ready() []api.Check {
	checks := []api.Check{{Name: "draining", OK: !n.draining.Load(), Detail: "intake is open"}}
	if n.draining.Load() {
		checks[0].Detail = "the node is going down"
	}
	checks = append(checks, n.memberCheck(), n.othersCheck())
	for _, s := range n.shards {
		checks = append(checks, n.shardCheck(s), n.replicaCheck(s))
	}
	checks = slices.DeleteFunc(checks, func(c api.Check) bool { return c.Name == "" })
	checks = append(checks, n.storageCheck())
	if c := n.gapCheck(); !c.OK {
		checks = append(checks, c)
	}
	return append(checks, n.diskCheck())
}

// memberCheck: a node is ready when it is a member of a cluster and knows its routes.
func (n *Node) memberCheck() api.Check {
	c := api.Check{Name: "cluster"}
	table := n.control.Cluster()
	member := table.Node(n.cfg.NodeID)
	switch {
	case !table.Created():
		c.Detail = "the cluster's table is not known yet"
	case n.wasRemoved():
		c.Detail = "this node was removed from the cluster: end it; its id and its data directory are not used again"
	default:
		c.OK, c.Detail = true, fmt.Sprintf("%v of %d, table %d", member.State, len(table.Nodes), table.Version)
	}
	return c
}

// wasRemoved reports whether the cluster does not know this node any more.
func (n *Node) wasRemoved() bool {
	table := n.control.Cluster()
	return table.Created() && table.Node(n.cfg.NodeID) == nil
}

// othersCheck names the nodes that do not answer. That alone is no reason to take nothing: others lead what they led.
func (n *Node) othersCheck() api.Check {
	c := api.Check{Name: "other nodes", OK: true, Advisory: true}
	answer, silent := 0, []string{}
	for _, s := range n.control.Nodes() {
		switch {
		case s.Node == n.cfg.NodeID:
		case s.Reachable:
			answer++
		default:
			silent = append(silent, s.Node+" at "+s.Peer)
		}
	}
	switch {
	case len(silent) > 0:
		c.OK, c.Detail = false, "no answer from "+strings.Join(silent, ", ")
	case answer > 0:
		c.Detail = fmt.Sprintf("all %d answer", answer)
	default:
		return api.Check{}
	}
	return c
}

// shardCheck: a shard is ready when this node knows a leader that it can reach; the one here leads when the actors of its replica have opened a term:
// what raft has queued does not count (rule R13).
func (n *Node) shardCheck(s *shard) api.Check {
	c := api.Check{Name: fmt.Sprintf("shard %d", s.id)}
	leader, address, term := n.control.Leader(s.id)
	r := s.replica.Load()
	switch {
	case leader == n.cfg.NodeID && r != nil && r.Term() != 0:
		c.OK, c.Detail = true, fmt.Sprintf("open in term %d, applied %d", r.Term(), r.Applied())
	case leader == "" || leader == n.cfg.NodeID:
		c.Detail = "no leader has opened"
		if r != nil {
			c.Detail = fmt.Sprintf("no leader has opened, applied %d", r.Applied())
		}
		if group := s.group.Load(); group != nil && group.Fault() != nil {
			c.Detail = group.Fault().Error()
		}
	case !n.reaches(leader):
		c.Detail = fmt.Sprintf("%s leads and does not answer at %s", leader, address)
	default:
		c.OK, c.Detail = true, fmt.Sprintf("%s leads in term %d", leader, term)
	}
	return c
}

// replicaCheck tells of a replica here that is out of its group while others serve the shard.
func (n *Node) replicaCheck(s *shard) api.Check {
	group := s.group.Load()
	if group == nil || group.Fault() == nil {
		return api.Check{}
	}
	return api.Check{Name: fmt.Sprintf("replica of shard %d", s.id), Advisory: true, Detail: group.Fault().Error()}
}

// reaches reports whether another node answered lately.
func (n *Node) reaches(node string) bool {
	for _, s := range n.control.Nodes() {
		if s.Node == node {
			return s.Reachable
		}
	}
	return false
}

func (n *Node) storageCheck() api.Check {
	c := api.Check{Name: "storage", OK: true, Advisory: true, Detail: "flushed"}
	for _, st := range n.flusher.Status() {
		switch {
		case st.Err != nil:
			c.OK, c.Detail = false, fmt.Sprintf("shard %d: %v", st.Shard, st.Err)
		case st.LagOrders > 0 && c.OK:
			c.Detail = fmt.Sprintf("shard %d: %d orders, %d ms behind", st.Shard, st.LagOrders, st.LagMS)
		}
	}
	return c
}

// gapCheck says what storage lacked since the start; it is OK when that was nothing.
func (n *Node) gapCheck() api.Check {
	c := api.Check{Name: "storage history", OK: true, Advisory: true}
	var parts []string
	for _, st := range n.flusher.Status() {
		if st.Gap.Found() {
			c.OK, parts = false, append(parts, fmt.Sprintf("shard %d: %v", st.Shard, st.Gap))
		}
	}
	c.Detail = strings.Join(parts, "; ")
	return c
}

func (n *Node) diskCheck() api.Check {
	c := api.Check{Name: "log", OK: true, Advisory: true, Detail: fmt.Sprintf("%d bytes", n.log.DiskBytes())}
	if n.log.OverSoftBound() {
		c.OK, c.Detail = false, fmt.Sprintf("%d bytes, above wal-soft-bytes: no command is admitted", n.log.DiskBytes())
	}
	return c
}

// Pulse returns when the actors of every shard have answered, or why one did not before ctx ended. A replica that is down because of a fault, or is
// being built again, hangs in nothing: readyz tells of it, and a process that was started again would meet the same fault.
func (n *Node) Pulse(ctx context.Context) error {
	for _, r := range n.Replicas() {
		if err := r.Ping(ctx); err != nil && !errors.Is(err, actors.ErrClosed) && !errors.Is(err, actors.ErrReplaced) {
			return fmt.Errorf("node: the actors of shard %d do not answer: %w", r.Shard(), err)
		}
	}
	return nil
}
