package api

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"holdfast/stock"
)

func skuRoutes() []route {
	return []route{
		command(http.MethodPut, "/v1/skus/{sku}", (*exchange).createSKU),
		command(http.MethodPatch, "/v1/skus/{sku}", (*exchange).updateSKU),
		at(http.MethodGet, "/v1/skus/{sku}", (*exchange).getSKU),
		at(http.MethodGet, "/v1/skus", (*exchange).listSKUs),
		command(http.MethodPost, "/v1/skus/{sku}/adjustments", (*exchange).adjustSKU),
		command(http.MethodPost, "/v1/skus/{sku}/freeze", func(x *exchange) *problem { return x.freezeSKU(true) }),
		command(http.MethodPost, "/v1/skus/{sku}/unfreeze", func(x *exchange) *problem { return x.freezeSKU(false) }),
	}
}

// createSKU answers PUT /v1/skus/{sku}: 201 when it was made, 200 when it was there and made alike.
func (x *exchange) createSKU() *problem {
	sku, body, p := x.skuAndBody(false)
	if p != nil {
		return p
	}
	spec, p := decodeCreate(body, sku)
	if p != nil {
		return p
	}
	out, p := x.change(sku, body, &stock.Create{Meta: x.unkeyed(), Spec: spec})
	if p != nil {
		return p
	}
	if out.Replayed {
		return x.answerSKU(http.StatusOK, &out)
	}
	return x.answerSKU(http.StatusCreated, &out)
}

// updateSKU answers PATCH /v1/skus/{sku}.
func (x *exchange) updateSKU() *problem {
	sku, body, p := x.skuAndBody(false)
	if p != nil {
		return p
	}
	patch, p := decodeUpdate(body)
	if p != nil {
		return p
	}
	out, p := x.change(sku, body, &stock.Update{Meta: x.unkeyed(), SKU: sku, Patch: patch})
	if p != nil {
		return p
	}
	return x.answerSKU(http.StatusOK, &out)
}

// adjustSKU answers POST /v1/skus/{sku}/adjustments.
func (x *exchange) adjustSKU() *problem {
	meta, p := x.keyed()
	if p != nil {
		return p
	}
	sku, body, p := x.skuAndBody(false)
	if p != nil {
		return p
	}
	delta, reason, p := decodeAdjust(body)
	if p != nil {
		return p
	}
	out, p := x.change(sku, body, &stock.Adjust{Meta: meta, SKU: sku, Delta: delta, Reason: reason})
	if p != nil {
		return p
	}
	x.markReplay(&out)
	return x.answerSKU(http.StatusOK, &out)
}

// freezeSKU answers POST /v1/skus/{sku}/freeze and /unfreeze.
func (x *exchange) freezeSKU(frozen bool) *problem {
	sku, body, p := x.skuAndBody(true)
	if p != nil {
		return p
	}
	if p := decodeNothing(body); p != nil {
		return p
	}
	out, p := x.change(sku, body, &stock.Freeze{Meta: x.unkeyed(), SKU: sku, Frozen: frozen})
	if p != nil {
		return p
	}
	return x.answerSKU(http.StatusOK, &out)
}

// getSKU answers GET /v1/skus/{sku}.
func (x *exchange) getSKU() *problem {
	sku, p := x.sku()
	if p != nil {
		return p
	}
	out := x.ask(&stock.GetSKU{SKU: sku})
	return x.answerSKU(http.StatusOK, &out)
}

// listSKUs answers GET /v1/skus. The cursor is the last name shown, encoded so that nobody builds one.
func (x *exchange) listSKUs() *problem {
	after, limit, p := pageOf(x.r.URL.RawQuery)
	if p != nil {
		return p
	}
	ctx, cancel := x.deadline()
	defer cancel()
	skus, more, err := x.s.cfg.Core.SKUs(ctx, after, limit)
	if err != nil {
		return x.listProblem(err, ctx.Err())
	}
	x.out = append(x.out, `{"skus":[`...)
	for i := range skus {
		if i > 0 {
			x.out = append(x.out, ',')
		}
		x.appendSKU(&skus[i])
	}
	x.out = append(x.out, ']')
	if more && len(skus) > 0 {
		x.out = textMember(x.out, "next_cursor", base64.RawURLEncoding.EncodeToString([]byte(skus[len(skus)-1].SKU)))
	}
	x.out = append(x.out, '}')
	x.json(http.StatusOK)
	return nil
}

// listProblem turns a failed listing, which changes nothing, into its problem.
func (x *exchange) listProblem(err, ended error) *problem {
	switch {
	case ended != nil:
		return &problem{code: stock.DeadlineExceeded}
	case errors.Is(err, stock.ErrNotExecuted):
		return &problem{code: stock.NoLeader}
	}
	x.s.cfg.Logger.Error("list SKUs", "request_id", x.id, "error", err)
	return &problem{code: stock.Internal}
}

// The SKUs on a page of the list.
const (
	defaultPage = 100
	maxPage     = 1000
)

func pageOf(rawQuery string) (after string, limit int, p *problem) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return "", 0, invalid("query", "is malformed")
	}
	limit = defaultPage
	if values, ok := query["limit"]; ok {
		n, err := strconv.ParseUint(values[0], 10, 16)
		if err != nil || n < 1 || n > maxPage || len(values) > 1 {
			return "", 0, invalid("limit", "must be 1 to 1000, once")
		}
		limit = int(n)
	}
	if cursor := query.Get("cursor"); cursor != "" {
		name, err := base64.RawURLEncoding.DecodeString(cursor)
		if err != nil || len(query["cursor"]) > 1 || stock.CheckSKU(string(name)) != "" {
			return "", 0, invalid("cursor", "is not one that was given out")
		}
		after = string(name)
	}
	return after, limit, nil
}

func (x *exchange) skuAndBody(empty bool) (sku string, body []byte, p *problem) {
	if sku, p = x.sku(); p != nil {
		return "", nil, p
	}
	body, p = x.body(x.s.cfg.MaxBodyBytes, empty)
	return sku, body, p
}

// answerSKU answers with the outcome's SKU.
func (x *exchange) answerSKU(status int, out *stock.Outcome) *problem {
	if p := refusal(out); p != nil {
		return p
	}
	if out.SKU == nil {
		return &problem{code: stock.Internal}
	}
	x.appendSKU(out.SKU)
	x.json(status)
	return nil
}

func (x *exchange) appendSKU(k *stock.SKU) {
	shard, leader := x.s.cfg.Core.Locate(k.SKU)
	x.out = appendSKU(x.out, k, shard, leader)
}
