package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
)

// CreateSKU makes a SKU. Asked again with the same spec it answers with the SKU as it stands.
func (c *Client) CreateSKU(ctx context.Context, spec SKUSpec) (SKU, error) {
	return c.changeSKU(ctx, call{method: http.MethodPut, path: skuPath(spec.SKU, ""), body: spec})
}

// UpdateSKU changes what later orders of a SKU are accepted under.
func (c *Client) UpdateSKU(ctx context.Context, sku string, p SKUPatch) (SKU, error) {
	return c.changeSKU(ctx, call{method: http.MethodPatch, path: skuPath(sku, ""), body: p.fields()})
}

// AdjustSKU adds delta units to a SKU's stock, or takes them from what is available, under an idempotency key.
func (c *Client) AdjustSKU(ctx context.Context, key, sku string, delta int64, reason string) (SKU, error) {
	body := map[string]any{"delta": delta, "reason": reason}
	return c.changeSKU(ctx, call{method: http.MethodPost, path: skuPath(sku, "/adjustments"), key: key, body: body})
}

// Freeze stops the sale of a SKU.
func (c *Client) Freeze(ctx context.Context, sku string) (SKU, error) {
	return c.changeSKU(ctx, call{method: http.MethodPost, path: skuPath(sku, "/freeze")})
}

// Unfreeze resumes the sale of a SKU.
func (c *Client) Unfreeze(ctx context.Context, sku string) (SKU, error) {
	return c.changeSKU(ctx, call{method: http.MethodPost, path: skuPath(sku, "/unfreeze")})
}

// SKU returns a SKU as it stands.
func (c *Client) SKU(ctx context.Context, sku string) (SKU, error) {
	return c.changeSKU(ctx, call{method: http.MethodGet, path: skuPath(sku, "")})
}

// SKUs returns a page of SKUs in byte order of their names: up to limit of them (0: the server's default, 100; at most 1,000), from a
// cursor on ("" from the first).
func (c *Client) SKUs(ctx context.Context, cursor string, limit int) (SKUPage, error) {
	query := url.Values{}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	if limit != 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	path := "/v1/skus"
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	var page SKUPage
	_, err := c.do(ctx, call{method: http.MethodGet, base: c.admin, path: path}, &page)
	return page, err
}

// Ready asks the public listener (the admin listener when there is no other) whether the node can serve. A node that says no is not an
// error: Ready is false and the checks say which of them fail. What they found is told on the admin listener only.
func (c *Client) Ready(ctx context.Context) (Readiness, error) {
	var r Readiness
	_, err := c.do(ctx, call{method: http.MethodGet, base: c.anyBase(), path: "/readyz?verbose"}, &r)
	if p, ok := errors.AsType[*Problem](err); ok && p.Status == http.StatusServiceUnavailable && len(p.Checks) > 0 {
		return Readiness{Checks: p.Checks}, nil
	}
	return r, err
}

// Version returns the server's build.
func (c *Client) Version(ctx context.Context) (Version, error) {
	var v Version
	_, err := c.do(ctx, call{method: http.MethodGet, base: c.anyBase(), path: "/version"}, &v)
	return v, err
}

func (c *Client) changeSKU(ctx context.Context, k call) (SKU, error) {
	var s SKU
	k.base = c.admin
	_, err := c.do(ctx, k, &s)
	return s, err
}

func (c *Client) anyBase() string {
	if c.public == "" {
		return c.admin
	}
	return c.public
}

// fields returns the merge patch: only what is set, null for a time taken away.
func (p SKUPatch) fields() map[string]any {
	f := map[string]any{}
	put := func(name string, set bool, v any) {
		if set {
			f[name] = v
		}
	}
	put("hold_ttl_ms", p.HoldTTLMS != nil, p.HoldTTLMS)
	put("limit_per_user", p.LimitPerUser != nil, p.LimitPerUser)
	put("max_qty", p.MaxQty != nil, p.MaxQty)
	put("opens_at", p.OpensAt != nil || p.ClearOpensAt, p.OpensAt)
	put("closes_at", p.ClosesAt != nil || p.ClearClosesAt, p.ClosesAt)
	put("hot", p.Hot != nil, p.Hot)
	return f
}
