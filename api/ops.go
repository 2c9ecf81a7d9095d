package api

import (
	"net/http"
	"net/http/pprof"
	"slices"
	"strconv"

	"holdfast/stock"
)

// probeRoutes are on both listeners, for everybody, and stay up while the node drains.
func probeRoutes() []route {
	return []route{
		probe("/livez", (*exchange).live),
		probe("/readyz", (*exchange).ready),
		probe("/version", (*exchange).version),
	}
}

func operationRoutes(metrics http.Handler) []route {
	return []route{
		at(http.MethodGet, "/metrics", func(x *exchange) *problem { return x.hand(metrics) }),
		at(http.MethodGet, "/debug/pprof/", func(x *exchange) *problem { return x.hand(http.HandlerFunc(pprof.Index)) }),
		at(http.MethodGet, "/debug/pprof/{profile}", (*exchange).profile),
	}
}

// live answers GET /livez: the process runs and answers.
func (x *exchange) live() *problem {
	x.out = append(x.out, `{"live":true}`...)
	x.json(http.StatusOK)
	return nil
}

// version answers GET /version.
func (x *exchange) version() *problem {
	build := &x.s.cfg.Build
	x.out = append(x.out, `{"version":`...)
	x.out = appendString(x.out, build.Version)
	x.out = textMember(x.out, "commit", build.Commit)
	x.out = textMember(x.out, "go", build.Go)
	x.out = append(x.out, '}')
	x.json(http.StatusOK)
	return nil
}

const (
	// maxReadyBytes bounds the lines of readiness of a node that is ready, maxDetailBytes what was found of one: a database says in its last words
	// why it does not answer.
	maxReadyBytes, maxDetailBytes = 1 << 20, 512
)

// ready answers GET /readyz, with every check when verbose. A node that is not ready answers with a problem that names what fails. What was found is
// only for who may administer the node: it holds names of machines, and sentences of a database's.
func (x *exchange) ready() *problem {
	checks := x.s.cfg.Health.Ready()
	if !x.administers() {
		checks = withoutDetails(checks)
	}
	named := func(c Check) bool { return c.Name == "draining" }
	if x.s.draining.Load() && !slices.ContainsFunc(checks, named) {
		checks = append([]Check{{Name: "draining"}}, checks...)
	}
	fails := func(c Check) bool { return !c.OK && !c.Advisory }
	verbose := x.r.URL.Query().Has("verbose")
	if !slices.ContainsFunc(checks, fails) {
		x.out = append(x.out, `{"ready":true`...)
		if verbose {
			x.out, _ = appendChecks(append(x.out, ','), checks, maxReadyBytes, maxDetailBytes)
		}
		x.out = append(x.out, '}')
		x.json(http.StatusOK)
		return nil
	}
	if !verbose {
		checks = slices.DeleteFunc(slices.Clone(checks), func(c Check) bool { return !fails(c) })
	}
	x.notReady(checks, fails)
	return nil
}

// administers reports whether the request came to the admin listener, from somebody who may call there. Nobody needs that to ask a probe.
func (x *exchange) administers() bool { return x.rt.admin && x.admit(x.rt) == nil }

func withoutDetails(checks []Check) []Check {
	bare := slices.Clone(checks)
	for i := range bare {
		bare[i].Detail = ""
	}
	return bare
}

// notReady writes the problem, the failing checks first and as many as fit.
func (x *exchange) notReady(checks []Check, fails func(Check) bool) {
	p := &problem{code: stock.NoLeader}
	if x.s.draining.Load() {
		p.code = stock.Draining
	}
	checks = slices.Clone(checks)
	slices.SortStableFunc(checks, func(a, b Check) int {
		switch fa, fb := fails(a), fails(b); {
		case fa == fb:
			return 0
		case fa:
			return -1
		}
		return 1
	})
	x.s.metrics.problem(p)
	b := appendProblemOpen(x.out[:0], p, x.id, true)
	b = append(b, `,"ready":false,`...)
	b, shown := appendChecks(b, checks, maxProblemBytes-40, 2*maxFieldBytes)
	if shown < len(checks) {
		b = intMember(b, "checks_omitted", int64(len(checks)-shown))
	}
	x.out = append(b, '}')
	h := x.w.Header()
	h["Content-Type"] = contentProblem
	h["Retry-After"] = []string{"1"}
	x.write(http.StatusServiceUnavailable)
}

// appendChecks appends the lines of readiness while the answer stays within maxBytes, and returns how many.
func appendChecks(b []byte, checks []Check, maxBytes, maxDetail int) (_ []byte, shown int) {
	b = append(b, `"checks":[`...)
	for i, c := range checks {
		before := len(b)
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"name":`...)
		b = appendString(b, clip(c.Name, maxFieldBytes))
		b = strconv.AppendBool(memberName(b, "ok"), c.OK)
		if c.Advisory {
			b = append(b, `,"advisory":true`...)
		}
		if c.Detail != "" {
			b = textMember(b, "detail", clip(c.Detail, maxDetail))
		}
		if b = append(b, '}'); len(b) > maxBytes {
			return append(b[:before], ']'), i
		}
	}
	return append(b, ']'), len(checks)
}

// hand lets a handler that is not ours answer.
func (x *exchange) hand(h http.Handler) *problem {
	x.handed = true
	w := &countingWriter{ResponseWriter: x.w, x: x}
	h.ServeHTTP(w, x.r)
	if x.status == 0 {
		x.status = http.StatusOK
	}
	return nil
}

// countingWriter notes the status and the bytes of an answer.
type countingWriter struct {
	http.ResponseWriter
	x *exchange
}

func (w *countingWriter) WriteHeader(status int) {
	if w.x.status == 0 {
		w.x.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *countingWriter) Write(b []byte) (int, error) {
	if w.x.status == 0 {
		w.x.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.x.sent += n
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
