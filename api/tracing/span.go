package tracing

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"holdfast/api"
)

var _ api.Tracer = (*Exporter)(nil)

// Attributes that no convention names.
const (
	codeKey      = attribute.Key("holdfast.code")
	callerKey    = attribute.Key("holdfast.caller")
	requestIDKey = attribute.Key("holdfast.request_id")
)

// Answered makes spans of a request when its trace is sampled: one of the server, and below it admit and commit, as far as it got. They are made when
// all is over, from the times that were taken on the way, so that the way itself pays nothing. url.path, which the conventions want, is left out: it
// holds SKUs, order ids and keys.
func (e *Exporter) Answered(s api.Span) {
	ctx := context.WithValue(context.Background(), requestKey{}, &s)
	if s.ParentID != [8]byte{} {
		ctx = trace.ContextWithRemoteSpanContext(ctx, parent(&s))
	}
	name := s.Method
	if s.Method == "_OTHER" {
		name = "HTTP"
	}
	if s.Route != "" {
		name += " " + s.Route
	}
	_, server := e.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(s.Start))
	if !server.IsRecording() {
		return
	}
	server.SetAttributes(e.attributes(&s)...)
	if s.Status >= 500 {
		server.SetStatus(codes.Error, "")
	}
	if !s.Answered.IsZero() {
		below := trace.ContextWithSpan(context.Background(), server)
		e.part(below, "admit", s.Start, s.Asked)
		e.part(below, "commit", s.Asked, s.Answered)
	}
	server.End(trace.WithTimestamp(s.End))
}

func (e *Exporter) part(ctx context.Context, name string, from, to time.Time) {
	_, span := e.tracer.Start(ctx, name, trace.WithTimestamp(from))
	span.End(trace.WithTimestamp(to))
}

func (e *Exporter) attributes(s *api.Span) []attribute.KeyValue {
	attrs := []attribute.KeyValue{
		semconv.HTTPRequestMethodKey.String(s.Method), semconv.HTTPResponseStatusCode(s.Status), semconv.URLScheme(e.scheme),
		requestIDKey.String(s.RequestID),
	}
	if s.Route != "" {
		attrs = append(attrs, semconv.HTTPRoute(s.Route))
	}
	if s.Caller != "" {
		attrs = append(attrs, callerKey.String(s.Caller))
	}
	if s.Code != "" {
		attrs = append(attrs, codeKey.String(s.Code))
	}
	if s.Status >= 500 {
		kind := s.Code
		if kind == "" {
			kind = strconv.Itoa(s.Status)
		}
		attrs = append(attrs, semconv.ErrorTypeKey.String(kind))
	}
	return attrs
}

// parent is the span that the caller made the request in. A tracestate that is not one is left behind, the trace goes on without it.
func parent(s *api.Span) trace.SpanContext {
	cfg := trace.SpanContextConfig{TraceID: s.TraceID, SpanID: s.ParentID, Remote: true}
	if s.Sampled {
		cfg.TraceFlags = trace.FlagsSampled
	}
	if state, err := trace.ParseTraceState(s.TraceState); err == nil {
		cfg.TraceState = state
	}
	return trace.NewSpanContext(cfg)
}

// requestKey leads from a context to the request whose span is being made.
type requestKey struct{}

// ids gives a request's span the ids that the log has already named.
type ids struct{}

var _ sdktrace.IDGenerator = ids{}

// NewIDs returns the ids of a request that starts a trace.
func (g ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if s, ok := ctx.Value(requestKey{}).(*api.Span); ok {
		return s.TraceID, s.SpanID
	}
	var t trace.TraceID
	for !t.IsValid() {
		binary.BigEndian.PutUint64(t[:8], rand.Uint64())
		binary.BigEndian.PutUint64(t[8:], rand.Uint64())
	}
	return t, g.NewSpanID(ctx, t)
}

// NewSpanID returns the id of a request in somebody's trace, or of a part of one.
func (ids) NewSpanID(ctx context.Context, _ trace.TraceID) (id trace.SpanID) {
	if s, ok := ctx.Value(requestKey{}).(*api.Span); ok {
		return s.SpanID
	}
	for !id.IsValid() {
		binary.BigEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}
