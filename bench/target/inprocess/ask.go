package inprocess

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"holdfast/bench/sale"
	"holdfast/stock"
)

const (
	// askTimeout bounds a question whose context has no deadline: an election may come between.
	askTimeout = 30 * time.Second
	// createAtOnce is how many SKUs are created in one call.
	createAtOnce = 512
)

// ask makes requests until each was decided. Requests are made anew for each attempt; a repetition must be harmless.
func (t *Target) ask(ctx context.Context, request func(i int) stock.Request, outs []stock.Outcome) error {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, askTimeout)
		defer cancel()
	}
	left := len(outs)
	err := until(ctx, func() bool {
		byLeader := t.route(request, outs)
		for leader, s := range byLeader {
			for k, out := range leader.DoAll(ctx, s.reqs) {
				if outs[s.places[k]] = out; decided(out.Code) {
					left--
				} else {
					outs[s.places[k]].Code = 0
				}
			}
		}
		return left == 0
	})
	if err != nil {
		return fmt.Errorf("%w: %d requests: %w", ErrUndecided, left, err)
	}
	return nil
}

func decided(c stock.Code) bool {
	switch c {
	case stock.OutcomeUnknown, stock.Internal, stock.Overloaded, stock.NoLeader, stock.Draining, stock.DeadlineExceeded:
		return false
	}
	return true
}

type gateway interface {
	DoAll(ctx context.Context, rs []stock.Request) []stock.Outcome
}

type errand struct {
	places []int
	reqs   []stock.Request
}

// route makes the requests that are undecided, by the leader to be asked.
func (t *Target) route(request func(i int) stock.Request, outs []stock.Outcome) map[gateway]*errand {
	byLeader := make(map[gateway]*errand, len(t.slots))
	for i := range outs {
		if outs[i].Code != 0 {
			continue
		}
		r := request(i)
		leader := t.leader(r.Partition())
		if leader == nil {
			continue
		}
		g := gateway(leader.Gateway())
		if byLeader[g] == nil {
			byLeader[g] = &errand{}
		}
		byLeader[g].places, byLeader[g].reqs = append(byLeader[g].places, i), append(byLeader[g].reqs, r)
	}
	return byLeader
}

// one asks one question.
func (t *Target) one(ctx context.Context, request func() stock.Request) (stock.Outcome, error) {
	outs := make([]stock.Outcome, 1)
	err := t.ask(ctx, func(int) stock.Request { return request() }, outs)
	return outs[0], err
}

// Create makes SKUs.
func (t *Target) Create(ctx context.Context, skus []sale.SKU) error {
	for len(skus) > 0 {
		part := skus[:min(len(skus), createAtOnce)]
		skus = skus[len(part):]
		outs := make([]stock.Outcome, len(part))
		if err := t.ask(ctx, func(i int) stock.Request { return &stock.Create{Spec: specOf(&part[i])} }, outs); err != nil {
			return fmt.Errorf("create SKUs: %w", err)
		}
		for i := range outs {
			switch {
			case outs[i].Code == stock.SKUExists || outs[i].Code == stock.OK && outs[i].Replayed:
				return fmt.Errorf("%w: %s", ErrExists, part[i].Name)
			case outs[i].Code != stock.OK:
				return fmt.Errorf("%w: create %s: %v", ErrRefused, part[i].Name, outs[i].Code)
			}
		}
	}
	return nil
}

// maxQty lets an order be of any size.
const maxQty = 1 << 20

func specOf(s *sale.SKU) stock.Spec {
	mode, _ := stock.ParseMode(cmp.Or(s.Mode, stock.ModeHold.String()))
	return stock.Spec{
		SKU: s.Name, Stock: s.Stock, Mode: mode, LimitPerUser: s.LimitPerUser, MaxQty: maxQty, Hot: s.Hot,
		HoldTTLMS: cmp.Or(s.HoldTTL.Milliseconds(), stock.DefaultHoldTTLMS),
	}
}

// Counters returns a SKU's units.
func (t *Target) Counters(ctx context.Context, sku string) (sale.Counters, error) {
	s, err := t.sku(ctx, sku)
	if err != nil {
		return sale.Counters{}, err
	}
	return sale.Counters{Stock: s.Stock, Available: s.Available, Held: s.Held, Sold: s.Sold}, nil
}

func (t *Target) sku(ctx context.Context, name string) (*stock.SKU, error) {
	out, err := t.one(ctx, func() stock.Request { return &stock.GetSKU{SKU: name} })
	if err != nil {
		return nil, err
	}
	if out.Code != stock.OK {
		return nil, fmt.Errorf("%w: %s: %v", ErrRefused, name, out.Code)
	}
	return out.SKU, nil
}

// Resolve fences an order's key: the order is there by then, or never will be.
func (t *Target) Resolve(ctx context.Context, o sale.Order) (sale.Answer, error) {
	out, err := t.one(ctx, func() stock.Request { return &stock.Fence{Meta: stock.Meta{Key: o.Key}, SKU: o.SKU} })
	switch {
	case err != nil:
		return sale.Answer{}, err
	case out.Code == stock.OutcomeFenced:
		return sale.Answer{Verdict: sale.Failed, Reason: stock.Fenced.String()}, nil
	case out.Code == stock.OK && out.Order != nil:
		return answerOf(&out), nil
	}
	return sale.Answer{}, fmt.Errorf("%w: fence %s of %s: %v", ErrRefused, o.Key, o.SKU, out.Code)
}

// Settle takes a step with an order. A payment is named by the key.
func (t *Target) Settle(ctx context.Context, step sale.Step, id, key string) sale.Answer {
	order, known := stock.ParseOrderID(id)
	if !known {
		return sale.Answer{Verdict: sale.Refused, Reason: stock.OrderNotFound.String()}
	}
	var req stock.Request
	switch step {
	case sale.Pay:
		req = &stock.Confirm{Order: order, PaymentID: key}
	case sale.Cancel:
		req = &stock.Cancel{Order: order}
	case sale.Return:
		req = &stock.Return{Meta: stock.Meta{Key: key}, Order: order, Restock: true}
	default:
		return sale.Answer{Verdict: sale.Refused, Reason: stock.InvalidValue.String()}
	}
	leader := t.leader(order.Partition)
	if leader == nil {
		return nobody
	}
	out := leader.Gateway().Do(t.clock.of(ctx), req)
	return answerOf(&out)
}
