package client

import (
	"context"
	"net/http"
	"net/url"
)

// PlaceOrder places one order under an idempotency key.
func (c *Client) PlaceOrder(ctx context.Context, key string, o NewOrder) (Placed, error) {
	var p Placed
	r, err := c.do(ctx, call{method: http.MethodPost, base: c.public, path: "/v1/orders", key: key, body: o}, &p.Order)
	p.Attempts = r.attempts
	if err != nil {
		return p, err
	}
	p.Replayed = r.header.Get("Idempotent-Replayed") == "true"
	p.RequestID = r.header.Get("X-Request-Id")
	return p, nil
}

// PlaceOrderUntilKnown places one order and sends it again under the same key, by Config.Retry, until it is accepted or refused. When the
// context ends first the error says whether the order may have been placed.
func (c *Client) PlaceOrderUntilKnown(ctx context.Context, key string, o NewOrder) (Placed, error) {
	if c.retrying {
		return c.PlaceOrder(ctx, key, o)
	}
	return c.Retrying(c.policy).PlaceOrder(ctx, key, o)
}

// PlaceBatch places up to 8,192 orders, each under its own key and decided by itself. The results are in order of the items. An error
// means that there are none. A retrying client sends a batch again when the call failed, not when single orders were turned away.
func (c *Client) PlaceBatch(ctx context.Context, items []BatchItem) ([]BatchResult, error) {
	var out struct {
		Results []BatchResult `json:"results"`
	}
	body := map[string]any{"orders": items}
	_, err := c.do(ctx, call{method: http.MethodPost, base: c.public, path: "/v1/orders:batch", body: body}, &out)
	return out.Results, err
}

// Order returns an order as it stands.
func (c *Client) Order(ctx context.Context, id string) (Order, error) {
	var o Order
	_, err := c.do(ctx, call{method: http.MethodGet, base: c.public, path: orderPath(id, "")}, &o)
	return o, err
}

// Confirm records the payment of an order.
func (c *Client) Confirm(ctx context.Context, id, paymentID string) (Order, error) {
	var o Order
	body := map[string]any{"payment_id": paymentID}
	_, err := c.do(ctx, call{method: http.MethodPost, base: c.public, path: orderPath(id, "/confirm"), body: body}, &o)
	return o, err
}

// Cancel gives up an order before its payment. The reason may be empty.
func (c *Client) Cancel(ctx context.Context, id, reason string) (Order, error) {
	var o Order
	body := map[string]any{}
	if reason != "" {
		body["reason"] = reason
	}
	_, err := c.do(ctx, call{method: http.MethodPost, base: c.public, path: orderPath(id, "/cancel"), body: body}, &o)
	return o, err
}

// Return takes units of a sold order back, under an idempotency key of its own.
func (c *Client) Return(ctx context.Context, key, id string, units ReturnUnits) (Order, error) {
	var o Order
	body := map[string]any{"restock": !units.Discard}
	if units.Qty != 0 {
		body["qty"] = units.Qty
	}
	_, err := c.do(ctx, call{method: http.MethodPost, base: c.public, path: orderPath(id, "/return"), key: key, body: body}, &o)
	return o, err
}

// Outcome says what became of an order's idempotency key. It waits while that is undecided. A key that was never seen is the problem
// outcome_not_seen; an order with it may still be under way, which Fence excludes.
func (c *Client) Outcome(ctx context.Context, sku, key string) (Outcome, error) {
	var o Outcome
	_, err := c.do(ctx, call{method: http.MethodGet, base: c.public, path: outcomePath(sku, key, "")}, &o)
	return o, err
}

// Fence says what became of an order's idempotency key and, when nothing has, sees to it that nothing ever will.
func (c *Client) Fence(ctx context.Context, sku, key string) (Outcome, error) {
	var o Outcome
	_, err := c.do(ctx, call{method: http.MethodPost, base: c.public, path: outcomePath(sku, key, "/fence")}, &o)
	return o, err
}

// Availability returns what a buyer may know of a SKU.
func (c *Client) Availability(ctx context.Context, sku string) (Availability, error) {
	var a Availability
	_, err := c.do(ctx, call{method: http.MethodGet, base: c.public, path: skuPath(sku, "/availability")}, &a)
	return a, err
}

func orderPath(id, call string) string { return "/v1/orders/" + url.PathEscape(id) + call }

func skuPath(sku, call string) string { return "/v1/skus/" + url.PathEscape(sku) + call }

func outcomePath(sku, key, call string) string {
	return skuPath(sku, "/outcomes/"+url.PathEscape(key)+call)
}
