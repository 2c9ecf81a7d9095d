package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/api/client"
)

// script answers one attempt after the other.
type script struct {
	t     *testing.T
	steps []step
	// sent are the attempts as they came: whether they were marked, when, and how long the server was given.
	marked  []bool
	at      []time.Duration
	timeout []string
	began   time.Time
}

// step is an answer: a status with a problem code (or an order for 201), or an error of the connection.
type step struct {
	status     int
	code       string
	retryAfter int
	err        error
	body       string
	hang       bool
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	if len(s.sent()) >= len(s.steps) {
		s.t.Errorf("attempt %d was not expected", len(s.sent())+1)
		return nil, io.EOF
	}
	next := s.steps[len(s.sent())]
	s.marked = append(s.marked, r.Header.Get("Idempotency-Retry") == "true")
	s.at = append(s.at, time.Since(s.began))
	s.timeout = append(s.timeout, r.Header.Get("Request-Timeout-Ms"))
	if got := map[string][]string(r.Header)["idempotency-key"]; len(got) != 1 || got[0] != "k" {
		s.t.Errorf("key %q", got)
	}
	if next.hang {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if next.err != nil {
		return nil, next.err
	}
	body := next.body
	if next.status == 201 {
		body = `{"id":"1"}`
	} else if next.code != "" {
		body = `{"code":"` + next.code + `","status":` + strconv.Itoa(next.status) + `}`
	}
	h := http.Header{}
	if next.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(next.retryAfter))
	}
	return &http.Response{StatusCode: next.status, Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func (s *script) sent() []bool { return s.marked }

var (
	notSent = &net.OpError{Op: "dial", Err: errors.New("refused")}
	broken  = &net.OpError{Op: "read", Err: errors.New("reset")}
	fine    = step{status: 201}
)

func TestUntilKnown(t *testing.T) {
	for _, row := range []struct {
		name  string
		steps []step
		// marks are the attempts that say a copy may be under way.
		marks string
		code  string
		// is what the error is: ok, refused, not executed, unknown.
		is string
	}{
		{"at once", []step{fine}, "-", "", "ok"},
		{"a refusal is final", []step{{status: 409, code: "sold_out"}}, "-", "sold_out", "refused"},
		{"a fault in the request is final", []step{{status: 400, code: "invalid_value"}}, "-", "invalid_value", "refused"},
		{"503 was not executed", []step{{status: 503, code: "overloaded"}, fine}, "--", "", "ok"},
		{"nobody listens", []step{{err: notSent}, {err: notSent}, fine}, "---", "", "ok"},
		{"a lost answer is a doubt", []step{{err: broken}, fine}, "-+", "", "ok"},
		{"504 is a doubt", []step{{status: 504, code: "outcome_unknown"}, {status: 409, code: "sold_out"}}, "-+", "sold_out", "refused"},
		{"500 is a doubt", []step{{status: 500, code: "internal"}, {status: 423, code: "frozen"}}, "-+", "frozen", "refused"},
		{"the doubt stays", []step{{err: broken}, {status: 503, code: "no_leader"}, {err: notSent}, fine}, "-+++", "", "ok"},
		{"a refusal in doubt", []step{{err: broken}, {status: 403, code: "ended"}}, "-+", "ended", "refused"},
		{"a refusal before the key was looked at", []step{{err: broken}, {status: 401, code: "unauthenticated"}}, "-+", "unauthenticated", "unknown"},
		{"an old server's answer", []step{{err: broken}, {status: 404, code: "route_not_found"}}, "-+", "route_not_found", "unknown"},
		{"no Holdfast", []step{{status: 502, body: "<html>"}, fine}, "-+", "", "ok"},
		{"nothing but 503", []step{{status: 503, code: "draining"}, {status: 503, code: "draining"}, {status: 503, code: "draining"},
			{status: 503, code: "draining"}}, "----", "draining", "not executed"},
		{"503 after a doubt", []step{{err: broken}, {status: 503, code: "draining"}, {status: 503, code: "draining"},
			{status: 503, code: "draining"}}, "-+++", "draining", "unknown"},
		{"nothing but silence", []step{{err: broken}, {err: broken}, {err: broken}, {err: broken}}, "-+++", "", "unknown"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{t: t, steps: row.steps, began: time.Now()}
				c, err := client.New(client.Config{Addr: "http://h", HTTP: &http.Client{Transport: s}, Retry: client.Policy{Attempts: 4}})
				if err != nil {
					t.Fatal(err)
				}
				p, err := c.PlaceOrderUntilKnown(t.Context(), "k", client.NewOrder{})
				if got := verdict(t, err); got != row.is || client.CodeOf(err) != row.code {
					t.Errorf("%s: %v, want %s %s", got, err, row.is, row.code)
				}
				if got := marks(s.marked); got != row.marks || p.Attempts != len(row.marks) {
					t.Errorf("attempts %s (%d), want %s", got, p.Attempts, row.marks)
				}
			})
		})
	}
}

// verdict names what the three questions say, which must not contradict each other.
func verdict(t *testing.T, err error) string {
	t.Helper()
	if client.IsUnknown(err) && client.IsNotExecuted(err) || client.IsRefused(err) && !client.IsNotExecuted(err) {
		t.Errorf("%v is everything at once", err)
	}
	switch {
	case err == nil:
		return "ok"
	case client.IsRefused(err):
		return "refused"
	case client.IsNotExecuted(err):
		return "not executed"
	case client.IsUnknown(err):
		return "unknown"
	}
	return "nothing"
}

func marks(marked []bool) string {
	var b strings.Builder
	for _, m := range marked {
		if m {
			b.WriteByte('+')
		} else {
			b.WriteByte('-')
		}
	}
	return b.String()
}

// A call that was not asked to repeat is sent once, whatever comes back.
func TestOnce(t *testing.T) {
	for _, first := range []step{{status: 503, code: "overloaded"}, {status: 504, code: "outcome_unknown"}, {err: broken}, {err: notSent}} {
		s := &script{t: t, steps: []step{first}}
		c, err := client.New(client.Config{Addr: "http://h", HTTP: &http.Client{Transport: s}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.PlaceOrder(t.Context(), "k", client.NewOrder{}); err == nil || len(s.marked) != 1 {
			t.Errorf("%+v: %v after %d attempts", first, err, len(s.marked))
		}
	}
}

func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := step{status: 503, code: "overloaded"}
		s := &script{t: t, began: time.Now(), steps: []step{busy, busy, busy, {status: 503, code: "overloaded", retryAfter: 2},
			{status: 503, code: "overloaded", retryAfter: 60}, {hang: true}, fine}}
		c, err := client.New(client.Config{Addr: "http://h", HTTP: &http.Client{Transport: s}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c = c.Retrying(client.Policy{Backoff: 100 * time.Millisecond, MaxBackoff: 3 * time.Second, AttemptTimeout: 4 * time.Second,
			Random: func() float64 { return 0 }})
		if _, err := c.PlaceOrder(ctx, "k", client.NewOrder{}); err != nil {
			t.Fatal(err)
		}
		ms := time.Millisecond
		want := []time.Duration{0, 50 * ms, 150 * ms, 350 * ms, 2350 * ms, 5350 * ms, 10850 * ms}
		for i := range want {
			if i >= len(s.at) || s.at[i] != want[i] {
				t.Fatalf("attempts at %v, want %v", s.at, want)
			}
		}
		if s.timeout[0] != "3900" {
			t.Errorf("the server was given %q ms of 4 s", s.timeout[0])
		}
	})
}

// The context ends the attempts, and the error still says what is known.
func TestContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{t: t, began: time.Now(), steps: []step{{hang: true}}}
		c, err := client.New(client.Config{Addr: "http://h", HTTP: &http.Client{Transport: s}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err = c.PlaceOrderUntilKnown(ctx, "k", client.NewOrder{})
		if !errors.Is(err, context.DeadlineExceeded) || len(s.marked) != 1 || s.timeout[0] != "270" {
			t.Errorf("%v after %d attempts, %v", err, len(s.marked), s.timeout)
		}
		// A context without a deadline gets the client's.
		s.steps = append(s.steps, step{hang: true})
		began := time.Now()
		if _, err := c.PlaceOrder(t.Context(), "k", client.NewOrder{}); !errors.Is(err, context.DeadlineExceeded) ||
			time.Since(began) != client.DefaultTimeout {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
