package api

import (
	"slices"
	"testing"

	"holdfast/internal/badinputtest"
)

func handlerCases() []badCase {
	return slices.Concat(bodyCases(), quantityCases(), headerCases(), pathCases(), methodCases(), callCases(), skuCases(), batchCases(), clusterCases())
}

// Every row of bad input that a handler sees gets its own status and code, the core is not even asked, a counter moves, and a good order succeeds
// afterwards.
func TestBadInput(t *testing.T) {
	s := newShop(t)
	s.sku("shoe", `{"stock":1000,"max_qty":5}`)
	var cases []badinputtest.Case
	for _, c := range handlerCases() {
		cases = append(cases, badinputtest.Case{ID: c.id, Do: func(t *testing.T, r badinputtest.Row) {
			if !c.admin {
				s.refuses(t, c, r, s.public)
			}
			if c.admin || c.both {
				s.refuses(t, c, r, s.admin)
			}
			if a := s.public(placing, orderText, "Idempotency-Key: after-"+c.id); a.status != 201 {
				t.Errorf("a good order afterwards: %d %s", a.status, a.body)
			}
		}})
	}
	badinputtest.Run(t, "api", cases)
}

func (s *shop) refuses(t *testing.T, c badCase, r badinputtest.Row, send func(call, body string, headers ...string) answer) {
	t.Helper()
	calls, hash, index := s.core.Calls(), s.core.Hash(), s.core.Index()
	problems, requests := s.counter("problems_total", "code", r.Code()), s.counter("requests_total")
	headers := c.headers
	if c.body == "" && r.Code() == "malformed_json" {
		headers = append([]string{"Content-Type: application/json"}, headers...)
	}
	a := send(c.call, c.body, headers...)
	if a.status != r.Status {
		t.Fatalf("status %d, want %d: %s", a.status, r.Status, a.body)
	}
	m := a.json(t)
	wantProblem(t, a, m, r.Code())
	named, _ := m["field"].(string)
	if r.Status == 405 {
		named = a.header.Get("Allow")
	}
	if named != r.Names() {
		t.Errorf("it names %q, want %q", named, r.Names())
	}
	if r.Code() == "invalid_value" && m["reason"] == "" {
		t.Errorf("no reason: %s", a.body)
	}
	if s.core.Calls() != calls || s.core.Hash() != hash || s.core.Index() != index {
		t.Error("the core was asked")
	}
	if r.Counted != "api_problems_total" || s.counter("problems_total", "code", r.Code()) != problems+1 || s.counter("requests_total") != requests+1 {
		t.Errorf("%s did not move", r.Counted)
	}
	if a.header.Get("Location") != "" {
		t.Error("a redirect")
	}
}

// A checker that lets everything pass is none: an order that is in order does not pass for bad input, and neither does another code.
func TestBadInputCheckerNotices(t *testing.T) {
	s := newShop(t)
	s.sku("shoe", `{"stock":5}`)
	for code, c := range map[string]badCase{"malformed_json": order("good", orderText), "unknown_field": order("bad", "[]")} {
		row := badinputtest.Row{Status: 400, Says: []string{code}, Counted: "api_problems_total"}
		var failed bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			probe := &testing.T{}
			defer func() { failed = probe.Failed() }()
			s.refuses(probe, c, row, s.public)
		}()
		<-done
		if !failed {
			t.Errorf("%s passes for %s", c.id, code)
		}
	}
}
