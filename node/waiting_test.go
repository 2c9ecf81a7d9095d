package node

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// A start that waits says for what, not at once and not all the time.
func TestAStartThatWaitsSaysSo(t *testing.T) {
	var out bytes.Buffer
	w, now := waitLog{logger: slog.New(slog.NewTextHandler(&out, nil))}, time.Unix(0, 0)
	for range 21_000 {
		w.note(now, "shard 2: no leader has opened")
		now = now.Add(time.Millisecond)
	}
	if got := out.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, `waits_for="shard 2: no leader has opened"`) {
		t.Errorf("%s", got)
	}
}
