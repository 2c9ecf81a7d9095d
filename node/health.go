package node

import (
	"fmt"

	"holdfast/api"
)

var _ api.Health = (*Node)(nil)

// Ready says what stands between the node and its work.
func (n *Node) Ready() []api.Check {
	checks := []api.Check{{Name: "draining", OK: !n.draining.Load(), Detail: "intake is open"}}
	if n.draining.Load() {
		checks[0].Detail = "the node is going down"
	}
	for _, s := range n.shards {
		checks = append(checks, s.check())
	}
	return append(checks, n.storageCheck(), n.diskCheck())
}

// check: a shard is ready when the actors of its replica have opened a term; what raft has queued does not count (rule R13).
func (s *shard) check() api.Check {
	c := api.Check{Name: fmt.Sprintf("shard %d", s.id)}
	r := s.replica.Load()
	switch {
	case s.group != nil && s.group.Fault() != nil:
		c.Detail = s.group.Fault().Error()
	case r == nil || r.Term() == 0:
		c.Detail = "no leader has opened"
	default:
		c.OK, c.Detail = true, fmt.Sprintf("open in term %d, applied %d", r.Term(), r.Applied())
	}
	return c
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

func (n *Node) diskCheck() api.Check {
	c := api.Check{Name: "log", OK: true, Advisory: true, Detail: fmt.Sprintf("%d bytes", n.log.DiskBytes())}
	if n.log.OverSoftBound() {
		c.OK, c.Detail = false, fmt.Sprintf("%d bytes, above wal-soft-bytes: no command is admitted", n.log.DiskBytes())
	}
	return c
}
