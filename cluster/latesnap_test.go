package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

func snapshotRequestAt(index, term, leaderTerm uint64, size int) *raft.InstallSnapshotRequest {
	return &raft.InstallSnapshotRequest{
		RPCHeader: heartbeat.RPCHeader, SnapshotVersion: 1, Term: leaderTerm, LastLogIndex: index, LastLogTerm: term, Size: int64(size),
	}
}

func TestWhichSnapshotsAreLate(t *testing.T) {
	const given, inLog = 100, 120 // The state is there up to given, entries of term 4 behind it up to inLog.
	for _, row := range []struct {
		name              string
		index, term, from uint64
		late, success     bool
	}{
		{"below the state", 50, 2, 5, true, true},
		{"at the state", given, 4, 5, true, true},
		{"in the log", 110, 4, 5, true, true},
		{"at the end of the log", inLog, 4, 5, true, true},
		{"another term's than the log's", 110, 5, 5, false, true},
		{"beyond the log", inLog + 1, 4, 5, false, true},
		{"of a leader of an old term", 50, 2, 4, true, false},
		{"of a leader of a higher term", 50, 2, 6, true, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server, _ := peers(t)
				log, dropped := newMemLog(), []uint64(nil)
				_ = log.SetUint64(keyCurrentTerm, 5)
				for i := uint64(1); i <= inLog; i++ {
					_ = log.StoreLog(&raft.Log{Index: i, Term: 4})
				}
				server.late = &lateSnapshots{
					given: func() uint64 { return given }, log: log, dropped: func(index uint64) { dropped = append(dropped, index) },
				}
				seen := answer(t, server)
				var resp raft.InstallSnapshotResponse
				state := make([]byte, 300<<10)
				err := client.InstallSnapshot("b", "b", snapshotRequestAt(row.index, row.term, row.from, len(state)), &resp, bytes.NewReader(state))
				if err != nil || resp.Success != row.success || row.late && resp.Term != 5 {
					t.Errorf("%+v, %v", resp, err)
				}
				synctest.Wait()
				if late := len(seen) == 0; late != row.late || (len(dropped) == 1) != row.late {
					t.Errorf("raft saw %d, dropped %v", len(seen), dropped)
				}
			})
		})
	}
}

func TestALateSnapshotThatIsCutIsNoSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, _ := peers(t, func(c *Config) { c.RPCTimeout = time.Second })
		server.late = &lateSnapshots{given: func() uint64 { return 9 }, log: newMemLog(), dropped: func(uint64) { t.Error("counted") }}
		answer(t, server)
		var resp raft.InstallSnapshotResponse
		if err := client.InstallSnapshot("b", "b", snapshotRequestAt(5, 1, 1, 1000), &resp, bytes.NewReader(make([]byte, 999))); err == nil {
			t.Errorf("%+v", resp)
		}
	})
}

// An append that raft's goroutine takes between our look and its own makes a snapshot late after all: it is given up when raft begins to read.
func TestASnapshotThatBecomesLateIsGivenUp(t *testing.T) {
	given, dropped := uint64(4), 0
	l := &lateSnapshots{given: func() uint64 { return given }, log: newMemLog(), dropped: func(uint64) { dropped++ }}
	req := snapshotRequestAt(5, 1, 1, 3)
	r := &judgedReader{late: l, req: req, from: bytes.NewReader([]byte("abc"))}
	if l.is(req) {
		t.Fatal("late too early")
	}
	given = 5
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, errLate) || dropped != 1 {
		t.Errorf("%v", err)
	}
	if rest, err := io.ReadAll(r); err != nil || string(rest) != "abc" {
		t.Errorf("left to drain: %q, %v", rest, err)
	}
	r = &judgedReader{late: l, req: snapshotRequestAt(6, 1, 1, 3), from: bytes.NewReader([]byte("abc"))}
	if all, err := io.ReadAll(r); err != nil || string(all) != "abc" {
		t.Errorf("one in time: %q, %v", all, err)
	}
}

// The hazard whole, on one follower: it has acknowledged entries 2 to 10 when a snapshot at 5, which lay in the network, comes. Unguarded raft
// empties the log.
func TestALateSnapshotTakesNothingBack(t *testing.T) {
	for _, guarded := range []bool{true, false} {
		t.Run(fmt.Sprint("guarded=", guarded), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { lateSnapshot(t, guarded) })
		})
	}
}

func lateSnapshot(t *testing.T, guarded bool) {
	client, server, port := peers(t)
	log, machine, store := newMemLog(), &recorder{}, testStore(t, newMemFS())
	members := raft.Configuration{Servers: []raft.Server{{ID: "a#1", Address: "a"}, {ID: "b#1", Address: "b"}, {ID: "c#1", Address: "c"}}}
	_ = log.SetUint64(keyCurrentTerm, 1)
	_ = log.StoreLog(&raft.Log{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(members)})
	f := &fsm{machine: machine, kept: func() {}, fail: func(_, _ uint64, err error) { t.Error(err) }}
	if guarded {
		server.late = &lateSnapshots{given: func() uint64 { return max(f.given.Load(), store.index()) }, log: log, dropped: func(uint64) {}}
	}
	group, err := raft.NewRaft(raftConfig(port.cfg, "b#1", newRaftLogger(discard), nil), f, log, log, store, server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = group.Shutdown().Error() }()
	head := raft.RPCHeader{ProtocolVersion: 3, ID: []byte("a#1"), Addr: []byte("a")}
	appendAt := func(prev, commit uint64, entries ...*raft.Log) bool {
		t.Helper()
		var resp raft.AppendEntriesResponse
		req := &raft.AppendEntriesRequest{
			RPCHeader: head, Term: 1, PrevLogEntry: prev, PrevLogTerm: 1, Entries: entries, LeaderCommitIndex: commit,
		}
		if err := client.AppendEntries("b#1", "b", req, &resp); err != nil {
			t.Fatal(err)
		}
		return resp.Success
	}
	var entries []*raft.Log
	for i := uint64(2); i <= 10; i++ {
		entries = append(entries, &raft.Log{Index: i, Term: 1, Type: raft.LogCommand, Data: fmt.Append(nil, i)})
	}
	if !appendAt(1, 4, entries...) { // Acknowledged up to 10, known to be committed up to 4.
		t.Fatal("the append was refused")
	}
	eventually(t, "4 is applied", func() bool { return len(machine.applied()) == 3 })
	state := cutOf(5, "2", "3", "4", "5")
	req := snapshotRequestAt(5, 1, 1, len(state))
	req.RPCHeader, req.Configuration, req.ConfigurationIndex = head, raft.EncodeConfiguration(members), 1
	var resp raft.InstallSnapshotResponse
	if err := client.InstallSnapshot("b#1", "b", req, &resp, bytes.NewReader(state)); err != nil || !resp.Success {
		t.Fatalf("%+v, %v", resp, err)
	}
	last, _ := log.LastIndex()
	if !guarded {
		if last == 10 {
			t.Error("vacuous: raft left the log alone")
		}
		return
	}
	if last != 10 || store.index() != 0 {
		t.Errorf("the log ends at %d, snapshot at %d", last, store.index())
	}
	// What the leader sends after a success begins right behind the snapshot, and fits.
	if !appendAt(5, 10, entries[4:]...) {
		t.Error("the next append does not fit")
	}
	eventually(t, "all is applied", func() bool { return len(machine.applied()) == 9 })
	if got := machine.applied(); !slices.Equal(got[:3], []string{"2", "3", "4"}) {
		t.Errorf("%v", got)
	}
}

// countConn remembers the longest message written.
type countConn struct {
	net.Conn
	mu       *sync.Mutex
	longest  *int
	written  int
	answered bool
}

func (c *countConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	if c.answered {
		c.written, c.answered = 0, false
	}
	c.written += len(b)
	*c.longest = max(*c.longest, c.written)
	c.mu.Unlock()
	return c.Conn.Write(b)
}

func (c *countConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	c.answered = true
	c.mu.Unlock()
	return n, err
}

// A follower that was away while entries of the largest size were written gets 64 of them in one message (rule R21).
func TestALaggingFollowerOfLargeEntriesCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		longest, n := 0, newMemNet()
		count := func(c *Config) {
			c.Dial = func(_ context.Context, address string, timeout time.Duration) (net.Conn, error) {
				conn, err := n.dial(address, timeout)
				return &countConn{Conn: conn, mu: &mu, longest: &longest}, err
			}
		}
		a := startMember(t, n, "a", newMemLog(), newMemFS(), count)
		b := startMember(t, n, "b", newMemLog(), newMemFS(), count)
		var members raft.Configuration
		for _, name := range []string{"a", "b", "c"} {
			members.Servers = append(members.Servers, raft.Server{ID: raftID(name, firstReplica), Address: raft.ServerAddress(name)})
		}
		if err := a.raft.BootstrapCluster(members).Error(); err != nil {
			t.Fatal(err)
		}
		leader := leaderOf(t, a, b)
		const entries = 3 * maxAppendEntries
		for i := range entries {
			future := leader.raft.Apply(bytes.Repeat([]byte{byte(i)}, leader.port.cfg.MaxEntryBytes), time.Second)
			if err := outcomeOf(future.Error(), future.Response()); err != nil {
				t.Fatal(err)
			}
		}
		c := startMember(t, n, "c", newMemLog(), newMemFS())
		eventually(t, "c has all", func() bool { return len(c.machine.applied()) == entries })
		mu.Lock()
		if least := (maxAppendEntries - 4) * leader.port.cfg.MaxEntryBytes; longest < least {
			t.Errorf("vacuous: the longest message had %d bytes, not %d", longest, least)
		}
		mu.Unlock()
		if n := drops(c.port, verdictFrame); n != 0 {
			t.Errorf("%v messages were too large", n)
		}
		for _, m := range []*member{a, b, c} {
			m.stop(t)
		}
	})
}
