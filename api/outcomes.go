package api

import (
	"net/http"

	"holdfast/stock"
)

// outcome answers GET /v1/skus/{sku}/outcomes/{key}. It waits while the key is undecided.
func (x *exchange) outcome() *problem {
	sku, key, p := x.skuAndKey()
	if p != nil {
		return p
	}
	out := x.ask(&stock.GetOutcome{SKU: sku, Caller: x.caller(), Key: key})
	return x.answerOutcome(&out)
}

// fence answers POST /v1/skus/{sku}/outcomes/{key}/fence.
func (x *exchange) fence() *problem {
	sku, key, p := x.skuAndKey()
	if p != nil {
		return p
	}
	body, p := x.body(x.s.cfg.MaxBodyBytes, true)
	if p != nil {
		return p
	}
	if p := decodeNothing(body); p != nil {
		return p
	}
	out := x.ask(&stock.Fence{Meta: stock.Meta{Caller: x.caller(), Key: key}, SKU: sku})
	return x.answerOutcome(&out)
}

func (x *exchange) skuAndKey() (sku, key string, p *problem) {
	if sku, p = x.sku(); p != nil {
		return "", "", p
	}
	key = x.args[1]
	if reason := stock.CheckKey(key); reason != "" {
		return "", "", fieldProblem(codeOfKey, "key", reason)
	}
	return sku, key, nil
}

// sku returns the SKU that the path names.
func (x *exchange) sku() (string, *problem) {
	if reason := stock.CheckSKU(x.args[0]); reason != "" {
		return "", invalid("sku", reason)
	}
	return x.args[0], nil
}

// answerOutcome answers what became of a key.
func (x *exchange) answerOutcome(out *stock.Outcome) *problem {
	switch p := refusal(out); {
	case p != nil:
		return p
	case out.Code == stock.OutcomeFenced:
		x.out = append(x.out, `{"outcome":"fenced"}`...)
	case out.Order == nil:
		return &problem{code: stock.Internal}
	default:
		x.out = append(x.out, `{"outcome":"accepted","order":`...)
		x.out = appendOrder(x.out, out.Order)
		x.out = append(x.out, '}')
	}
	x.json(http.StatusOK)
	return nil
}
