package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

var abc = []string{"a", "b", "c"}

// lead lets a node lead shard 1.
func (f *fleet) lead(name string) *Shard {
	f.t.Helper()
	for {
		s := f.leader(1, abc...)
		if s.Leader() == name {
			return s
		}
		if err := s.Transfer(f.t.Context(), name); err != nil {
			pass(100 * time.Millisecond)
		}
	}
}

// raft#696: a transfer that does not end leaves a leader that rejects every proposal for as long as it leads. Here the message that would end it is lost and
// its timeout is long; in the issue a goroutine of raft's waits for ever, which no test could end. Guarded means that the transfer went through Transfer, so
// the watch knows of it.
func TestALeaderStuckInATransferIsBuiltAnew(t *testing.T) {
	for _, guarded := range []bool{true, false} {
		t.Run(fmt.Sprint("guarded=", guarded), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { stuckInTransfer(t, guarded) })
		})
	}
}

func stuckInTransfer(t *testing.T, guarded bool) {
	f := three(t, func(c *Config) { c.RPCTimeout = 10 * time.Minute })
	defer f.close()
	s := f.lead("a")
	r := s.replica.Load()
	known := r.members.newest()
	b := known.on(raftID("b", 2))
	f.lose(rpcTimeoutNow)
	if guarded {
		if err := s.Transfer(t.Context(), "b"); !isUnknown(err) {
			t.Fatalf("the transfer: %v", err)
		}
	} else if err := r.raft.LeadershipTransferToServer(b.ID, b.Address).Error(); err == nil {
		t.Fatal("vacuous: the transfer succeeded")
	}
	f.lose(loseNothing)
	if err := f.nodes["a"].propose(s, "at once"); !isNotExecuted(err) || !errors.Is(err, raft.ErrLeadershipTransferInProgress) {
		t.Fatalf("vacuous: %v", err)
	}
	pass(time.Minute)
	s = f.leader(1, abc...)
	err := f.nodes["a"].propose(s, "after a minute")
	if !guarded {
		if s.Leader() != "a" || !errors.Is(err, raft.ErrLeadershipTransferInProgress) {
			t.Errorf("vacuous: %v", err)
		}
		return
	}
	faults := f.nodes["a"].faults
	if err != nil || value(f.shard("a", 1).metrics.transfersStuck) != 1 || len(faults) != 1 || !errors.Is(faults[0], ErrTransferStuck) {
		t.Errorf("%v; faults %v", err, faults)
	}
	if value(f.shard("a", 1).metrics.transfersFailed) != 1 {
		t.Error("the transfer that failed is not counted")
	}
}

// A transfer that fails and ends is no reason to build anything anew.
func TestATransferThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := three(t)
		defer f.close()
		s := f.lead("a")
		f.isolate("b")
		f.nodes["a"].mustPropose(s, "b lacks this")
		if err := s.Transfer(t.Context(), "b"); !isUnknown(err) {
			t.Fatalf("a transfer to a node that was cut off: %v", err)
		}
		pass(100 * time.Millisecond)
		if err := s.Transfer(t.Context(), "b"); !errors.Is(err, ErrNoHeir) || !isNotExecuted(err) {
			t.Fatalf("another one: %v", err)
		}
		eventually(t, "raft is seen to take changes", func() bool { return !s.replica.Load().handover.suspect.Load() })
		f.nodes["a"].mustPropose(s, "goes on")
		if err := s.Transfer(t.Context(), ""); err != nil { // To c, which answers, though b stands first.
			t.Errorf("to the best: %v", err)
		}
		pass(time.Minute)
		if value(f.shard("a", 1).metrics.faults) != 0 {
			t.Error("it was built anew")
		}
	})
}

// A leader that was just elected has heard of nobody in its term yet. It waits for its heir instead of saying that nobody answers.
func TestATransferRightAfterAnElection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := three(t)
		defer f.close()
		for _, to := range []string{"c", "", "c"} {
			s := f.lead("b")
			s.contacts.mu.Lock()
			clear(s.contacts.heard) // as if nobody had answered yet
			s.contacts.mu.Unlock()
			if s.replica.Load().heir(to, time.Now()) != nil {
				t.Fatal("nothing is put to the test")
			}
			if err := s.Transfer(t.Context(), to); err != nil {
				t.Errorf("right after an election, to %q: %v", to, err)
			}
			eventually(t, "another leads", func() bool { leader := f.leader(1, abc...).Leader(); return leader == to || to == "" && leader != "b" })
		}
	})
}

// Everybody who has a replica tells of a new leader when the replica learns of it, and not when it is looked at next.
func TestANewLeaderIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // guards told
		told := make(map[string]time.Time)
		f := three(t, func(c *Config) {
			node := c.NodeID
			c.PollInterval = time.Minute
			c.OnLeader = func(shard uint32) {
				mu.Lock()
				defer mu.Unlock()
				if shard == 1 {
					told[node] = time.Now()
				}
			}
		})
		defer f.close()
		f.lead("a")
		pass(time.Second)
		began := time.Now()
		if err := f.shard("a", 1).Transfer(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		mu.Lock()
		defer mu.Unlock()
		for _, node := range abc {
			if took := told[node].Sub(began); took < 0 || took > 100*time.Millisecond || f.shard(node, 1).Leader() != "b" {
				t.Errorf("%s was told after %v that %s leads", node, took, f.shard(node, 1).Leader())
			}
		}
	})
}

func TestATransferUnderProposals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := three(t)
		defer f.close()
		f.leader(1, abc...)
		var mu sync.Mutex
		outcomes := make(map[string]error)
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
				data := fmt.Sprint(i)
				f.leaderNow().Propose([]byte(data), func(err error) {
					mu.Lock()
					outcomes[data] = err
					mu.Unlock()
				})
			}
		}()
		var longest time.Duration
		for i := range 12 {
			s, to := f.leader(1, abc...), abc[i%3]
			if s.Leader() == to {
				to = "" // The best one.
			}
			start := time.Now()
			if err := s.Transfer(t.Context(), to); err != nil {
				t.Fatalf("transfer %d to %q: %v", i, to, err)
			}
			f.leader(1, abc...)
			longest = max(longest, time.Since(start))
			if now := f.leader(1, abc...).Leader(); to != "" && now != to {
				t.Errorf("transfer to %q ends with %q", to, now)
			}
			pass(100 * time.Millisecond)
		}
		close(stop)
		<-stopped
		pass(time.Second)
		t.Logf("the longest of 12 handovers: %v", longest)
		mu.Lock()
		defer mu.Unlock()
		checkTransferred(t, f, outcomes)
	})
}

// leaderNow returns whoever leads, or anybody.
func (f *fleet) leaderNow() *Shard {
	for _, name := range abc {
		if s := f.shard(name, 1); s.Leads(s.Term()) {
			return s
		}
	}
	return f.shard("a", 1)
}

func checkTransferred(t *testing.T, f *fleet, outcomes map[string]error) {
	t.Helper()
	counts := make(map[string]int)
	for _, name := range abc {
		for _, data := range f.nodes[name].machine(1).applied() {
			counts[data]++
		}
	}
	done, refused, unknown := 0, 0, 0
	for data, err := range outcomes {
		switch {
		case err == nil:
			if done++; counts[data] != 3 {
				t.Errorf("%s was committed and stands %d times in three logs", data, counts[data])
			}
		case isNotExecuted(err):
			if refused++; counts[data] != 0 {
				t.Errorf("%s was not executed and is there: %v", data, err)
			}
		default:
			unknown++
		}
	}
	t.Logf("committed %d, not executed %d, unknown %d", done, refused, unknown)
	if done < 500 {
		t.Errorf("vacuous: %d committed", done)
	}
}

func TestPromptedHeartbeatsConfirmAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := three(t, func(c *Config) { c.HeartbeatTimeout, c.CommitTimeout = 20*time.Second, 3*time.Second })
		defer f.close()
		s := f.leader(1, abc...)
		pass(time.Minute)
		for range 10 {
			mark, start := s.Sent(), time.Now()
			if s.Confirmed(mark, s.Term()) {
				t.Fatal("confirmed by what was sent before")
			}
			var wg sync.WaitGroup
			for range 20 { // They share.
				wg.Go(s.Prompt)
			}
			wg.Wait()
			for !s.Confirmed(mark, s.Term()) {
				<-s.Heard()
			}
			if took := time.Since(start); took > time.Millisecond {
				t.Errorf("it took %v", took)
			}
		}
		follower := f.shard(map[string]string{"a": "b", "b": "c", "c": "a"}[s.Leader()], 1)
		follower.Prompt() // Does nothing.
		s.Prompt()        // And is closed at once.
	})
}

// A minority's leader is prompted in vain, and that neither piles up nor holds up its end.
func TestPromptsInAMinority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := three(t)
		defer f.close()
		s := f.lead("a")
		f.isolate("a")
		mark, term := s.Sent(), s.Term()
		for s.Leads(term) {
			s.Prompt()
			pass(time.Millisecond)
		}
		if s.Confirmed(mark, term) {
			t.Error("confirmed by nobody")
		}
		f.heal("a")
		eventually(t, "there is a leader", func() bool { return f.leader(1, abc...) != nil })
	})
}

func TestAReplicaResigns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := three(t)
		defer f.close()
		s := f.lead("b")
		term := s.Term()
		s.Resign()
		s.Resign()
		eventually(t, "another leads", func() bool { return !s.Leads(term) && f.leader(1, abc...).Leader() != "b" })
		g := newRig(t)
		g.open().Shard(1).Resign() // Nobody else is there.
		defer g.close()
		pass(time.Second)
		g.mustPropose(g.cluster.Shard(1), "still")
	})
}

// A snapshot that comes again and again without bringing anything makes the replica open anew.
func TestTheSameSnapshotAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		c := g.openQuietly(func(c *Config) { c.ClusterID, c.Replicas = testCluster, map[uint32]uint64{1: 2} })
		defer g.close()
		port := testPort(t, g.net, "a")
		leader := newTransport(testStream(t, port, 1), port.cfg, newRaftLogger(discard))
		defer func() { _ = leader.Close() }()
		members := raft.Configuration{Servers: []raft.Server{{ID: "a#1", Address: "a"}, {Suffrage: raft.Nonvoter, ID: "n1#2", Address: "n1"}}}
		head := raft.RPCHeader{ProtocolVersion: 3, ID: []byte("a#1"), Addr: []byte("a")}
		send := func(index uint64, state ...string) error {
			cut := cutOf(index, state...)
			req := snapshotRequestAt(index, 1, 1, len(cut))
			req.RPCHeader, req.Configuration, req.ConfigurationIndex = head, raft.EncodeConfiguration(members), 1
			var resp raft.InstallSnapshotResponse
			err := leader.InstallSnapshot("n1#2", "n1", req, &resp, bytes.NewReader(cut))
			if err == nil && !resp.Success {
				err = errors.New("no success")
			}
			return err
		}
		// That of 9 brings something.
		if err := errors.Join(send(5, "x"), send(5, "x"), send(9, "x", "y"), send(9, "x", "y")); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if g.made(1) != 1 {
			t.Fatal("it opened anew too early")
		}
		_ = send(9, "x", "y") // The connection may end with the replica.
		eventually(t, "it opened anew", func() bool { return g.made(1) == 2 && len(g.machine(1).applied()) == 2 })
		g.mu.Lock()
		faults := g.faults
		g.mu.Unlock()
		if len(faults) != 1 || !errors.Is(faults[0], ErrInstalls) || c.Shard(1).Number() != 2 {
			t.Errorf("%v", faults)
		}
	})
}

// refusingLog takes no entries while its switch is on.
type refusingLog struct {
	*memLog
	mu sync.Mutex
	on bool
}

func (l *refusingLog) set(on bool) {
	l.mu.Lock()
	l.on = on
	l.mu.Unlock()
}

func (l *refusingLog) StoreLogs(entries []*raft.Log) error {
	l.mu.Lock()
	on := l.on
	l.mu.Unlock()
	if on {
		return errors.New("not now")
	}
	return l.memLog.StoreLogs(entries)
}

func (l *refusingLog) StoreLog(e *raft.Log) error { return l.StoreLogs([]*raft.Log{e}) }

// A member whose heartbeats go on while it takes nothing is seen.
func TestAMemberThatStandsStillIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		log := &refusingLog{memLog: newMemLog()}
		f.start("a", "at-a")
		f.start("b", "at-b")
		f.start("c", "at-c", func(c *Config) { c.Groups = func(uint32) GroupLog { return log } })
		f.grow(1, "b", 2, "a")
		f.grow(1, "c", 3, "a")
		defer f.close()
		s := f.lead("a")
		seen := func() float64 { return value(s.metrics.standstill) }
		pass(time.Minute)
		if seen() != 0 {
			t.Error("seen in an idle group")
		}
		log.set(true)
		f.nodes["a"].mustPropose(s, "x")
		pass(5 * time.Second)
		if seen() != 0 {
			t.Error("seen at once")
		}
		f.nodes["a"].mustPropose(s, "y")
		eventually(t, "it is seen", func() bool { return seen() == 1 })
		log.set(false)
		eventually(t, "it goes on", func() bool { return seen() == 0 })
		log.set(true)
		f.nodes["a"].mustPropose(s, "z")
		eventually(t, "it is seen again", func() bool { return seen() == 1 })
		if err := s.Transfer(context.Background(), "b"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "who does not lead sees nothing", func() bool { return seen() == 0 })
	})
}
