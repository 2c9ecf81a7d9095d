package cluster

import (
	"time"

	"github.com/hashicorp/raft"
)

// watch tells the machine about leadership until the replica stops. A signal only says "look": what counts is the state read after it, and terms
// are compared, never booleans, so that A -> B -> A within one look is a loss and a win (rule R14). Signals may be dropped, hence the ticker.
func (r *replica) watch() {
	ticker := time.NewTicker(r.cfg.PollInterval)
	defer ticker.Stop()
	var led uint64 // the term the machine was told to lead in; 0 for none
	for {
		led = r.look(led)
		select {
		case <-r.notify:
			r.drain()
		case <-r.poke:
		case <-ticker.C:
		case <-r.stop:
			r.look(led) // The replica is halted: whatever was led is over.
			return
		}
	}
}

// observe is what raft tells of itself, in its own goroutine: that there is another leader, or none, is to be looked at now. Its signals in notify are
// of this replica's own leadership alone. Nothing is kept: an observation, too, only says "look".
func (r *replica) observe(o *raft.Observation) bool {
	if _, moved := o.Data.(raft.LeaderObservation); moved {
		r.hint()
	}
	return false
}

// hint has leadership looked at now.
func (r *replica) hint() {
	select {
	case r.poke <- struct{}{}:
	default:
	}
}

// leaderInTerm is who leads a group, "" for nobody, and in which term.
type leaderInTerm struct {
	leader string
	term   uint64
}

func (r *replica) drain() {
	for {
		select {
		case <-r.notify:
		default:
			return
		}
	}
}

// look reads leadership and tells the machine what changed since the machine was told about term led.
func (r *replica) look(led uint64) uint64 {
	term, leads := r.leadership()
	if led != 0 && (!leads || term != led) {
		r.machine.Follow(led)
		led = 0
	}
	if leads && led == 0 {
		led = term
		r.machine.Lead(term)
	}
	now := time.Now()
	r.checkTransfer(now, leads)
	r.checkTrailing(now, leads)
	m := r.shard.metrics
	m.leads.Set(0)
	if leads {
		m.leads.Set(1)
	}
	m.term.Set(float64(r.raft.CurrentTerm()))
	m.commitIndex.Set(float64(r.raft.CommitIndex()))
	if leader := r.shard.Leader(); leader != "" && leader != r.ledBy {
		r.ledBy = leader
		m.leaders.Inc()
	}
	r.tell(leaderInTerm{term: r.raft.CurrentTerm(), leader: r.shard.Leader()})
	return led
}

// tell tells of another leader.
func (r *replica) tell(now leaderInTerm) {
	if now == r.told {
		return
	}
	r.told = now
	if r.cfg.OnLeader != nil {
		r.cfg.OnLeader(r.shard.id)
	}
}

// leadership reports whether this replica leads and in which term. Raft changes term and state one after the other: it leads in a term only if
// the term was the same before and after the state was read.
func (r *replica) leadership() (term uint64, leads bool) {
	if r.halted.Load() {
		return 0, false
	}
	term = r.raft.CurrentTerm()
	leads = r.raft.State() == raft.Leader
	return term, leads && r.raft.CurrentTerm() == term
}
