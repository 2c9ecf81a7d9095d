package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"holdfast/stock"
)

// maxRequestIDBytes bounds a request id that is echoed.
const maxRequestIDBytes = 128

// requestID returns the caller's X-Request-Id when it is one to print, else a new one (UUID version 7).
func requestID(r *http.Request) string {
	if given := r.Header["X-Request-Id"]; len(given) == 1 && given[0] != "" && len(given[0]) <= maxRequestIDBytes && visible(given[0]) {
		return given[0]
	}
	id, err := uuid.NewV7()
	if err != nil {
		// The system has no randomness left to give; no name can be trusted to be new.
		panic("api: " + err.Error())
	}
	return id.String()
}

func visible(s string) bool {
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7E {
			return false
		}
	}
	return true
}

// idempotencyKey returns the request's key.
func idempotencyKey(h http.Header) (string, *problem) {
	keys := h["Idempotency-Key"]
	switch len(keys) {
	case 0:
		return "", &problem{code: keyMissing}
	case 1:
		if reason := stock.CheckKey(keys[0]); reason != "" {
			return "", fieldProblem(codeOfKey, "Idempotency-Key", reason)
		}
		return keys[0], nil
	}
	return "", fieldProblem(codeOfKey, "Idempotency-Key", "was given more than once")
}

// idempotencyRetry reports whether the caller says that an earlier copy may be under way.
func idempotencyRetry(h http.Header) (bool, *problem) {
	values := h["Idempotency-Retry"]
	switch {
	case len(values) == 0:
		return false, nil
	case len(values) == 1 && values[0] == "true":
		return true, nil
	case len(values) == 1 && values[0] == "false":
		return false, nil
	}
	return false, invalid("Idempotency-Retry", "must be true or false, once")
}

// requestTimeout returns how long the caller waits.
func requestTimeout(h http.Header, byDefault time.Duration) (time.Duration, *problem) {
	values := h["Request-Timeout-Ms"]
	if len(values) == 0 {
		return byDefault, nil
	}
	if len(values) == 1 {
		ms, err := strconv.ParseUint(values[0], 10, 32)
		if d := time.Duration(ms) * time.Millisecond; err == nil && d > 0 && d <= MaxTimeout {
			return d, nil
		}
	}
	return 0, invalid("Request-Timeout-Ms", "must be 1 to 60000, once")
}

// isJSON reports whether the body is declared as JSON: application/json in any case, parameters allowed.
func isJSON(h http.Header) bool {
	values := h["Content-Type"]
	if len(values) != 1 {
		return false
	}
	if values[0] == "application/json" {
		return true
	}
	media, _, _ := strings.Cut(values[0], ";")
	return strings.EqualFold(strings.TrimSpace(media), "application/json")
}
