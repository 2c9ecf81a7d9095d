package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

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

// What belongs to a start, a new replica or a leadership that is handed over is for who debugs. The peer's word for "not yet" is one of these.
func TestOrdinaryWordsOfRaft(t *testing.T) {
	refused := func(v verdict) error { return fmt.Errorf("cluster: dial n2: %w", &dialRefused{verdict: v}) }
	for _, row := range []struct {
		msg  string
		args []any
		want bool
	}{
		{noPreviousLog, []any{"previous-index", 7, "last-index", 0}, true},
		{noPreviousLog, []any{"previous-index", 7, "last-index", 3}, false},
		{sendingOlderLogs, []any{"peer", "n2", "next", uint64(1)}, true},
		{sendingOlderLogs, []any{"peer", "n2", "next", uint64(12)}, false},
		{newerTerm, []any{"peer", "n2"}, true},
		{"failed to heartbeat to", []any{"peer", "n2", "error", refused(verdictStream)}, true},
		{"failed to heartbeat to", []any{"peer", "n2", "error", refused(verdictIdentity)}, false},
		{"failed to heartbeat to", []any{"peer", "n2", "error"}, false},
		{electionWarning, nil, false},
		{brokenOff, []any{"error", &net.OpError{Op: "read", Err: net.ErrClosed}}, true},
		{brokenOff, []any{"error", io.ErrUnexpectedEOF}, false},
	} {
		if got := ordinary(row.msg, row.args); got != row.want {
			t.Errorf("%s %v: %v", row.msg, row.args, got)
		}
	}
	if err := refused(verdictCluster); !errors.Is(err, ErrPeerRefused) || !strings.Contains(err.Error(), "another cluster") {
		t.Error(err)
	}
}

// A node that does not answer is told of once in a while, for each of its replicas, with how often that was left out; nothing else is left out.
func TestRaftSaysOnceThatAPeerIsSilent(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	l := newRaftLogger(slog.New(slog.NewTextHandler(&out, nil))).With("shard", 1)
	l.(*raftLogger).again.now = func() time.Time { return now }
	for range 100 {
		l.Error("failed to heartbeat to", "peer", "n3#1", "error", io.EOF)
		l.Error("failed to make requestVote RPC", "target", "n3#1", "error", io.EOF)
		now = now.Add(time.Second)
	}
	l.Error("failed to heartbeat to", "peer", "n2#1", "error", io.EOF)
	l.Error("a snapshot failed")
	l.Error("a snapshot failed")
	got := out.String()
	if n := strings.Count(got, "\n"); n != 7 || strings.Count(got, "omitted=59") != 2 || !strings.Contains(got, "peer=n2#1") {
		t.Errorf("%d lines:\n%s", n, got)
	}
	for i := range 2 * maxRepeats {
		l.Error("failed to heartbeat to", "peer", strconv.Itoa(i))
	}
	if n := len(l.(*raftLogger).again.said); n > maxRepeats {
		t.Errorf("%d are remembered", n)
	}
}
