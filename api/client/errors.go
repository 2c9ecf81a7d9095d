package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

var (
	// ErrAddr is returned by New when an address is not an http or https URL with a host, and by a call whose listener has no address.
	ErrAddr = errors.New("client: address")
	// ErrNotHoldfast is the cause of a NoAnswer whose reply was not Holdfast's JSON.
	ErrNotHoldfast = errors.New("client: the reply is not one of Holdfast's")
)

// Problem is an answer that is not an acceptance: a refusal, a fault in the request, or a server that could not decide. Members that the
// code does not have are zero.
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	Code      string `json:"code"`
	Retryable bool   `json:"retryable"`
	RequestID string `json:"request_id,omitempty"`

	// Field and Reason say which value was wrong, and why.
	Field  string `json:"field,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Differs names the fields in which the request differs from the one remembered.
	Differs        []string   `json:"differs,omitempty"`
	OpensAt        *time.Time `json:"opens_at,omitempty"`
	ClosesAt       *time.Time `json:"closes_at,omitempty"`
	ExpiredAt      *time.Time `json:"expired_at,omitempty"`
	NextReleaseAt  *time.Time `json:"next_release_at,omitempty"`
	Available      int64      `json:"available,omitempty"`
	Held           int64      `json:"held,omitempty"`
	Limit          int64      `json:"limit,omitempty"`
	Used           int64      `json:"used,omitempty"`
	MaxQty         int64      `json:"max_qty,omitempty"`
	LimitBytes     int64      `json:"limit_bytes,omitempty"`
	State          string     `json:"state,omitempty"`
	Returnable     int64      `json:"returnable,omitempty"`
	FirstPaymentID string     `json:"first_payment_id,omitempty"`
	Bound          string     `json:"bound,omitempty"`
	// Checks are the lines of readiness, from Ready.
	Checks []Check `json:"checks,omitempty"`

	// RetryAfter is the header of that name, 0 when there was none.
	RetryAfter time.Duration `json:"-"`
}

// Error returns the code, the status, the detail and the members that say more, but no payment id.
func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	if more := p.members(); more != "" {
		text += " (" + more + ")"
	}
	return fmt.Sprintf("%s (%d): %s", p.Code, p.Status, text)
}

// members are those that the code has, in words.
func (p *Problem) members() string {
	var all []string
	add := func(there bool, name string, value any) {
		if there {
			all = append(all, fmt.Sprintf("%s %v", name, value))
		}
	}
	at := func(name string, t *time.Time) {
		if t != nil {
			add(true, name, t.UTC().Format("2006-01-02T15:04:05.000Z"))
		}
	}
	switch {
	case p.Field != "" && p.Reason != "":
		all = append(all, p.Field+" "+p.Reason)
	case p.Field != "":
		all = append(all, p.Field)
	}
	add(len(p.Differs) > 0, "differs:", strings.Join(p.Differs, ", "))
	at("opens_at", p.OpensAt)
	at("closes_at", p.ClosesAt)
	at("expired_at", p.ExpiredAt)
	add(p.Code == "insufficient_stock" || p.Available > 0, "available", p.Available)
	add(p.Held > 0, "held", p.Held)
	at("next_release_at", p.NextReleaseAt)
	add(p.Limit > 0, "limit", p.Limit)
	add(p.Code == "limit_exceeded" || p.Used > 0, "used", p.Used)
	add(p.MaxQty > 0, "max_qty", p.MaxQty)
	add(p.LimitBytes > 0, "limit_bytes", p.LimitBytes)
	add(p.State != "", "state", p.State)
	add(p.Returnable > 0, "returnable", p.Returnable)
	add(p.Bound != "", "bound", p.Bound)
	return strings.Join(all, "; ")
}

// NoAnswer is the error of a call that got no answer.
type NoAnswer struct {
	// Sent: the request may have reached the server, so it may have happened.
	Sent bool
	// Err is why there was no answer; after several attempts, why the last had none.
	Err error
}

// Error says whether the request may have happened, and why there was no answer.
func (e *NoAnswer) Error() string {
	if e.Sent {
		return "client: outcome unknown: " + e.Err.Error()
	}
	return "client: not sent: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *NoAnswer) Unwrap() error { return e.Err }

// IsRefused reports whether the server answered and decided against the request. Nothing was executed.
func IsRefused(err error) bool {
	if _, ok := errors.AsType[*NoAnswer](err); ok {
		return false
	}
	p, ok := errors.AsType[*Problem](err)
	return ok && p.Status >= 400 && p.Status < 500
}

// IsNotExecuted reports whether nothing happened and nothing will: a refusal, a 503, or a request that never left.
func IsNotExecuted(err error) bool {
	if e, ok := errors.AsType[*NoAnswer](err); ok {
		return !e.Sent
	}
	p, ok := errors.AsType[*Problem](err)
	return ok && (p.Status < 500 || p.Status == http.StatusServiceUnavailable)
}

// IsUnknown reports whether the request may have happened. Asking again with the same key makes it definite.
func IsUnknown(err error) bool {
	if e, ok := errors.AsType[*NoAnswer](err); ok {
		return e.Sent
	}
	p, ok := errors.AsType[*Problem](err)
	return ok && p.Status >= 500 && p.Status != http.StatusServiceUnavailable
}

// IsUnreachable reports whether no connection to the server could be made.
func IsUnreachable(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// CodeOf returns the problem code of an error, "" when it has none.
func CodeOf(err error) string {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.Code
	}
	return ""
}

// speaksTLS is what a listener of Holdfast's with a certificate says to a request without TLS, which it has not read.
const speaksTLS = "this listener speaks TLS, use https"

// problemOf reads a problem; what has no code is not Holdfast's and so no answer.
func problemOf(status int, header http.Header, body []byte) error {
	p := &Problem{}
	if err := json.Unmarshal(body, p); err != nil || p.Code == "" {
		if status == http.StatusBadRequest && strings.Contains(string(body), speaksTLS) {
			return &NoAnswer{Err: fmt.Errorf("client: %s", speaksTLS)}
		}
		return &NoAnswer{Sent: true, Err: fmt.Errorf("%w: status %d", ErrNotHoldfast, status)}
	}
	p.Status = status
	p.RetryAfter = retryAfter(header)
	return p
}
