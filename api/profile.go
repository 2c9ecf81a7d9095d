package api

import (
	"context"
	"net/http"
	"net/http/pprof"
	runtimepprof "runtime/pprof"
	"strconv"
	"strings"

	"holdfast/stock"
)

// profile answers GET /debug/pprof/{profile}. It may have been asked to last for minutes, and a node that goes down does not wait for it.
func (x *exchange) profile() *problem {
	ctx, cancel := context.WithCancel(x.r.Context())
	defer cancel()
	defer context.AfterFunc(x.s.serving, cancel)()
	x.r = x.r.WithContext(ctx)
	// Go's handlers take a default for a time that is none.
	if given := x.r.URL.Query().Get("seconds"); given != "" {
		if seconds, err := strconv.ParseFloat(given, 64); err != nil || !(seconds > 0) {
			return invalid("seconds", "must be a positive number")
		}
	}
	switch name := x.args[0]; name {
	case "cmdline":
		return x.handProfile(http.HandlerFunc(pprof.Cmdline))
	case "profile":
		return x.handProfile(http.HandlerFunc(pprof.Profile))
	case "symbol":
		return x.handProfile(http.HandlerFunc(pprof.Symbol))
	case "trace":
		return x.handProfile(http.HandlerFunc(pprof.Trace))
	default:
		if strings.ContainsRune(name, '/') || runtimepprof.Lookup(name) == nil {
			return &problem{code: routeNotFound}
		}
		return x.handProfile(pprof.Handler(name))
	}
}

// handProfile lets one of Go's handlers answer, and returns what it refuses as a problem.
func (x *exchange) handProfile(h http.Handler) *problem {
	x.handed = true
	w := &refusalWriter{countingWriter: countingWriter{ResponseWriter: x.w, x: x}}
	h.ServeHTTP(w, x.r)
	if w.refused == 0 {
		if x.status == 0 {
			x.status = http.StatusOK
		}
		return nil
	}
	header := x.w.Header()
	for _, name := range []string{"X-Go-Pprof", "X-Content-Type-Options", "Content-Disposition"} {
		header.Del(name)
	}
	switch {
	case w.refused == http.StatusBadRequest:
		return invalid("seconds", strings.TrimSpace(string(w.text)))
	case w.refused == http.StatusNotFound:
		return &problem{code: routeNotFound}
	case x.r.Context().Err() != nil && x.s.draining.Load():
		return &problem{code: stock.Draining}
	case x.r.Context().Err() != nil:
		// The caller is gone.
		return &problem{code: stock.DeadlineExceeded}
	case x.args[0] == "profile" || x.args[0] == "trace":
		// There can be one at a time.
		return &problem{code: stock.Overloaded, detail: &stock.Detail{Bound: x.args[0]}}
	}
	return &problem{code: stock.Internal}
}

// refusalWriter keeps back an answer of 4xx or 5xx.
type refusalWriter struct {
	countingWriter
	refused int
	text    []byte
}

func (w *refusalWriter) WriteHeader(status int) {
	if status >= http.StatusBadRequest && w.x.status == 0 {
		w.refused = status
		return
	}
	w.countingWriter.WriteHeader(status)
}

func (w *refusalWriter) Write(b []byte) (int, error) {
	if w.refused == 0 {
		return w.countingWriter.Write(b)
	}
	w.text = append(w.text, b[:min(len(b), maxProblemBytes-len(w.text))]...)
	return len(b), nil
}
