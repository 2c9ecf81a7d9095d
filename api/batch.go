package api

import (
	"net/http"
	"strconv"

	"holdfast/stock"
)

// placeBatch answers POST /v1/orders:batch. A body of another shape is the call's fault; a value out of range is that order's own, and the
// others go on.
func (x *exchange) placeBatch() *problem {
	retry, p := idempotencyRetry(x.r.Header)
	if p != nil {
		return p
	}
	body, p := x.body(x.s.cfg.MaxBatchBytes, false)
	if p != nil {
		return p
	}
	items, p := decodeBatch(body, x.s.cfg.MaxBatchItems)
	if p != nil {
		return p
	}
	if !x.claim(int64(len(items)) * maxProblemBytes) {
		return &problem{code: stock.Overloaded, detail: &stock.Detail{Bound: boundMemory}}
	}
	x.items = len(items)
	outcomes := x.askAll(placements(items, x.caller(), retry))
	x.timing()
	x.out = append(x.out, `{"results":[`...)
	next := 0
	for i := range items {
		if i > 0 {
			x.out = append(x.out, ',')
		}
		if items[i].bad != nil {
			x.appendItemProblem(items[i].bad)
			continue
		}
		x.appendItem(&outcomes[next])
		next++
	}
	x.out = append(x.out, `]}`...)
	x.json(http.StatusOK)
	return nil
}

// placements returns a command for each order that is in order.
func placements(items []orderBody, caller string, retry bool) []stock.Request {
	places := make([]stock.Place, 0, len(items))
	requests := make([]stock.Request, 0, len(items))
	for i := range items {
		o := &items[i]
		if o.bad != nil {
			continue
		}
		places = append(places, stock.Place{
			Meta: stock.Meta{Caller: caller, Key: o.key, Retry: retry},
			SKU:  o.sku, User: o.user, Qty: o.qty, ClientRef: o.clientRef,
		})
		requests = append(requests, &places[len(places)-1])
	}
	return requests
}

// askAll gives the requests to the core. An outcome that does not come back is a fault of the core's, and nobody knows what it was.
func (x *exchange) askAll(requests []stock.Request) []stock.Outcome {
	ctx, cancel := x.deadline()
	defer cancel()
	x.asked = x.s.cfg.Now()
	var outcomes []stock.Outcome
	if len(requests) > 0 {
		outcomes = x.s.cfg.Core.DoAll(ctx, requests)
	}
	x.answered = x.s.cfg.Now()
	for len(outcomes) < len(requests) {
		outcomes = append(outcomes, stock.Outcome{Code: stock.Internal})
	}
	return outcomes
}

func (x *exchange) appendItem(out *stock.Outcome) {
	p := refusal(out)
	if p == nil && out.Order == nil {
		p = &problem{code: stock.Internal}
	}
	if p != nil {
		x.appendItemProblem(p)
		return
	}
	x.out = append(x.out, `{"status":201,`...)
	if out.Replayed {
		x.out = append(x.out, `"replayed":true,`...)
	}
	x.out = append(x.out, `"order":`...)
	x.out = appendOrder(x.out, out.Order)
	x.out = append(x.out, '}')
}

func (x *exchange) appendItemProblem(p *problem) {
	x.s.metrics.problem(p)
	if p.unconfirmed {
		x.w.Header()["Holdfast-Refusal"] = valueUnconfirmed
	}
	status := rowOf(p.code).status
	switch status {
	case http.StatusInternalServerError, http.StatusGatewayTimeout:
		x.unknown++
	case http.StatusServiceUnavailable:
		x.failed++
		if p.detail != nil {
			x.bound = p.detail.Bound
		}
	}
	x.out = append(x.out, `{"status":`...)
	x.out = strconv.AppendInt(x.out, int64(status), 10)
	x.out = append(x.out, `,"problem":`...)
	x.out = appendProblem(x.out, p, x.id)
	x.out = append(x.out, '}')
}
