// Step 1 of an order: POST /v1/orders. The head names the key, the deadline and the length; the body is decoded strictly by hand; what is not
// exactly an order is refused here and the core never sees it. Step 2 is actors/gateway.go, behind Core.

package api

import (
	"net/http"

	"holdfast/stock"
)

func orderRoutes() []route {
	return []route{
		command(http.MethodPost, "/v1/orders", (*exchange).place),
		command(http.MethodPost, "/v1/orders:batch", (*exchange).placeBatch),
		at(http.MethodGet, "/v1/orders/{id}", (*exchange).order),
		command(http.MethodPost, "/v1/orders/{id}/confirm", (*exchange).confirm),
		command(http.MethodPost, "/v1/orders/{id}/cancel", (*exchange).cancel),
		command(http.MethodPost, "/v1/orders/{id}/return", (*exchange).giveBack),
		at(http.MethodGet, "/v1/skus/{sku}/outcomes/{key}", (*exchange).outcome),
		command(http.MethodPost, "/v1/skus/{sku}/outcomes/{key}/fence", (*exchange).fence),
		at(http.MethodGet, "/v1/skus/{sku}/availability", (*exchange).availability),
	}
}

// place answers POST /v1/orders.
func (x *exchange) place() *problem {
	meta, p := x.keyed()
	if p != nil {
		return p
	}
	body, p := x.body(x.s.cfg.MaxBodyBytes, false)
	if p != nil {
		return p
	}
	var o orderBody
	if p := decodeOrder(body, &o); p != nil {
		return p
	}
	out := x.ask(&stock.Place{Meta: meta, SKU: o.sku, User: o.user, Qty: o.qty, ClientRef: o.clientRef})
	if out.Code == stock.OK && out.Order != nil {
		x.w.Header()["Location"] = []string{"/v1/orders/" + out.Order.ID.String()}
	}
	return x.answerOrder(http.StatusCreated, &out)
}

// order answers GET /v1/orders/{id}.
func (x *exchange) order() *problem {
	id, p := x.orderID()
	if p != nil {
		return p
	}
	out := x.ask(&stock.GetOrder{Order: id})
	return x.answerOrder(http.StatusOK, &out)
}

// confirm answers POST /v1/orders/{id}/confirm.
func (x *exchange) confirm() *problem {
	body, p := x.body(x.s.cfg.MaxBodyBytes, false)
	if p != nil {
		return p
	}
	paymentID, p := decodeConfirm(body)
	if p != nil {
		return p
	}
	id, p := x.orderID()
	if p != nil {
		return p
	}
	out := x.ask(&stock.Confirm{Meta: x.unkeyed(), Order: id, PaymentID: paymentID})
	return x.answerOrder(http.StatusOK, &out)
}

// cancel answers POST /v1/orders/{id}/cancel.
func (x *exchange) cancel() *problem {
	body, p := x.body(x.s.cfg.MaxBodyBytes, true)
	if p != nil {
		return p
	}
	reason, p := decodeCancel(body)
	if p != nil {
		return p
	}
	id, p := x.orderID()
	if p != nil {
		return p
	}
	out := x.ask(&stock.Cancel{Meta: x.unkeyed(), Order: id, Reason: reason})
	return x.answerOrder(http.StatusOK, &out)
}

// giveBack answers POST /v1/orders/{id}/return.
func (x *exchange) giveBack() *problem {
	meta, p := x.keyed()
	if p != nil {
		return p
	}
	body, p := x.body(x.s.cfg.MaxBodyBytes, false)
	if p != nil {
		return p
	}
	qty, restock, p := decodeReturn(body)
	if p != nil {
		return p
	}
	id, p := x.orderID()
	if p != nil {
		return p
	}
	out := x.ask(&stock.Return{Meta: meta, Order: id, Qty: qty, Restock: restock})
	x.markReplay(&out)
	return x.answerOrder(http.StatusOK, &out)
}

// keyed returns the meta of a command whose key is the caller's.
func (x *exchange) keyed() (stock.Meta, *problem) {
	key, p := idempotencyKey(x.r.Header)
	if p != nil {
		return stock.Meta{}, p
	}
	retry, p := idempotencyRetry(x.r.Header)
	return stock.Meta{Caller: x.caller(), Key: key, Retry: retry}, p
}

// unkeyed returns the meta of a command to which the core gives a key (rule R5).
func (x *exchange) unkeyed() stock.Meta { return stock.Meta{Caller: x.caller()} }

// orderID returns the order that the path names. What cannot be an id names no order.
func (x *exchange) orderID() (stock.OrderID, *problem) {
	id, ok := stock.ParseOrderID(x.args[0])
	if !ok {
		return id, &problem{code: stock.OrderNotFound}
	}
	return id, nil
}

// answerOrder answers with the outcome's order. An acceptance without one is a fault of the core's.
func (x *exchange) answerOrder(status int, out *stock.Outcome) *problem {
	x.timing()
	if p := refusal(out); p != nil {
		return p
	}
	if out.Order == nil {
		return &problem{code: stock.Internal}
	}
	if status == http.StatusCreated {
		x.markReplay(out)
	}
	x.out = appendOrder(x.out, out.Order)
	x.json(status)
	return nil
}

// markReplay tells the caller that the answer was given before.
func (x *exchange) markReplay(out *stock.Outcome) {
	if out.Replayed && out.Code == stock.OK {
		x.w.Header()["Idempotent-Replayed"] = valueTrue
	}
}
