package logtest

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

var _ io.Writer = (*Journal)(nil)

// Journal is a log that can be read while it is written. The zero Journal is empty.
type Journal struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

// Write appends to the log.
func (j *Journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

// String returns all that was written.
func (j *Journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// Logger returns a logger that writes records of every level as JSON.
func (j *Journal) Logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Records returns the records whose message contains a text, and fails the test when a line is not a record.
func (j *Journal) Records(t testing.TB, msg string) (found []map[string]any) {
	t.Helper()
	for line := range strings.Lines(j.String()) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if text, _ := r["msg"].(string); strings.Contains(text, msg) {
			found = append(found, r)
		}
	}
	return found
}
