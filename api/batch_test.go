package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"holdfast/stock"
)

// Each item is decided by itself, in order; a value out of range is that item's own fault.
func TestBatch(t *testing.T) {
	s := newShop(t)
	s.sku("shoe", `{"stock":2}`)
	first := s.public(placing, `{"sku":"shoe","user":"ann"}`, "Idempotency-Key: k0")
	a := s.public(batching, `{"orders":[
		{"key":"k0","sku":"shoe","user":"ann"},
		{"key":"k1","sku":"shoe","user":"bob","qty":0},
		{"key":"k2","sku":"shoe","user":"bob","client_ref":"r"},
		{"key":"a b","sku":"shoe","user":"bob"},
		{"key":"k3","sku":"","user":"bob"},
		{"key":"k4","sku":"cup","user":"bob"},
		{"key":"k5","sku":"shoe","user":"eve"},
		{"key":"k2","sku":"shoe","user":"bob","client_ref":"r"},
		{"key":"k2","sku":"shoe","user":"bob","qty":2},
		{"key":"k6","sku":"shoe","user":"eve","qty":9223372036854775808}]}`)
	s.want(a, 200, "")
	var out struct {
		Results []struct {
			Status   int
			Order    json.RawMessage
			Replayed bool
			Problem  map[string]any
		}
	}
	if err := json.Unmarshal([]byte(a.body), &out); err != nil {
		t.Fatal(err)
	}
	want := []string{"201 replayed", "400 invalid_value", "201", "400 idempotency_key_invalid", "400 invalid_value", "404 sku_not_found",
		"409 sold_out_pending", "201 replayed", "422 idempotency_key_reused", "400 invalid_value"}
	for i, r := range out.Results {
		got := fmt.Sprint(r.Status)
		if r.Replayed {
			got += " replayed"
		}
		if r.Problem != nil {
			got += " " + r.Problem["code"].(string)
		}
		if i >= len(want) || got != want[i] {
			t.Errorf("item %d: %s %v", i, got, r.Problem)
		}
	}
	if len(out.Results) != len(want) {
		t.Fatalf("%d results", len(out.Results))
	}
	if string(out.Results[0].Order) != first.body || string(out.Results[7].Order) != string(out.Results[2].Order) {
		t.Errorf("a stored answer has other bytes: %s", a.body)
	}
	if out.Results[1].Problem["field"] != "qty" || out.Results[4].Problem["field"] != "sku" || out.Results[3].Problem["field"] != "key" {
		t.Errorf("fields: %s", a.body)
	}
	if s.counter("problems_total", "code", "invalid_value") != 3 {
		t.Error("items are not counted")
	}
	if a.header.Get("Server-Timing") == "" {
		t.Error("no Server-Timing")
	}
}

func TestLargestBatch(t *testing.T) {
	s := newShop(t)
	s.sku("shoe", `{"stock":100}`)
	items := make([]string, DefaultMaxBatchItems)
	for i := range items {
		items[i] = fmt.Sprintf(`{"key":"k%d","sku":"shoe","user":"u%d"}`, i, i)
	}
	a := s.public(batching, `{"orders":[`+strings.Join(items, ",")+`]}`)
	s.want(a, 200, "")
	if got := strings.Count(a.body, `"status":201`); got != 100 {
		t.Errorf("%d accepted", got)
	}
	if got := strings.Count(a.body, `"code":"sold_out_pending"`); got != len(items)-100 {
		t.Errorf("%d refused", got)
	}
}

// A core that loses answers is a fault of ours: every item without one is internal, never accepted, never silently missing.
func TestBatchWithoutAnswers(t *testing.T) {
	s := newShop(t, func(c *Config) { c.Core = forgetful{c.Core} })
	a := s.public(batching, `{"orders":[{"key":"a","sku":"s","user":"u"},{"key":"b","sku":"s","user":"u"}]}`)
	if a.status != 200 || strings.Count(a.body, `"code":"internal"`) != 2 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// The mark of a call that may have a copy under way reaches every command with a caller's key.
func TestIdempotencyRetry(t *testing.T) {
	s := newShop(t)
	s.sku("shoe", `{"stock":5}`)
	for _, value := range []string{"true", "false", ""} {
		var got []*stock.Meta
		s.core.Before = watch(&got)
		headers := []string{"Idempotency-Key: k" + value, "Idempotency-Retry: " + value}
		id := s.public(placing, `{"sku":"shoe","user":"u"}`, headers...).json(t)["id"].(string)
		s.public(batching, `{"orders":[{"key":"b","sku":"shoe","user":"u"}]}`, headers...)
		s.public("POST /v1/orders/"+id+"/return", "{}", headers...)
		s.admin("POST /v1/skus/shoe/adjustments", `{"delta":1,"reason":""}`, headers...)
		if len(got) != 4 {
			t.Fatalf("%d commands", len(got))
		}
		for _, m := range got {
			if m.Retry != (value == "true") {
				t.Errorf("Idempotency-Retry %q: %+v", value, m)
			}
		}
	}
}
