package actors

import (
	"sync/atomic"

	"holdfast/stock"
)

// item is a command and, on the leader that proposed it, who waits for it.
type item struct {
	cmd stock.Command
	p   *pending
	// term is the one it was admitted in, and the only one it may be proposed in (rule R14).
	term uint64
}

// entry is one committed entry of the log on its way through the actors.
type entry struct {
	index, term uint64
	header      stock.Header
	items       []item
	// holders counts the actors that have not applied their part yet.
	holders atomic.Int64
	replica *Replica
	// torn: a part of it will never be applied, because its actor is gone.
	torn atomic.Bool
}

// release is called by each holder when its part is applied.
func (e *entry) release() {
	if e.holders.Add(-1) > 0 {
		return
	}
	<-e.replica.progress.slots
	if !e.torn.Load() {
		e.replica.progress.complete(e.index)
	}
}

// tear is called instead of release by a holder that will not apply its part: the entry waits in actors no more, but does not count as applied.
func (e *entry) tear() {
	e.torn.Store(true)
	e.release()
}

// portion is what an entry holds for one SKU.
type portion struct {
	at    stock.Position
	entry *entry
	items []item
	// next: items are the entry's own before that place; 0: they were copied.
	next int
}

// opened says that the opening entry of a term is applied: admission opens (rule R14).
type opened struct{ term uint64 }

// agreed says that the clocks agree, so that a term may open.
type agreed struct{ term uint64 }

// reopen asks the proposer for another opening entry.
type reopen struct{ term uint64 }

// closing says that terms up to this one are over: everything admitted in them goes back where it came from.
type closing struct{ term uint64 }

// leading says that raft leads in a term.
type leading struct{ term uint64 }

// failed brings back what will not be answered by apply: it was not executed, or nobody knows.
type failed struct {
	items   []item
	out     stock.Outcome
	replica *Replica
}

// mark visits every ledger at one place of the log.
type mark struct {
	book   func(*stock.Book)
	ledger func(l *stock.Ledger, applied uint64)
	// desk, when set, visits the desks as well.
	desk func(*desk)
	// applied is the last entry before the mark.
	applied uint64
	// holders counts the actors that have not been visited yet; the last one calls then when the visit is complete, or closes done when there is one.
	holders atomic.Int64
	then    func()
	done    chan struct{}
	replica *Replica
	// torn: one of the actors was gone, so the visit is not complete.
	torn atomic.Bool
}

func (m *mark) release() {
	if m.holders.Add(-1) != 0 {
		return
	}
	if m.then != nil && !m.torn.Load() {
		m.then()
	}
	if m.done != nil {
		close(m.done)
	}
}

// wake says that a hold has fallen due, or that it is time to look for orders that may leave memory.
type wake struct{}

// sweep asks whether a flush mark would let orders leave memory.
type sweep struct{ flushed uint64 }

// evictable answers a sweep.
type evictable struct{ number uint32 }

// giveBack asks a hot SKU's actor for its ledger; it is the last committed message it gets (rule R16).
type giveBack struct{ of *hotSKU }

// handBack returns a ledger with all that goes with it.
type handBack struct {
	desk *desk
	// of is whom the ledger was asked from: a ledger of a state that was replaced meanwhile is not taken back.
	of *hotSKU
}

// linger tells the actor of a SKU that is hot no more to look whether anything still comes for it.
type linger struct{}

// restored replaces the whole state of a replica.
type restored struct {
	book *stock.Book
	done chan struct{}
}

// submit hands admitted commands to the proposer.
type submit struct{ items []item }

// resolved says what raft said of a proposal; nil means committed.
type resolved struct {
	sequence uint64
	err      error
}

// IgnoreDeadLetterLogging keeps messages that name buyers out of the actor system's log.
func (*pending) IgnoreDeadLetterLogging()  {}
func (*bundle) IgnoreDeadLetterLogging()   {}
func (*entry) IgnoreDeadLetterLogging()    {}
func (*portion) IgnoreDeadLetterLogging()  {}
func (*failed) IgnoreDeadLetterLogging()   {}
func (*handBack) IgnoreDeadLetterLogging() {}
