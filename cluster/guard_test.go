package cluster

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

func TestRaftConfig(t *testing.T) {
	cfg, err := newRig(t).config().withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	c := raftConfig(&cfg, "n1#1", newRaftLogger(discard), nil)
	for what, ok := range map[string]bool{
		"RestoreCommittedLogs is off":          !c.RestoreCommittedLogs,
		"PreVote is on":                        !c.PreVoteDisabled,
		"ShutdownOnRemove is off":              !c.ShutdownOnRemove,
		"BatchApplyCh is on":                   c.BatchApplyCh,
		"the lease is half the heartbeat":      c.LeaderLeaseTimeout == c.HeartbeatTimeout/2,
		"the heartbeat is 500 ms to 1 s":       c.HeartbeatTimeout >= 500*time.Millisecond && c.HeartbeatTimeout <= time.Second,
		"MaxAppendEntries is 64":               c.MaxAppendEntries == 64,
		"CommitTimeout is 100 ms":              c.CommitTimeout == 100*time.Millisecond,
		"raft takes no snapshots by itself":    c.SnapshotThreshold > 1<<60 && c.SnapshotInterval > 1000*time.Hour,
		"the queue holds all that may wait":    cfg.MaxOutstanding <= c.MaxAppendEntries,
		"the largest append fits into a frame": cfg.FrameBytes > int64(c.MaxAppendEntries*cfg.MaxEntryBytes),
	} {
		if !ok {
			t.Errorf("not so: %s", what)
		}
	}
}

func TestImpossibleConfigs(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no node id":             func(c *Config) { c.NodeID = "" },
		"a node id with a mark":  func(c *Config) { c.NodeID = "a#b" },
		"a node id with a space": func(c *Config) { c.NodeID = "a b" },
		"a long node id":         func(c *Config) { c.NodeID = strings.Repeat("n", 65) },
		"no directory":           func(c *Config) { c.Dir = "" },
		"no log":                 func(c *Config) { c.Groups = nil },
		"too many shards":        func(c *Config) { c.Shards = 513 },
		"negative shards":        func(c *Config) { c.Shards = -1 },
		"too many outstanding":   func(c *Config) { c.MaxOutstanding = 65 },
		"a heartbeat of 1 ms":    func(c *Config) { c.HeartbeatTimeout = time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := newRig(t).config(change)
			if c, err := Open(cfg); err == nil {
				_ = c.Close()
				t.Error("Open said nil")
			} else if !strings.Contains(err.Error(), ErrConfig.Error()) {
				t.Errorf("Open: %v", err)
			}
			if _, err := cfg.Listener.Accept(); err == nil {
				t.Error("the listener was left open")
			}
		})
	}
}

// committedLog remembers a commit index, as RestoreCommittedLogs wants it.
type committedLog struct {
	*memLog
	commit uint64
}

func (l *committedLog) StageCommitIndex(i uint64) error { l.commit = i; return nil }

func (l *committedLog) GetCommitIndex() (uint64, error) { return l.commit, nil }

// With RestoreCommittedLogs NewRaft never returns above 8,192 committed entries.
func TestManyCommittedEntriesDoNotBlockTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const entries = 9000
		g := newRig(t)
		log := newMemLog()
		if err := bootstrap(log, testStore(t, newMemFS()), raft.Server{ID: "n1#1", Address: "n1"}); err != nil {
			t.Fatal(err)
		}
		for i := uint64(2); i <= entries; i++ {
			if err := log.StoreLog(&raft.Log{Index: i, Term: 1, Type: raft.LogCommand, Data: []byte("x")}); err != nil {
				t.Fatal(err)
			}
		}
		g.open(func(c *Config) { c.Groups = func(uint32) GroupLog { return &committedLog{log, entries} } })
		defer g.close()
		eventually(t, "all are applied", func() bool { return len(g.machine(1).applied()) == entries-1 })
	})
}

// Barrier, AppliedIndex and VerifyLeader do not mean what they seem to (rules R9, R13): nothing outside tests may use them. But for one place: nothing else
// of raft's has heartbeats sent at once, and there its answer is thrown away.
func TestMisleadingCallsOfRaftAreNotUsed(t *testing.T) {
	files, calls, prompts := token.NewFileSet(), 0, 0
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if f, ok := n.(*ast.FuncDecl); ok && name == "prompt.go" && f.Name.Name == "prompt" && throwsAway(f.Body) {
				prompts++
			}
			if f, ok := n.(*ast.FuncDecl); ok && name == "prompt.go" && f.Name.Name == "ask" {
				return false // What it returns goes to prompt.
			}
			if f, ok := n.(*ast.FuncDecl); ok && name == "barrier.go" && f.Name.Name == "Barrier" {
				return false // It wants what that means: given to the machine.
			}
			if s, ok := n.(*ast.SelectorExpr); ok {
				calls++
				switch s.Sel.Name {
				case "Barrier", "AppliedIndex", "VerifyLeader", "LeaderCh":
					t.Errorf("%s: %s", files.Position(s.Pos()), s.Sel.Name)
				}
			}
			return true
		})
	}
	if prompts != 1 {
		t.Errorf("%d places have heartbeats sent", prompts)
	}
	if calls < 100 {
		t.Errorf("vacuous: only %d selectors seen", calls)
	}
}

// throwsAway reports whether a function calls Error on what ask returned, and only as "_ = check.Error()".
func throwsAway(body *ast.BlockStmt) bool {
	thrown, calls := 0, 0
	ast.Inspect(body, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Error" {
			calls++
		}
		if a, ok := n.(*ast.AssignStmt); ok && len(a.Lhs) == 1 && len(a.Rhs) == 1 {
			blank, isName := a.Lhs[0].(*ast.Ident)
			_, isCall := a.Rhs[0].(*ast.CallExpr)
			if isName && isCall && blank.Name == "_" {
				thrown++
			}
		}
		return true
	})
	return thrown == 1 && calls == 1
}

// The whole of raft#695 on one node B of three: B is asked for its vote in term 3 while a late heartbeat of term 2 is being written down.
func TestALateHeartbeatDoesNotTakeTheTermBack(t *testing.T) {
	for _, guarded := range []bool{true, false} {
		t.Run(fmt.Sprint("guarded=", guarded), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { lateHeartbeat(t, guarded) })
		})
	}
}

// heldLog lets the goroutine that writes term 2 sleep after its write was durable.
type heldLog struct {
	*memLog
	armed, entered, release chan struct{}
}

func (l *heldLog) SetUint64(key []byte, v uint64) error {
	err := l.memLog.SetUint64(key, v)
	select {
	case <-l.armed:
		if string(key) == string(keyCurrentTerm) && v == 2 {
			select {
			case <-l.entered:
			default:
				close(l.entered)
				<-l.release
			}
		}
	default:
	}
	return err
}

func lateHeartbeat(t *testing.T, guarded bool) {
	client, server, port := peers(t)
	var tr raft.Transport = server
	if !guarded {
		tr = server.NetworkTransport
	}
	log := &heldLog{memLog: newMemLog(), armed: make(chan struct{}), entered: make(chan struct{}), release: make(chan struct{})}
	members := raft.Configuration{Servers: []raft.Server{{ID: "a#1", Address: "a"}, {ID: "b#1", Address: "b"}, {ID: "c#1", Address: "c"}}}
	_ = log.SetUint64(keyCurrentTerm, 1)
	_ = log.StoreLog(&raft.Log{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(members)})
	f := &fsm{machine: &recorder{}, kept: func() {}, fail: func(_, _ uint64, err error) { t.Error(err) }}
	group, err := raft.NewRaft(raftConfig(port.cfg, "b#1", newRaftLogger(discard), nil), f, log, log, testStore(t, newMemFS()), tr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = group.Shutdown().Error() }()
	head := func(node string) raft.RPCHeader {
		return raft.RPCHeader{ProtocolVersion: 3, ID: []byte(node + "#1"), Addr: []byte(node)}
	}
	var appended raft.AppendEntriesResponse
	first := &raft.AppendEntriesRequest{RPCHeader: head("a"), Term: 2, PrevLogEntry: 1, PrevLogTerm: 1,
		Entries: []*raft.Log{{Index: 2, Term: 2, Type: raft.LogNoop}}}
	if err := client.AppendEntries("b#1", "b", first, &appended); err != nil || !appended.Success {
		t.Fatalf("first append: %+v, %v", appended, err)
	}
	eventually(t, "B is in its pre-vote", func() bool { return group.State() == raft.Candidate && group.CurrentTerm() == 2 })
	close(log.armed)
	late := make(chan error, 1)
	go func() {
		var resp raft.AppendEntriesResponse
		late <- client.AppendEntries("b#1", "b", &raft.AppendEntriesRequest{RPCHeader: head("a"), Term: 2}, &resp)
	}()
	<-log.entered
	voted := make(chan raft.RequestVoteResponse, 1)
	go func() {
		var resp raft.RequestVoteResponse
		req := &raft.RequestVoteRequest{RPCHeader: head("c"), Term: 3, LastLogIndex: 2, LastLogTerm: 2}
		_ = client.RequestVote("b#1", "b", req, &resp)
		voted <- resp
	}()
	synctest.Wait()
	close(log.release)
	if err := <-late; err != nil {
		t.Fatal(err)
	}
	vote := <-voted
	term, stored := group.CurrentTerm(), uint64(0)
	stored, _ = log.GetUint64(keyCurrentTerm)
	fellBack := vote.Granted && (term < 3 || stored < 3)
	if fellBack == guarded {
		t.Errorf("voted in term 3: %v; term %d in memory, %d on disk", vote.Granted, term, stored)
	}
}
