package cluster

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

func TestWhatCountsAsAnAnswer(t *testing.T) {
	c := newContacts()
	before := c.send() // Under way when the mark is taken.
	m := c.mark()
	c.answered("b#1", 3, before, 0)
	if c.since(m, 3, "b#1") {
		t.Error("an answer that was under way counts")
	}
	if !c.since(m-1, 3, "b#1") {
		t.Error("the answer does not count at all")
	}
	news := c.next()
	c.answered("b#1", 3, c.send(), 0)
	select {
	case <-news:
	default:
		t.Error("nobody is told")
	}
	for what, ok := range map[string]bool{
		"the term":         c.since(m, 3, "b#1"),
		"another term":     !c.since(m, 4, "b#1") && !c.since(m, 2, "b#1"),
		"another member":   !c.since(m, 3, "c#1"),
		"another replica":  !c.since(m, 3, "b#2"),
		"a later mark":     !c.since(c.mark(), 3, "b#1"),
		"the term is past": func() bool { c.answered("b#1", 4, c.send(), 0); return !c.since(m, 3, "b#1") && c.since(m, 4, "b#1") }(),
		"a late old answer takes nothing back": func() bool {
			c.answered("b#1", 3, c.send(), 0)
			return c.since(m, 4, "b#1")
		}(),
	} {
		if !ok {
			t.Errorf("not so: %s", what)
		}
	}
}

// heldConn lets what comes lie until it is let go.
type heldConn struct {
	net.Conn
	mu   *sync.Mutex // guards what follows, and held
	cond *sync.Cond
	held *bool
	buf  []byte
	err  error
}

func (c *heldConn) pump() {
	b := make([]byte, 4096)
	for {
		n, err := c.Conn.Read(b)
		c.mu.Lock()
		c.buf, c.err = append(c.buf, b[:n]...), err
		c.cond.Broadcast()
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (c *heldConn) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for *c.held || len(c.buf) == 0 && c.err == nil {
		c.cond.Wait()
	}
	n := copy(b, c.buf)
	if c.buf = c.buf[n:]; n == 0 {
		return 0, c.err
	}
	return n, nil
}

// heldMembers are three members of a group; hold lets the answers to one of them lie.
func heldMembers(t *testing.T) (all []*member, hold func(m *member, to bool)) {
	n, held := newMemNet(), make(map[string]*bool)
	var mu sync.Mutex
	cond := sync.NewCond(&mu)
	var members raft.Configuration
	for _, name := range []string{"a", "b", "c"} {
		held[name] = new(bool)
		all = append(all, startMember(t, n, name, newMemLog(), newMemFS(), func(c *Config) {
			c.Dial = func(_ context.Context, address string, timeout time.Duration) (net.Conn, error) {
				conn, err := n.dial(address, timeout)
				if err != nil {
					return nil, err
				}
				h := &heldConn{Conn: conn, mu: &mu, cond: cond, held: held[name]}
				go h.pump()
				return h, nil
			}
		}))
		members.Servers = append(members.Servers, raft.Server{ID: raftID(name, firstReplica), Address: raft.ServerAddress(name)})
	}
	if err := all[0].raft.BootstrapCluster(members).Error(); err != nil {
		t.Fatal(err)
	}
	return all, func(m *member, to bool) {
		mu.Lock()
		*held[m.name] = to
		cond.Broadcast()
		mu.Unlock()
	}
}

// Answers of both followers are under way, then the followers are gone, then the question is asked. Raft's own check takes the old answers for new
// ones and says "leader"; ours does not.
func TestAnswersUnderWayDoNotConfirmLeadership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, hold := heldMembers(t)
		leader := leaderOf(t, all...)
		var followers []raft.ServerID
		for _, m := range all {
			if m != leader {
				followers = append(followers, raftID(m.name, firstReplica))
			}
		}
		confirmed := func(m Mark) (count int) {
			for _, id := range followers {
				if leader.trans.contacts.since(m, leader.raft.CurrentTerm(), id) {
					count++
				}
			}
			return count
		}
		fresh := leader.trans.contacts.mark()
		eventually(t, "both answer something new", func() bool { return confirmed(fresh) == 2 })

		hold(leader, true)
		pass(120 * time.Millisecond) // A heartbeat each is sent and answered, and the answers lie.
		for _, m := range all {
			if m != leader {
				m.stop(t)
			}
		}
		question := leader.trans.contacts.mark()
		theirs := leader.raft.VerifyLeader()
		synctest.Wait()
		hold(leader, false)
		if err := theirs.Error(); err != nil {
			t.Errorf("vacuous: raft's own check was not fooled: %v", err)
		}
		synctest.Wait()
		if n := confirmed(question); n != 0 {
			t.Errorf("%d followers that were gone before the question confirm it", n)
		}
		if n := confirmed(fresh); n != 2 {
			t.Errorf("vacuous: %d followers ever answered", n)
		}
		leader.stop(t)
	})
}

func TestTheOnlyVoterIsItsMajority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		c := g.open()
		s := c.Shard(1)
		if m := s.Sent(); !s.Confirmed(m, s.Term()) || s.Answered(m, s.Term(), "n2") || s.Answered(m, s.Term(), "n1") {
			t.Error("one voter needs nobody's answer, and gets none")
		}
		g.close()
		if s.Confirmed(0, 0) {
			t.Error("a shard without a replica is confirmed")
		}
	})
}
