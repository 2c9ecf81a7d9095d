package api

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"strings"
)

// traceContext names a request within a trace, as W3C Trace Context (level 1) says it. It is made when somebody asks for it: a request that nobody
// logs and nobody traces pays nothing for it.
type traceContext struct {
	trace [16]byte
	// span is this request's own, parent the caller's; a parent of zeros: the trace starts here.
	span, parent [8]byte
	sampled      bool
	// state is the caller's tracestate, as it came; it is carried and never looked at.
	state string
}

// The lengths of a traceparent of version 00, and of what every later version begins with.
const (
	traceparentBytes = len("00-") + 32 + len("-") + 16 + len("-00")
	traceFlagsAt     = traceparentBytes - 2
	parentAt         = traceFlagsAt - 17
	traceAt          = 3
	flagSampled      = 1
)

// traceOf continues the caller's trace, or starts one when there is none, or none that can be continued: then tracestate counts for nothing.
func traceOf(h http.Header) traceContext {
	t, ok := parseTraceparent(h["Traceparent"])
	if ok {
		t.state = strings.Join(h["Tracestate"], ",")
	} else {
		t = traceContext{}
		for t.trace == [16]byte{} {
			binary.BigEndian.PutUint64(t.trace[:8], rand.Uint64())
			binary.BigEndian.PutUint64(t.trace[8:], rand.Uint64())
		}
	}
	for t.span == [8]byte{} {
		binary.BigEndian.PutUint64(t.span[:], rand.Uint64())
	}
	return t
}

// parseTraceparent reads the header strictly: once, in lower case, neither id of zeros. A later version is read as far as this one goes, when what
// follows is set off by a dash; version ff is none.
func parseTraceparent(values []string) (t traceContext, ok bool) {
	if len(values) != 1 || len(values[0]) < traceparentBytes {
		return t, false
	}
	s := values[0]
	if s[2] != '-' || s[parentAt-1] != '-' || s[traceFlagsAt-1] != '-' {
		return t, false
	}
	var version, flags [1]byte
	if !unhex(version[:], s[:2]) || version[0] == 0xff || !unhex(flags[:], s[traceFlagsAt:traceparentBytes]) {
		return t, false
	}
	if len(s) > traceparentBytes && (version[0] == 0 || s[traceparentBytes] != '-') {
		return t, false
	}
	if !unhex(t.trace[:], s[traceAt:parentAt-1]) || !unhex(t.parent[:], s[parentAt:traceFlagsAt-1]) {
		return t, false
	}
	t.sampled = flags[0]&flagSampled != 0
	return t, t.trace != [16]byte{} && t.parent != [8]byte{}
}

// unhex decodes lower-case hexadecimal digits that fill b exactly.
func unhex(b []byte, s string) bool {
	for i := range b {
		high, low := nibble(s[2*i]), nibble(s[2*i+1])
		if high > 15 || low > 15 {
			return false
		}
		b[i] = high<<4 | low
	}
	return true
}

func nibble(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

// traced returns the request's place in its trace, always the same.
func (x *exchange) traced() *traceContext {
	if x.trace.span == [8]byte{} {
		x.trace = traceOf(x.r.Header)
	}
	return &x.trace
}

func (t *traceContext) traceID() string { return hex.EncodeToString(t.trace[:]) }
func (t *traceContext) spanID() string  { return hex.EncodeToString(t.span[:]) }
