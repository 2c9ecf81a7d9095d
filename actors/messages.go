package actors

import (
	"sync/atomic"

	"holdfast/stock"
)

// item is a command and, on the leader that proposed it, who waits for it.
type item struct {
	cmd stock.Command
	p   *pending
}

// entry is one committed entry of the log on its way through the actors.
type entry struct {
	index, term uint64
	header      stock.Header
	items       []item
	// holders counts the actors that have not applied their part yet.
	holders atomic.Int64
	replica *Replica
}

// release is called by each holder when its part is applied.
func (e *entry) release() {
	if e.holders.Add(-1) == 0 {
		<-e.replica.progress.slots
		e.replica.progress.complete(e.index)
	}
}

// portion is what an entry holds for one SKU.
type portion struct {
	at    stock.Position
	entry *entry
	items []item
}

// opened says that the opening entry of a term is applied: admission opens (rule R14).
type opened struct{ term uint64 }

// closing says that terms up to this one are over: everything admitted in them goes back where it came from.
type closing struct{ term uint64 }

// leading says that raft leads in a term.
type leading struct{ term uint64 }

// failed brings back what will not be answered by apply: it was not executed, or nobody knows.
type failed struct {
	items []item
	out   stock.Outcome
}

// mark visits every ledger at one place of the log.
type mark struct {
	book   func(*stock.Book)
	ledger func(l *stock.Ledger, applied uint64)
	// applied is the last entry before the mark.
	applied uint64
	// holders counts the actors that have not been visited yet; the last one closes done.
	holders atomic.Int64
	done    chan struct{}
}

func (m *mark) release() {
	if m.holders.Add(-1) == 0 {
		close(m.done)
	}
}

// wake says that a hold has fallen due, or that it is time to look for orders that may leave memory.
type wake struct{}

// sweep asks whether a flush mark would let orders leave memory.
type sweep struct{ flushed uint64 }

// evictable answers a sweep.
type evictable struct{}

// giveBack asks a hot SKU's actor for its ledger; it is the last committed message it gets (rule R16).
type giveBack struct{}

// handBack returns a ledger with all that goes with it.
type handBack struct{ desk *desk }

// restored replaces the whole state of a replica.
type restored struct {
	book *stock.Book
	done chan struct{}
}

// submit hands admitted commands to the proposer.
type submit struct {
	items []item
	term  uint64
}

// resolved says what raft said of a proposal; nil means committed.
type resolved struct {
	sequence uint64
	err      error
}
