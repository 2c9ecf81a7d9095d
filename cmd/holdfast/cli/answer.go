package cli

import (
	"time"

	"holdfast/api/client"
)

// stamp is a time as the API writes it: UTC, with three decimals also where they are zeros.
type stamp time.Time

// MarshalText implements encoding.TextMarshaler.
func (s stamp) MarshalText() ([]byte, error) { return []byte(showTime((*time.Time)(&s))), nil }

// orderAnswer is an order as the API answers it.
type orderAnswer struct {
	client.Order
	ExpiresAt *stamp `json:"expires_at,omitempty"`
	CreatedAt stamp  `json:"created_at"`
	UpdatedAt stamp  `json:"updated_at"`
}

func answerOf(o client.Order) orderAnswer {
	return orderAnswer{Order: o, ExpiresAt: (*stamp)(o.ExpiresAt), CreatedAt: stamp(o.CreatedAt), UpdatedAt: stamp(o.UpdatedAt)}
}

// outcomeAnswer is what became of a key, as the API answers it.
type outcomeAnswer struct {
	Outcome string       `json:"outcome"`
	Order   *orderAnswer `json:"order,omitempty"`
}

// skuAnswer is a SKU as the API answers it.
type skuAnswer struct {
	client.SKU
	OpensAt  *stamp `json:"opens_at"`
	ClosesAt *stamp `json:"closes_at"`
}

func skuAnswerOf(s client.SKU) skuAnswer {
	return skuAnswer{SKU: s, OpensAt: (*stamp)(s.OpensAt), ClosesAt: (*stamp)(s.ClosesAt)}
}

// skuPageAnswer is one page of SKUs, as the API answers it.
type skuPageAnswer struct {
	SKUs       []skuAnswer `json:"skus"`
	NextCursor string      `json:"next_cursor,omitempty"`
}

func skuPageAnswerOf(p client.SKUPage) skuPageAnswer {
	page := skuPageAnswer{SKUs: []skuAnswer{}, NextCursor: p.NextCursor}
	for _, s := range p.SKUs {
		page.SKUs = append(page.SKUs, skuAnswerOf(s))
	}
	return page
}
