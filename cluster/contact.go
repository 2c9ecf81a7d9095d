package cluster

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// Mark is a moment in what a shard's replica here has sent: everything sent later has a higher number.
type Mark = uint64

// contacts counts which members of a group answered what (rule R9). Each append and heartbeat takes a number before its first byte leaves; an
// answer of the same term counts for that number. So an answer that was already under way when a mark was taken never counts for the mark: raft's
// own check counts it, and said "still leader" in 63 of 63 stale cases.
//
// It outlives the replica's transport: numbers never begin anew.
type contacts struct {
	sent atomic.Uint64

	mu         sync.Mutex // guards what follows
	heard      map[raft.ServerID]contact
	installing map[raft.ServerID]int // snapshots on their way
	news       chan struct{}         // closed with the next answer
}

// contact is the latest that a member answered.
type contact struct {
	term uint64
	// Invariant: sent is the highest number of what the member answered in term.
	sent uint64
	// matched is the last index that it was seen to have in common with this replica, in term.
	matched uint64
	at      time.Time // of the answer
}

func newContacts() *contacts {
	return &contacts{heard: make(map[raft.ServerID]contact), installing: make(map[raft.ServerID]int), news: make(chan struct{})}
}

// send returns the number of what is sent next.
func (c *contacts) send() uint64 { return c.sent.Add(1) }

// mark returns the number of what was sent last.
func (c *contacts) mark() Mark { return Mark(c.sent.Load()) }

// answered notes that a member answered, in the same term, what was sent with that number in that term, and up to which index it said to have the
// log; 0 when it did not say.
func (c *contacts) answered(member raft.ServerID, term, sent, matched uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.heard[member]
	if term < last.term {
		return
	}
	if term == last.term {
		matched = max(matched, last.matched)
		if sent <= last.sent {
			last.matched = matched
			c.heard[member] = last
			return
		}
	}
	c.heard[member] = contact{term: term, sent: sent, matched: matched, at: time.Now()}
	close(c.news)
	c.news = make(chan struct{})
}

// since reports whether a member answered, in that term, something sent after the mark.
func (c *contacts) since(m Mark, term uint64, member raft.ServerID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.heard[member]
	return last.term == term && last.sent > uint64(m)
}

// last returns the latest that a member answered.
func (c *contacts) last(member raft.ServerID) contact {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard[member]
}

// install counts a snapshot that is sent to a member, until done is called.
func (c *contacts) install(member raft.ServerID) (done func()) {
	c.count(member, 1)
	return func() { c.count(member, -1) }
}

func (c *contacts) count(member raft.ServerID, by int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.installing[member] += by; c.installing[member] == 0 {
		delete(c.installing, member)
	}
}

// installs reports whether a snapshot is on its way to a member.
func (c *contacts) installs(member raft.ServerID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.installing[member] > 0
}

func (c *contacts) next() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.news
}

// Sent returns the mark of now. A leadership check begins with it, after the decision that it is to confirm.
func (s *Shard) Sent() Mark { return s.contacts.mark() }

// Answered reports whether a node's replica answered this one, in that raft term, an append or a heartbeat that was sent after the mark.
// It knows the voters of the newest configuration; a learner, and this node itself, never answered.
func (s *Shard) Answered(m Mark, term uint64, node string) bool {
	voters, _ := s.voters()
	for _, voter := range voters {
		if nodeOf(voter) == node {
			return s.contacts.since(m, term, voter)
		}
	}
	return false
}

// Confirmed reports whether a majority of the voters, this replica counted if it is one, answered in that term what was sent after the mark. It
// says that nobody else led in a higher term when the mark was taken, if this replica led in that term then; Leads says that. It sends nothing by
// itself: heartbeats come every tenth of Config.HeartbeatTimeout, and Heard tells of answers.
func (s *Shard) Confirmed(m Mark, term uint64) bool {
	r := s.replica.Load()
	if r == nil {
		return false
	}
	voters, answered := 0, 0
	for _, member := range r.raft.GetConfiguration().Configuration().Servers {
		if member.Suffrage != raft.Voter {
			continue
		}
		voters++
		if member.ID == r.self || s.contacts.since(m, term, member.ID) {
			answered++
		}
	}
	return 2*answered > voters
}

// Heard returns a channel that is closed when the next answer has been counted.
func (s *Shard) Heard() <-chan struct{} { return s.contacts.next() }

// voters returns the raft ids of the voters in the newest configuration that this replica knows, and its own.
func (s *Shard) voters() (voters []raft.ServerID, self raft.ServerID) {
	r := s.replica.Load()
	if r == nil {
		return nil, ""
	}
	for _, member := range r.raft.GetConfiguration().Configuration().Servers {
		if member.Suffrage == raft.Voter {
			voters = append(voters, member.ID)
		}
	}
	return voters, r.self
}
