package api

import (
	"strings"
	"time"
)

// Tracer takes every request that was answered. It must not make anybody wait: a request's connection is held meanwhile.
type Tracer interface {
	Answered(Span)
}

// Span is one request that was answered. It says nothing of what was bought, by whom, and under which id.
type Span struct {
	TraceID [16]byte
	// SpanID is the request's, ParentID that of the span it was made in; zeros: the trace starts here.
	SpanID, ParentID [8]byte
	// Sampled is what the caller decided for the trace, and TraceState what else came with it, as it came.
	Sampled    bool
	TraceState string
	// RequestID and Caller (the name of the key) are those of the log.
	RequestID, Caller string
	// Method is a method of RFC 9110 or PATCH, or "_OTHER"; Route the path's pattern, "" for no route of ours.
	Method, Route string
	Status        int
	// Code is the problem's, "" for an acceptance.
	Code string
	// Start is when the head was there, Asked and Answered when the core was given the request and gave its outcome (zero: it was not asked), End
	// when the answer was written.
	Start, Asked, Answered, End time.Time
}

// export gives the request to the tracer.
func (x *exchange) export(end time.Time) {
	t := x.traced()
	s := Span{
		TraceID: t.trace, SpanID: t.span, ParentID: t.parent, Sampled: t.sampled, TraceState: t.state, RequestID: x.id, Caller: x.who.Name,
		Method: knownMethod(x.r.Method), Status: x.status, Code: x.code, Start: x.start, Asked: x.asked, Answered: x.answered, End: end,
	}
	if _, path, ok := strings.Cut(x.counted.name, " "); ok {
		s.Route = path
	}
	x.s.cfg.Tracer.Answered(s)
}

// knownMethod keeps what a caller made up out of the traces, as OpenTelemetry asks.
func knownMethod(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH":
		return method
	}
	return "_OTHER"
}
