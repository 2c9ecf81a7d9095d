package control

import (
	"context"
	"fmt"

	"holdfast/cluster"
	"holdfast/cluster/meta"
	"holdfast/stock"
)

// order is what one node asks of the replica that leads a shard.
type order struct {
	What    orderKind
	Shard   uint32
	Node    string
	Number  uint64
	Address string
	// Prev is the index of the configuration that a change of members must find.
	Prev uint64
}

type orderKind uint8

const (
	orderAddLearner orderKind = iota + 1
	orderPromote
	orderDemote
	orderRemove
	orderTransfer
	orderSnapshot
)

// orderOf returns how a step is carried out; false for one that is not done to a group.
func orderOf(d meta.Due, address string) (order, bool) {
	kinds := map[meta.StepKind]orderKind{
		meta.AddLearner: orderAddLearner, meta.Promote: orderPromote, meta.Demote: orderDemote, meta.Remove: orderRemove,
		meta.Transfer: orderTransfer,
	}
	what, ok := kinds[d.Step.Kind]
	return order{What: what, Shard: d.Step.Shard, Node: d.Step.Node, Number: d.Step.Number, Address: address, Prev: d.Index}, ok
}

// done is the answer to an order: a snapshot's index and bytes, else nothing.
type done struct {
	Index uint64
	Bytes int64
}

// give has an order carried out by the node that leads the shard. Errors are stock.ErrNotExecuted or stock.ErrUnknown.
func (c *Control) give(ctx context.Context, leader string, o order) (done, error) {
	if leader == c.cfg.NodeID {
		return c.carryOut(ctx, o)
	}
	body, err := meta.EncodeMessage(&o)
	if err != nil {
		return done{}, fmt.Errorf("%w: %w", stock.ErrNotExecuted, err)
	}
	answer, err := c.call(ctx, leader, c.AddressOf(leader), cluster.Request{Kind: cluster.KindShardAdmin, Body: body})
	if err != nil {
		return done{}, recognized(err)
	}
	var d done
	if err := meta.DecodeMessage(answer, &d); err != nil {
		return done{}, fmt.Errorf("%w: %w: %w", stock.ErrUnknown, ErrMessage, err)
	}
	return d, nil
}

// serveAdmin carries out another node's order.
func (c *Control) serveAdmin(ctx context.Context, r cluster.Request) ([]byte, error) {
	var o order
	if err := meta.DecodeMessage(r.Body, &o); err != nil {
		return nil, fmt.Errorf("%w: %w: %w", stock.ErrNotExecuted, ErrMessage, err)
	}
	d, err := c.carryOut(ctx, o)
	if err != nil {
		return nil, err
	}
	return meta.EncodeMessage(&d)
}

// carryOut carries an order out on the replica here. The group itself refuses it when it does not lead, or when its members are others.
func (c *Control) carryOut(ctx context.Context, o order) (done, error) {
	var s Shard
	if g := c.groups(); g != nil {
		s = g.Shard(o.Shard)
	}
	if s == nil {
		return done{}, fmt.Errorf("%w: %w: %d", stock.ErrNotExecuted, ErrNoReplica, o.Shard)
	}
	if o.What != orderSnapshot && !s.Leads(s.Term()) {
		return done{}, fmt.Errorf("%w: %w", stock.ErrNotExecuted, ErrNoLeader)
	}
	defer c.Prompt()
	switch o.What {
	case orderAddLearner:
		return done{}, s.AddLearner(ctx, o.Node, o.Number, o.Address, o.Prev)
	case orderPromote:
		return done{}, s.Promote(ctx, o.Node, o.Number, o.Address, o.Prev)
	case orderDemote:
		return done{}, s.Demote(ctx, o.Node, o.Number, o.Prev)
	case orderRemove:
		return done{}, s.RemoveMember(ctx, o.Node, o.Number, o.Prev)
	case orderTransfer:
		return done{}, s.Transfer(ctx, o.Node)
	case orderSnapshot:
		index, bytes, err := s.Snapshot(ctx)
		if err != nil {
			return done{}, fmt.Errorf("%w: %w", stock.ErrNotExecuted, err)
		}
		return done{Index: index, Bytes: bytes}, nil
	}
	return done{}, fmt.Errorf("%w: %w: order %d", stock.ErrNotExecuted, ErrMessage, o.What)
}
