package actors

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"holdfast/stock"
)

// stopper supervises the actors of a replica: stop, never restart. The library's default makes a new instance with empty state and goes on with
// the next message (rule R17).
type stopper struct{ r *Replica }

var _ actor.SupervisorStrategy = stopper{}

// HandleFailure stops the actor that panicked and takes its replica down.
func (s stopper) HandleFailure(_ *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	supervisor.StopChildren(child)
	index := s.r.applying.Load()
	if p, ok := reason.(*panicked); ok && p.index != 0 {
		index = p.index
	}
	s.r.fault(index, fmt.Errorf("%w: %v", ErrPanic, reason))
}

// abandon closes a mailbox and answers everybody in it.
func (r *Replica) abandon(box *mailbox) {
	r.loseAll(box.close())
}

func (r *Replica) loseAll(committed []any, requests []*pending) {
	for _, p := range requests {
		r.lost(p)
	}
	for _, msg := range committed {
		r.lost(msg)
	}
}

// lost answers those who wait for a message that no actor will receive: what was not proposed was not executed (rule R16).
func (r *Replica) lost(msg any) {
	switch m := msg.(type) {
	case *pending:
		r.metrics.lost.Inc()
		m.finish(stock.Outcome{Code: stock.NoLeader})
	case *bundle:
		for _, p := range m.requests {
			r.lost(p)
		}
	case *submit:
		finishItems(m.items, stock.Outcome{Code: stock.NoLeader})
	case *failed:
		finishItems(m.items, m.out)
	case *entry:
		finishItems(m.items, stock.Outcome{Code: stock.OutcomeUnknown})
		m.tear()
	case *portion:
		finishItems(m.items, stock.Outcome{Code: stock.OutcomeUnknown})
		m.entry.tear()
	case *mark:
		m.torn.Store(true)
		m.release()
	case *handBack:
		m.desk.close()
	}
}

// start spawns the shard's actor and the proposer.
func (r *Replica) start() error {
	shard := &shardActor{
		r: r, book: stock.NewBook(), desks: make(map[uint32]*desk), hot: make(map[uint32]*hotSKU), box: newMailbox(r.lost),
	}
	shard.book.BoundJournal(r.cfg.MaxJournalRows)
	r.shardBox = shard.box
	r.proposer = &proposer{r: r, box: newMailbox(r.lost), writer: stock.NewProposalWriter(r.cfg.MaxProposalBytes)}
	for _, a := range []struct {
		name string
		box  *mailbox
		is   actor.Actor
	}{{"shard", shard.box, shard}, {"proposer", r.proposer.box, r.proposer}} {
		props := actor.PropsFromProducer(func() actor.Actor { return a.is },
			actor.WithMailbox(func() actor.Mailbox { return a.box }), actor.WithSupervisor(stopper{r}), actor.WithGuardian(stopper{r}))
		pid, err := r.system.Root.SpawnNamed(props, fmt.Sprintf("%s-%d-%x", a.name, r.shard, r.incarnation))
		if err != nil {
			return fmt.Errorf("actors: spawn the %s of shard %d: %w", a.name, r.shard, err)
		}
		r.pids = append(r.pids, pid)
	}
	r.directory.shard.Store(r.pids[0])
	return nil
}

// Close stops the actors and waits for them. Whoever still waits is told that nothing was executed, or that the outcome is unknown.
func (r *Replica) Close() {
	r.closeOnce.Do(func() {
		close(r.closed)
		r.stop()
		r.term.Store(0)
		for _, pid := range r.pids {
			// The future ends when the actor and its children have stopped; an actor that is gone already ends it at once.
			_ = r.system.Root.StopFuture(pid).Wait()
		}
		<-r.confirmer.done
		<-r.opener.done
		for _, b := range r.retained.all() {
			finishItems(b.items, stock.Outcome{Code: stock.OutcomeUnknown})
		}
		r.alarmed.Range(func(any, any) bool { r.metrics.broken.Dec(); return true })
		r.metrics.forget(r)
	})
}
