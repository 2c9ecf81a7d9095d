package inprocess

import (
	"context"

	"holdfast/bench/sale"
	"holdfast/node"
	"holdfast/stock"
)

// Place hands orders to the gateways of the nodes that lead their SKUs. A call whose context has no deadline gets one.
func (t *Target) Place(ctx context.Context, orders []sale.Order, answers []sale.Answer) {
	if ctx.Err() != nil {
		fill(answers, sale.Answer{Verdict: sale.Failed, Reason: stock.DeadlineExceeded.String()})
		return
	}
	ctx = t.clock.of(ctx)
	if len(orders) == 1 {
		t.placeOne(ctx, &orders[0], &answers[0])
		return
	}
	reqs := requests(orders)
	leader, one := t.leaderOfAll(orders)
	if !one {
		t.scatter(ctx, orders, reqs, answers)
		return
	}
	if leader == nil {
		fill(answers, nobody)
		return
	}
	outs := leader.Gateway().DoAll(ctx, reqs)
	for i := range outs {
		answers[i] = answerOf(&outs[i])
	}
}

var nobody = sale.Answer{Verdict: sale.Failed, Reason: stock.NoLeader.String()}

func fill(answers []sale.Answer, a sale.Answer) {
	for i := range answers {
		answers[i] = a
	}
}

func (t *Target) placeOne(ctx context.Context, o *sale.Order, a *sale.Answer) {
	leader := t.leader(stock.PartitionOf(o.SKU))
	if leader == nil {
		*a = nobody
		return
	}
	out := leader.Gateway().Do(ctx, &stock.Place{Meta: stock.Meta{Key: o.Key}, SKU: o.SKU, User: o.User, Qty: o.Qty})
	*a = answerOf(&out)
}

// requests makes the commands of a batch in one piece: who takes a command may keep it, so it is never used again.
func requests(orders []sale.Order) []stock.Request {
	places := make([]stock.Place, len(orders))
	reqs := make([]stock.Request, len(orders))
	for i := range orders {
		o, p := &orders[i], &places[i]
		p.Key, p.SKU, p.User, p.Qty = o.Key, o.SKU, o.User, o.Qty
		reqs[i] = p
	}
	return reqs
}

// leaderOfAll returns the node that leads the SKUs of all orders; false when there is more than one.
func (t *Target) leaderOfAll(orders []sale.Order) (*node.Node, bool) {
	if len(t.slots) == 1 {
		return t.slots[0].node.Load(), true
	}
	first := orders[0].SKU
	leader := t.leader(stock.PartitionOf(first))
	for i := range orders {
		if orders[i].SKU != first && t.leader(stock.PartitionOf(orders[i].SKU)) != leader {
			return nil, false
		}
	}
	return leader, true
}

// scatter gives each leader its orders, all of them at once.
func (t *Target) scatter(ctx context.Context, orders []sale.Order, reqs []stock.Request, answers []sale.Answer) {
	type share struct {
		places []int
		reqs   []stock.Request
	}
	shares := make(map[*node.Node]*share, len(t.slots))
	for i := range orders {
		leader := t.leader(stock.PartitionOf(orders[i].SKU))
		if leader == nil {
			answers[i] = nobody
			continue
		}
		s := shares[leader]
		if s == nil {
			s = &share{}
			shares[leader] = s
		}
		s.places, s.reqs = append(s.places, i), append(s.reqs, reqs[i])
	}
	done := make(chan struct{}, len(shares))
	for leader, s := range shares {
		go func() {
			outs := leader.Gateway().DoAll(ctx, s.reqs)
			for k, i := range s.places {
				answers[i] = answerOf(&outs[k])
			}
			done <- struct{}{}
		}()
	}
	for range shares {
		<-done
	}
}

// answerOf says what an outcome is to a caller.
func answerOf(out *stock.Outcome) sale.Answer {
	switch out.Code {
	case stock.OK:
		a := sale.Answer{Verdict: sale.Accepted}
		if out.Order != nil {
			a.ID = out.Order.ID.String()
		}
		return a
	case stock.OutcomeUnknown, stock.Internal:
		return sale.Answer{Verdict: sale.Unknown, Reason: out.Code.String()}
	case stock.Overloaded, stock.NoLeader, stock.Draining, stock.DeadlineExceeded:
		return sale.Answer{Verdict: sale.Failed, Reason: out.Code.String()}
	}
	return sale.Answer{Verdict: sale.Refused, Reason: out.Code.String()}
}
