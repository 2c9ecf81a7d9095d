package http

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"unicode/utf8"

	"holdfast/bench/sale"
	"holdfast/stock"
)

// maxBatch is the most orders of one call.
const maxBatch = 8192

// scratch is what a call writes into and reads from.
type scratch struct {
	out []byte
	in  bytes.Buffer
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// Place sends orders to the next address: one alone, several as a batch.
func (t *Target) Place(ctx context.Context, orders []sale.Order, answers []sale.Answer) {
	d := t.doors[t.next.Add(1)%uint64(len(t.doors))]
	for len(orders) > 0 {
		n := min(len(orders), maxBatch)
		if n == 1 {
			t.placeOne(ctx, d, &orders[0], &answers[0])
		} else {
			t.placeBatch(ctx, d, orders[:n], answers[:n])
		}
		t.note(orders[:n], answers[:n])
		orders, answers = orders[n:], answers[n:]
	}
}

func (t *Target) placeOne(ctx context.Context, d *door, o *sale.Order, a *sale.Answer) {
	s := scratches.Get().(*scratch)
	s.out = appendOrder(s.out[:0], o, false)
	status, err := d.post(ctx, ordersPath, o.Key, s.out, &s.in)
	if err != nil {
		*a = failed(err) // The transport may still read the body.
		return
	}
	item := result{status: status}
	if err := item.read(s.in.Bytes()); err != nil {
		*a = sale.Answer{Verdict: sale.Unknown, Reason: "unreadable"}
	} else {
		*a = item.answer()
	}
	scratches.Put(s)
}

func (t *Target) placeBatch(ctx context.Context, d *door, orders []sale.Order, answers []sale.Answer) {
	s := scratches.Get().(*scratch)
	s.out = append(s.out[:0], `{"orders":[`...)
	for i := range orders {
		if i > 0 {
			s.out = append(s.out, ',')
		}
		s.out = appendOrder(s.out, &orders[i], true)
	}
	s.out = append(s.out, `]}`...)
	status, err := d.post(ctx, batchPath, "", s.out, &s.in)
	if err != nil {
		fill(answers, failed(err))
		return
	}
	if status != http.StatusOK {
		whole := result{status: status}
		a := sale.Answer{Verdict: sale.Unknown, Reason: "unreadable"}
		if whole.read(s.in.Bytes()) == nil {
			a = whole.answer()
		}
		fill(answers, a)
	} else if err := readBatch(s.in.Bytes(), answers); err != nil {
		fill(answers, sale.Answer{Verdict: sale.Unknown, Reason: "unreadable"})
	}
	scratches.Put(s)
}

// failed says what an error means: nothing was decided, or nobody knows.
func failed(err error) sale.Answer {
	if errors.Is(err, errUnsent) {
		return sale.Answer{Verdict: sale.Failed, Reason: "not_sent"}
	}
	return sale.Answer{Verdict: sale.Unknown, Reason: "no_answer"}
}

func fill(answers []sale.Answer, a sale.Answer) {
	for i := range answers {
		answers[i] = a
	}
}

func appendOrder(b []byte, o *sale.Order, keyed bool) []byte {
	b = append(b, '{')
	if keyed {
		b = append(appendText(append(b, `"key":`...), o.Key), ',')
	}
	b = appendText(append(b, `"sku":`...), o.SKU)
	b = appendText(append(b, `,"user":`...), o.User)
	b = strconv.AppendInt(append(b, `,"qty":`...), o.Qty, 10)
	return append(b, '}')
}

// appendText writes a JSON string.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, err := json.Marshal(s)
			if err != nil { // never, for a string
				return append(b, `""`...)
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// lastOrder is a SKU's place in orders' ids, and the highest number that an answer named.
type lastOrder struct {
	mu    sync.Mutex // guards what follows
	order stock.OrderID
}

// note remembers the ids of orders.
func (t *Target) note(orders []sale.Order, answers []sale.Answer) {
	var highest stock.OrderID
	sku := ""
	for i := range answers {
		if answers[i].ID == "" {
			continue
		}
		if orders[i].SKU != sku {
			t.raise(sku, highest)
			sku, highest = orders[i].SKU, stock.OrderID{}
		}
		if id, known := stock.ParseOrderID(answers[i].ID); known && id.Counter > highest.Counter {
			highest = id
		}
	}
	t.raise(sku, highest)
}

func (t *Target) raise(sku string, id stock.OrderID) {
	if id.Counter == 0 {
		return
	}
	v, known := t.last.Load(sku)
	if !known {
		v, _ = t.last.LoadOrStore(sku, &lastOrder{})
	}
	l := v.(*lastOrder)
	l.mu.Lock()
	defer l.mu.Unlock()
	if id.Counter > l.order.Counter {
		l.order = id
	}
}
