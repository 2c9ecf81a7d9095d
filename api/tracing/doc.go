// Package tracing exports requests as OpenTelemetry spans, over OTLP and HTTP, to where the OTEL_ variables of the environment say.
//
// It promises: without an endpoint nothing is started, no goroutine and no connection. With one, a request is never held up: a span goes into a
// bounded queue or is dropped, and a collector that hangs, refuses or is gone costs spans and nothing else. Every span that is lost is counted, and
// the log says so at most once a minute. No span says what was bought, by whom, or under which id.
//
// It assumes: whoever opened an Exporter closes it; there is one at a time in a process, since the library has one place in a process for its own
// messages; api gives each request once, after its answer.
//
// Files: env.go (which variables mean that somebody wants spans), exporter.go (its life), span.go (a request as spans), queue.go (the bound, what
// is lost, and the log of it), messages.go (what the library has to say), metrics.go.
package tracing
