package cluster

import "github.com/hashicorp/raft"

// prompting is where a prompt stands.
const (
	promptIdle  int32 = iota
	promptUnder       // heartbeats were asked for
	promptAgain       // and somebody wants some that are sent later
)

// Prompt has heartbeats sent now instead of at the next tenth of Config.HeartbeatTimeout, so that Confirmed is true sooner (rule R9). It never
// blocks, and does nothing while this replica does not lead. At most one is under way: whoever asks meanwhile shares the next.
func (s *Shard) Prompt() {
	r := s.replica.Load()
	if r == nil {
		return
	}
	if _, leads := r.leadership(); !leads {
		return
	}
	for {
		switch {
		case r.prompting.CompareAndSwap(promptIdle, promptUnder):
			if !r.begin(r.prompt) {
				r.prompting.Store(promptIdle)
			}
			return
		case r.prompting.CompareAndSwap(promptUnder, promptAgain), r.prompting.Load() == promptAgain:
			return
		}
	}
}

// prompt sends heartbeats until nobody wants more. What raft's own check says is never looked at: it counts answers that were under way before, and
// those of learners. It is the only call of raft's that has heartbeats sent.
func (r *replica) prompt() {
	for {
		check := r.ask()
		if check == nil {
			r.prompting.Store(promptIdle)
			return
		}
		_ = check.Error()
		if r.prompting.CompareAndSwap(promptUnder, promptIdle) {
			return
		}
		r.prompting.Store(promptUnder)
	}
}

// ask asks for heartbeats; nil when the replica stops. Raft would forget a question that is put to it after it was shut down, and a goroutine would
// wait for ever: close has the lock before it shuts raft down. The question goes into a queue that has room for it.
func (r *replica) ask() raft.Future {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refusing {
		return nil
	}
	return r.raft.VerifyLeader()
}

// begin runs a short task that close waits for; false when the replica stops.
func (r *replica) begin(task func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refusing {
		return false
	}
	r.tasks++
	go func() {
		defer r.ended()
		task()
	}()
	return true
}

func (r *replica) ended() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tasks--
	r.settleLocked()
}
