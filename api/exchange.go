package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"holdfast/api/access"
	"holdfast/stock"
)

// exchange is one request and its answer. It is used again for another once it has ended, so nothing may keep it.
type exchange struct {
	s       *Server
	rt      *router
	w       http.ResponseWriter
	r       *http.Request
	args    [2]string
	id      string
	timeout time.Duration
	// counted is the route as metrics and log know it.
	counted *routeMetrics
	// trace is made by traced.
	trace traceContext
	// start is when the head was there, asked and answered when the core was given the request and gave its outcome.
	start, asked, answered time.Time
	status, sent           int
	// in holds the body, out the answer; claimed is what the body takes of the memory for all bodies.
	in, out []byte
	claimed int64
	// who calls; the zero Caller without keys.
	who access.Caller
	// audited: the answer goes into the audit log, with the SKU (subject) and the change asked for; code is the problem's, "" for an acceptance.
	audited       bool
	subject, code string
	changed       json.RawMessage
	// bound and cause are the problem's, for the log; of a batch's items, failed were not executed and unknown may have been. handed: a handler that
	// is not ours answered, in its own time.
	bound                  string
	cause                  stock.Code
	items, failed, unknown int
	handed                 bool
	// cut: the answer broke off in the middle.
	cut bool
}

var exchanges = sync.Pool{New: func() any { return &exchange{} }}

// ServeHTTP answers one request.
func (rt *router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := rt.server
	x := exchanges.Get().(*exchange)
	*x = exchange{s: s, rt: rt, w: w, r: r, counted: rt.none, start: s.cfg.Now(), in: x.in[:0], out: x.out[:0]}
	s.metrics.inFlight.Inc()
	defer func() {
		if fault := recover(); fault != nil {
			x.recovered(fault)
		}
		cut := x.cut
		x.end()
		if cut {
			panic(http.ErrAbortHandler) // net/http ends the connection, so that nobody takes what there is of the answer for all of it
		}
	}()
	x.id = requestID(r)
	w.Header()["X-Request-Id"] = []string{x.id}
	route, p := rt.find(r, &x.args)
	if route != nil {
		x.counted = route.metrics
	}
	refused := rt.authorise(x, route)
	if r.ContentLength != 0 {
		x.readUntil(time.Now().Add(s.patience(route, refused == nil)))
	}
	if refused != nil {
		p = refused
	} else if p == nil {
		x.audited = rt.admin && route.command && s.cfg.Audit != nil
		p = x.run(route)
	}
	if p != nil {
		x.problem(p)
	}
}

// patience is how long a body may take to arrive. One that nobody reads may take only as long as its caller needs to see the answer: net/http waits
// for it, and meanwhile the connection gives way to nobody.
func (s *Server) patience(route *route, admitted bool) time.Duration {
	if route != nil && route.command && admitted {
		return s.cfg.BodyTimeout
	}
	return min(lingerTimeout, s.cfg.BodyTimeout)
}

// run gives the request to its route when its headers are in order and the node takes it.
func (x *exchange) run(route *route) (p *problem) {
	if route.command && x.s.draining.Load() {
		return &problem{code: stock.Draining, closes: true}
	}
	if x.timeout, p = requestTimeout(x.r.Header, x.s.cfg.DefaultTimeout); p != nil {
		return p
	}
	return route.answer(x)
}

// recovered answers a request that ran into a fault of ours, unless an answer has begun. Only what kind of fault it was is logged, since its text may
// hold what the caller sent; the stack says where it was.
func (x *exchange) recovered(fault any) {
	x.s.metrics.panics.Inc()
	if _, ok := x.s.requests.grave.take(x.s.cfg.Now()); ok {
		x.note(slog.LevelError, "panic while answering", faultText(fault), slog.String("stack", string(debug.Stack())))
	}
	if x.status == 0 {
		x.problem(&problem{code: stock.Internal, closes: true})
	}
}

// faultText tells the faults of the language from those that have a text of their own.
func faultText(fault any) slog.Attr {
	if err, ok := fault.(runtime.Error); ok {
		return slog.String("fault", err.Error())
	}
	return slog.String("fault", fmt.Sprintf("%T", fault))
}

func (x *exchange) end() {
	m := x.s.metrics
	m.inFlight.Dec()
	if x.status != 0 {
		now := x.s.cfg.Now()
		x.counted.answered(x.status, now.Sub(x.start).Seconds())
		x.s.requests.answered(x, now)
		if x.s.cfg.Tracer != nil {
			x.export(now)
		}
	}
	m.sent.Add(float64(x.sent))
	if x.claimed > 0 {
		x.s.bodyMemory.Add(-x.claimed)
	}
	if cap(x.in) > maxPooledBytes {
		x.in = nil
	}
	if cap(x.out) > maxPooledBytes {
		x.out = nil
	}
	x.w, x.r, x.changed, x.trace = nil, nil, nil, traceContext{}
	exchanges.Put(x)
}

// ask gives one request to the core, with the caller's deadline.
func (x *exchange) ask(r stock.Request) stock.Outcome {
	ctx, cancel := x.deadline()
	defer cancel()
	x.asked = x.s.cfg.Now()
	out := x.s.cfg.Core.Do(ctx, r)
	x.answered = x.s.cfg.Now()
	return out
}

// deadline returns a context that ends when the caller stops waiting.
func (x *exchange) deadline() (context.Context, context.CancelFunc) {
	return context.WithTimeout(x.r.Context(), x.timeout)
}

func (x *exchange) caller() string { return x.who.Name }

// These are shared by all answers and never written to.
var (
	contentJSON    = []string{"application/json"}
	contentProblem = []string{"application/problem+json"}
	valueTrue      = []string{"true"}
	// valueUnconfirmed is the header's of a refusal that rests on no leadership check.
	valueUnconfirmed = []string{"unconfirmed"}
	valueClose       = []string{"close"}
	challenge        = []string{`Bearer realm="holdfast"`}
)

// json answers with x.out.
func (x *exchange) json(status int) {
	x.w.Header()["Content-Type"] = contentJSON
	x.write(status)
}

func (x *exchange) write(status int) {
	if x.audited {
		x.account(status)
	}
	h := x.w.Header()
	h["Content-Length"] = []string{strconv.Itoa(len(x.out))}
	if x.s.draining.Load() {
		h["Connection"] = valueClose // A caller must not write the next request to a connection that is about to end.
	}
	x.status = status
	x.w.WriteHeader(status)
	n, err := x.w.Write(x.out)
	x.sent += n
	if err != nil && err != http.ErrBodyNotAllowed {
		x.note(slog.LevelDebug, "write an answer", slog.Any("error", err))
	}
}

// problem answers with a problem.
func (x *exchange) problem(p *problem) {
	row := rowOf(p.code)
	x.code, x.cause = row.name, p.code
	if p.detail != nil {
		x.bound = p.detail.Bound
	}
	x.s.metrics.problem(p)
	h := x.w.Header()
	if seconds := retryAfter(p.code, p.detail, stock.TimeOf(x.s.cfg.Now())); seconds > 0 {
		h["Retry-After"] = []string{strconv.FormatInt(seconds, 10)}
	}
	if p.code == unauthenticated {
		h["Www-Authenticate"] = challenge
	}
	if p.allow != "" {
		h["Allow"] = []string{p.allow}
	}
	if p.unconfirmed {
		h["Holdfast-Refusal"] = valueUnconfirmed
	}
	if p.closes {
		h["Connection"] = valueClose
	}
	x.out = appendProblem(x.out[:0], p, x.id)
	h["Content-Type"] = contentProblem
	x.write(row.status)
}

// timing writes Server-Timing. The two parts meet at the door of the core: admit is all that is done before it (the body's arrival, decoding,
// checking), commit is the core's whole answer: the wait for its actor, the decision and, for what it admits, the log entry's fsync and apply. A
// refusal has no log entry; its commit is the decision. Of a batch, both are the whole call's.
func (x *exchange) timing() {
	var buf [64]byte
	b := append(buf[:0], "admit;dur="...)
	b = appendMS(b, x.asked.Sub(x.start))
	b = append(b, ", commit;dur="...)
	b = appendMS(b, x.answered.Sub(x.asked))
	x.w.Header()["Server-Timing"] = []string{string(b)}
}
