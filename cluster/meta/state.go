package meta

import (
	"fmt"

	"github.com/cespare/xxhash/v2"

	"holdfast/stock"
)

// Level is the highest level of features that this program knows (rule R1): one number for the meta group and the shards.
const Level = stock.Level

// State is the meta group's state machine: one goroutine applies entries to it in log order.
type State struct {
	now     stock.Time
	cluster Cluster
	memory  []remembered
	// shown is what Cluster handed out; nil when something changed since.
	shown *Cluster
}

// New returns the state before the first entry.
func New() *State { return &State{cluster: Cluster{NextReplica: 1, NextChange: 1}} }

// Now returns log time.
func (s *State) Now() stock.Time { return s.now }

// Cluster returns what is known of the cluster. It never changes: it may be handed to other goroutines.
func (s *State) Cluster() *Cluster {
	if s.shown == nil {
		s.shown = s.cluster.clone()
	}
	return s.shown
}

// Apply applies an entry of the log and returns the outcome of its command. An error is final: ErrUnknownCommand, ErrUnknownLevel or
// ErrMalformed stop the replica, which never skips the entry (rule R1). The state is then as it was before.
func (s *State) Apply(data []byte) (Command, Outcome, error) {
	clock, c, err := DecodeEntry(data)
	if err != nil {
		return nil, Outcome{}, err
	}
	if level := levelOf(c); level > Level {
		return nil, Outcome{}, fmt.Errorf("%w: level %d, this binary knows %d", ErrUnknownLevel, level, Level)
	}
	body, err := bodyHash(c)
	if err != nil {
		return nil, Outcome{}, err
	}
	s.now = max(s.now, clock)
	s.forget()
	h := c.Head()
	out, decided := s.standing(h, body)
	if !decided {
		out = s.execute(c)
		s.memory = append(s.memory, remembered{Caller: h.Caller, Key: h.Key, Body: body, Until: h.Deadline, Outcome: out})
	}
	return c, out, nil
}

// levelOf returns the level that a command puts the cluster on, 0 for none.
func levelOf(c Command) uint16 {
	switch c := c.(type) {
	case *Create:
		return c.Level
	case *RaiseLevel:
		return c.Level
	}
	return 0
}

// bodyHash returns a hash over a command without its head.
func bodyHash(c Command) (uint64, error) {
	h := c.Head()
	kept := *h
	*h = Keyed{}
	b, err := marshal(c)
	*h = kept
	if err != nil {
		return 0, err
	}
	return xxhash.Sum64(append(b, byte(c.Kind()))), nil
}

// execute decides about a command, and shows what it changed.
func (s *State) execute(c Command) Outcome {
	if create, ok := c.(*Create); ok {
		return s.accepted(s.create(create), true)
	}
	if !s.cluster.Created() {
		return refuse(NotCreated)
	}
	switch c := c.(type) {
	case *AddNode:
		return s.accepted(s.addNode(c), true)
	case *UpdateNode:
		return s.accepted(s.updateNode(c), true)
	case *Adopt:
		return s.accepted(s.adopt(c), true)
	case *Begin:
		return s.accepted(s.begin(c), true)
	case *Report:
		return s.accepted(s.report(c), false)
	case *Finish:
		return s.accepted(s.finish(c), true)
	case *Abort:
		return s.accepted(s.abort(c), true)
	case *SetSettings:
		return s.accepted(s.setSettings(c), true)
	case *RaiseLevel:
		return s.accepted(s.raiseLevel(c), true)
	case *RaiseEpoch:
		return s.accepted(s.raiseEpoch(c), true)
	}
	panic(fmt.Sprintf("meta: %T is decoded but not executed", c))
}

// accepted raises the version for a command that changed something, and drops what was shown.
func (s *State) accepted(out Outcome, counts bool) Outcome {
	if out.Code != OK || out.Replayed {
		return out
	}
	if counts {
		s.cluster.Version++
	}
	s.shown = nil
	return out
}
