package meta

import (
	"slices"

	"holdfast/stock"
)

// MaxRemembered bounds the outcomes that are remembered at a time; beyond it commands are refused until a deadline has passed.
const MaxRemembered = 4096

// remembered is the outcome of a command, kept until its deadline so that a late copy changes nothing (rule R5).
type remembered struct {
	Caller, Key string
	// Body is a hash over the command without its head: another one with the same key is refused.
	Body    uint64
	Until   stock.Time
	Outcome Outcome
}

// forget drops the outcomes whose deadlines have passed.
func (s *State) forget() {
	s.memory = slices.DeleteFunc(s.memory, func(r remembered) bool { return r.Until <= s.now })
}

// recall returns what is remembered under a key, nil for nothing.
func (s *State) recall(h *Keyed) *remembered {
	for i := range s.memory {
		if r := &s.memory[i]; r.Key == h.Key && r.Caller == h.Caller {
			return r
		}
	}
	return nil
}

// standing answers a command from what is remembered, or because of its head; decided is false when the command is to be executed.
func (s *State) standing(h *Keyed, body uint64) (out Outcome, decided bool) {
	if r := s.recall(h); r != nil {
		if r.Body != body {
			return refuse(KeyReused), true
		}
		if h.Deadline <= s.now.Add(MaxDeadlineMS) {
			r.Until = max(r.Until, h.Deadline)
		}
		out = r.Outcome
		out.Replayed = true
		return out, true
	}
	switch {
	case h.Deadline <= s.now:
		return refuse(DeadlineExceeded), true
	case h.Deadline > s.now.Add(MaxDeadlineMS):
		return invalid("deadline", "must be at most an hour ahead"), true
	case stock.CheckKey(h.Key) != "":
		return invalid("key", stock.CheckKey(h.Key)), true
	case len(s.memory) >= MaxRemembered:
		return refuseWith(Overloaded, Detail{Limit: MaxRemembered}), true
	}
	return Outcome{}, false
}
