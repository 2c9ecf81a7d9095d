package node

import (
	"context"
	"fmt"
	"time"

	"holdfast/cluster"
	"holdfast/cluster/meta"
	"holdfast/stock"
)

// published returns what the replica here that serves published of a SKU last, whoever leads; false when there is none, or it knows no such SKU.
func (n *Node) published(sku string) (stock.Availability, bool) {
	s := n.shardOf(stock.PartitionOf(sku))
	group, r := s.group.Load(), s.replica.Load()
	if group == nil || r == nil || group.Term() == 0 {
		return stock.Availability{}, false
	}
	return r.Availability(sku)
}

// Availability returns what this node's replica published last, whoever leads.
func (c core) Availability(sku string) (stock.Availability, bool) { return c.n.published(sku) }

// nearestTimeout bounds the question to one node.
const nearestTimeout = time.Second

// Nearest asks for what is not published here: there is no replica of the shard on this node, or it has yet to hear of the SKU. The leader's word is
// final; without one, any replica that knows the SKU will do.
func (c core) Nearest(ctx context.Context, sku string) (stock.Availability, stock.Code) {
	said := c.n.nearest(sku)
	if !said.Known && !said.Final {
		said = c.n.askAround(ctx, sku)
	}
	switch {
	case said.Known:
		return said.Availability, stock.OK
	case said.Final:
		return stock.Availability{}, stock.SKUNotFound
	}
	return stock.Availability{}, stock.NoLeader
}

// nearest is what a node says of a SKU. Final: its leader says so, and what it does not have does not exist.
type nearest struct {
	Known, Final bool
	Availability stock.Availability
}

func (n *Node) nearest(sku string) (said nearest) {
	said.Final = n.Locate(stock.PartitionOf(sku)) != nil // first: the shard may open between the two looks
	said.Availability, said.Known = n.published(sku)
	return said
}

// askAround asks the nodes that have a replica of the shard, its leader's first.
func (n *Node) askAround(ctx context.Context, sku string) (said nearest) {
	shard := n.shardOf(stock.PartitionOf(sku)).id
	leader, _, _ := n.control.Leader(shard)
	nodes := []string{leader}
	for _, s := range n.control.Nodes() {
		if r := s.Replica(shard); s.Node != leader && s.Reachable && r != nil && r.Fault == "" {
			nodes = append(nodes, s.Node)
		}
	}
	for _, node := range nodes {
		if node == "" || node == n.cfg.NodeID {
			continue
		}
		said, err := n.askNearest(ctx, node, sku)
		if err != nil {
			n.cfg.Logger.Debug("a node did not say what is available", "node", node, "shard", shard, "error", err)
		} else if said.Known || said.Final {
			return said
		}
	}
	return said
}

func (n *Node) askNearest(ctx context.Context, node, sku string) (said nearest, err error) {
	ctx, cancel := context.WithTimeout(ctx, nearestTimeout)
	defer cancel()
	body, err := n.cluster.Peers().Call(ctx, node, n.control.AddressOf(node), cluster.Request{Kind: cluster.KindAvailability, Body: []byte(sku)})
	if err == nil {
		err = meta.DecodeMessage(body, &said)
	}
	return said, err
}

// nearby answers nodes that have nothing published of a SKU.
type nearby struct{ n *Node }

var _ cluster.RequestHandler = nearby{}

// ServePeer says what is published here.
func (h nearby) ServePeer(_ context.Context, r cluster.Request) ([]byte, error) {
	if len(r.Body) == 0 || len(r.Body) > stock.MaxNameBytes {
		return nil, fmt.Errorf("%w: node: a SKU of %d bytes", stock.ErrNotExecuted, len(r.Body))
	}
	said := h.n.nearest(string(r.Body))
	return meta.EncodeMessage(&said)
}
