// Package api serves Holdfast over HTTP and JSON: orders on the public listener, SKUs and operations on the admin listener.
//
// It promises: each answer means what docs/api.md says it means. A request that is not exactly of the described form is refused with its own
// code before the core sees it, and moves a counter. A 2xx is an acceptance, a 4xx a refusal, 503 was not executed, 504 and 500 may have been.
// No path is ever redirected. What a caller can make the server hold in memory is bounded: headers, bodies, their sum, connections, time.
//
// It assumes: Core answers every request, in time or with the outcome that says so; the clock of Config is used for nothing but
// server_time, Retry-After and metrics.
//
// Files: core.go (what is asked of the core), config.go and server.go (listeners, drain, shutdown), listen.go (addresses, connection bound),
// connection.go (one connection), waiting.go (those that wait, and who goes first), secure.go (TLS), authorise.go (who may call, and the audit),
// reload.go (files read again), route.go (paths and methods), exchange.go (one request and its answer), header.go, body.go, scan.go, decode.go and
// decode_sku.go (strict input), shape.go (what a body may hold), orders.go, batch.go, outcomes.go, availability.go, skus.go, ops.go, profile.go (the
// calls), cluster*.go (those on the cluster, and what is asked of it), codes.go, members.go and problem.go (what is not an acceptance), encode.go
// (what is), requestlog.go (which requests are logged, and how), tracecontext.go and trace.go (a request's place in a trace, and who takes it),
// metrics.go; openapi*.go (what all of this says of itself).
package api
