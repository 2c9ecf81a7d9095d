package cluster

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

func TestRaftsLogFromWarnOn(t *testing.T) {
	var out bytes.Buffer
	l := newRaftLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))).With("shard", 3)
	l.Trace("one")
	l.Debug("two")
	l.Info("three")
	l.Warn("four", "got", hclog.Fmt("%d / %d", 1, 2))
	l.Named("net").Error("five")
	l.Warn(electionWarning, "last-leader-addr", raft.ServerAddress(""), lastLeader, raft.ServerID(""))
	l.Warn(electionWarning, "last-leader-addr", raft.ServerAddress("b:1"), lastLeader, raft.ServerID("b#1"))
	l.Warn("Election timeout reached, restarting election")
	got := out.String()
	for _, want := range []string{
		`level=WARN msg="raft: four" shard=3 got="1 / 2"`, `level=ERROR msg="raft.net: five" shard=3`,
		`level=DEBUG msg="raft: heartbeat timeout reached, starting election" shard=3 last-leader-addr="" last-leader-id=""`,
		`level=WARN msg="raft: heartbeat timeout reached, starting election" shard=3 last-leader-addr=b:1 last-leader-id=b#1`,
		`level=WARN msg="raft: Election timeout`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("missing: %s", want)
		}
	}
	if n := strings.Count(got, "\n"); n != 5 || l.IsInfo() || !l.IsWarn() {
		t.Errorf("%d lines:\n%s", n, got)
	}
}
