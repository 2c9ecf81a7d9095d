package api

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast/stock"
)

// sink is a response that goes nowhere.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(int)             {}

// SetReadDeadline is what a connection would be asked for.
func (s *sink) SetReadDeadline(time.Time) error { return nil }

// again is a body that is read again and again.
type again struct{ bytes.Reader }

func (*again) Close() error { return nil }

// answering is a core that gives one answer.
func answering(out stock.Outcome) func(context.Context, stock.Request) stock.Outcome {
	return func(context.Context, stock.Request) stock.Outcome { return out }
}

// BenchmarkHandler is the work of one order in this package, connection apart.
func BenchmarkHandler(b *testing.B) {
	body := []byte(`{"sku":"shoe-42-black","user":"user-000123"}`)
	accepted := stock.Outcome{Code: stock.OK, Order: &stock.Order{SKU: "shoe-42-black", User: "user-000123", Qty: 1, State: stock.StateHeld,
		Mode: stock.ModeHold, ID: stock.OrderID{Partition: 7, SKU: 3, Counter: 123456}, CreatedAt: stock.TimeOf(noon), UpdatedAt: stock.TimeOf(noon),
		ExpiresAt: stock.TimeOf(noon) + 600_000, Version: 99}}
	for name, out := range map[string]stock.Outcome{"accepted": accepted, "refused": {Code: stock.SoldOut}} {
		b.Run("outcome="+name, func(b *testing.B) {
			s := newShop(b)
			s.core.Before = answering(out)
			r, err := http.NewRequest(http.MethodPost, "/v1/orders", nil)
			if err != nil {
				b.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Idempotency-Key", "k-000123")
			r.ContentLength = int64(len(body))
			from := &again{}
			r.Body = from
			w := &sink{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				from.Reset(body)
				clear(w.header)
				s.server.Public().ServeHTTP(w, r)
			}
		})
	}
}

// BenchmarkBatchHandler is the same for an order among a hundred.
func BenchmarkBatchHandler(b *testing.B) {
	const items = 100
	const item = `{"key":"k-000123","sku":"shoe-42-black","user":"user-000123"}`
	body := []byte(`{"orders":[` + strings.Repeat(item+",", items-1) + item + `]}`)
	s := newShop(b)
	s.core.Before = answering(stock.Outcome{Code: stock.SoldOut})
	r, err := http.NewRequest(http.MethodPost, "/v1/orders:batch", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.ContentLength = int64(len(body))
	from := &again{}
	r.Body = from
	w := &sink{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		from.Reset(body)
		clear(w.header)
		s.server.Public().ServeHTTP(w, r)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/items, "ns/order")
}
