package node

import (
	"context"
	"errors"

	"holdfast/actors"
	"holdfast/stock"
)

// Gateway returns where requests of this process enter without the front door: as step 2 of an order, at the actors of what this node leads. It knows
// no other node: where Leads says no, another one's gateway is the one to ask. It serves until the node is closed.
func (n *Node) Gateway() *actors.Gateway { return n.gateway }

// ShardOf returns the number of the shard that owns a SKU.
func (n *Node) ShardOf(sku string) uint32 { return n.cluster.ShardIDOf(stock.PartitionOf(sku)) }

// Kill ends the node as nearly as its process can outlive it to what kill -9 does: the replicas and the peer port go first, leadership is not handed
// over, nobody is waited for, and nothing is flushed. What a process that is killed would not do, and this does: the replicas wait up to a quarter of a
// second for proposals under way, and files are closed. The same configuration opens the node again.
func (n *Node) Kill() error {
	n.draining.Store(true)
	var err error
	if n.cluster != nil {
		err = n.cluster.Close()
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if closed := n.close(ended); closed != nil && !errors.Is(closed, context.Canceled) {
		err = errors.Join(err, closed)
	}
	return err
}
