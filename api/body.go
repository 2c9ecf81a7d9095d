package api

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"holdfast/stock"
)

const (
	// maxPooledBytes is the largest buffer that is kept for the next request.
	maxPooledBytes = 16 << 10
	// firstPartBytes is read of a body at once; few orders are longer.
	firstPartBytes = 4 << 10
)

// body reads the request's body whole: declared as JSON, with its length, within the limit, in time. empty says that no body at all stands
// for {}. The bytes are valid until the exchange ends.
func (x *exchange) body(limit int64, empty bool) ([]byte, *problem) {
	n := x.r.ContentLength
	if n == 0 && empty {
		return []byte("{}"), nil
	}
	switch {
	case n < 0:
		return nil, &problem{code: lengthRequired, closes: true}
	case !isJSON(x.r.Header):
		return nil, &problem{code: unsupportedMediaType}
	case n > limit:
		return nil, &problem{code: bodyTooLarge, detail: &stock.Detail{Limit: limit}, closes: true}
	case n == 0:
		return nil, nil
	}
	for x.in = x.in[:0]; int64(len(x.in)) < n; {
		if p := x.readMore(n); p != nil {
			return nil, p
		}
	}
	x.readUntil(time.Time{})
	return x.in, nil
}

// readMore reads the next part of a body of n bytes: as much again as there is, so that a body takes memory as it comes and not as it is announced.
// Else a few connections that announce much and send nothing would hold the memory of all bodies.
func (x *exchange) readMore(n int64) *problem {
	have := int64(len(x.in))
	part := min(n-have, max(have, firstPartBytes))
	if n > x.s.cfg.MaxBodyMemoryBytes || !x.claim(part) {
		return &problem{code: stock.Overloaded, detail: &stock.Detail{Bound: boundMemory}, closes: true}
	}
	if int64(cap(x.in)) < have+part {
		x.in = append(make([]byte, 0, have+part), x.in...)
	}
	x.in = x.in[:have+part]
	read, err := io.ReadFull(x.r.Body, x.in[have:])
	x.s.metrics.received.Add(float64(read))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &problem{code: bodyTimeout, closes: true}
	}
	p := malformed("the body ended before its Content-Length")
	p.closes = true
	return p
}

// readUntil sets when the connection's reads fail. While a body is outstanding that bounds a slow caller, also one whose body nobody wants;
// once it has been read there must be no deadline, or the connection's watch for a caller that hangs up would end the request.
func (x *exchange) readUntil(t time.Time) {
	if err := http.NewResponseController(x.w).SetReadDeadline(t); err != nil && !errors.Is(err, http.ErrNotSupported) {
		x.note(slog.LevelDebug, "set read deadline", slog.Any("error", err))
	}
}

// claim takes n bytes of the memory for bodies and answers; they are given back when the exchange ends.
func (x *exchange) claim(n int64) bool {
	if x.s.bodyMemory.Add(n) > x.s.cfg.MaxBodyMemoryBytes {
		x.s.bodyMemory.Add(-n)
		return false
	}
	x.claimed += n
	return true
}
