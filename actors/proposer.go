// Step 6 of an order: collect. A batch goes as soon as a slot is free; commits clock the batches, there is no timer.

package actors

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"holdfast/stock"
)

// Log is where a shard's proposals go.
type Log interface {
	// Propose appends a proposal; it does not wait. done is called once: nil when it is committed (its outcome comes from apply),
	// stock.ErrNotExecuted when it is known not to be in the log, anything else when nobody knows.
	Propose(data []byte, done func(error))
	// Leads reports whether raft still leads in a term.
	Leads(term uint64) bool
	// Sent returns a mark: every append and heartbeat that is sent later has a higher number (rule R9).
	Sent() (mark uint64)
	// Confirmed reports whether a majority of the voters, this replica counted if it is one, answered in the term something with a number above the
	// mark. So a replica is a majority by itself when it is confirmed above every mark.
	Confirmed(mark, term uint64) bool
	// Heard returns a channel that is closed when the next answer has been counted.
	Heard() <-chan struct{}
	// Prompt has heartbeats sent now; it does not wait.
	Prompt()
	// Resign has leadership given to another voter, if there is one; it does not wait.
	Resign()
}

// proposer makes entries out of the commands that a shard's actors admit. At most MaxOutstanding entries are on their way at once.
type proposer struct {
	r    *Replica
	box  *mailbox
	term uint64 // of what may be proposed; 0 while closed

	queue []item
	// waiting is the length of queue after the last turn, for metrics.
	waiting  atomic.Int64
	sequence uint64
	writer   *stock.ProposalWriter
	inFlight int
	retry    *time.Timer // of an opening entry that was lost
}

// batch is a proposal on its way.
type batch struct {
	sequence, term uint64
	checksum       uint32
	items          []item
}

// retained keeps the batches on their way, so that the leader applies its own without decoding them (rule R1).
type retained struct {
	mu      sync.Mutex // guards batches; taken once an entry
	batches map[uint64]*batch
}

func (r *retained) put(b *batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batches[b.sequence] = b
}

// take removes a batch; nil when it is not there any more.
func (r *retained) take(sequence uint64) *batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.batches[sequence]
	delete(r.batches, sequence)
	return b
}

func (r *retained) all() (batches []*batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.batches {
		batches = append(batches, b)
	}
	clear(r.batches)
	return batches
}

// Receive takes turns and the actor system's own messages.
func (p *proposer) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *turn:
		for _, msg := range m.committed {
			p.handle(msg)
		}
		p.propose()
		p.waiting.Store(int64(len(p.queue)))
	case *actor.Stopped:
		if p.retry != nil {
			p.retry.Stop()
		}
		p.r.abandon(p.box)
		finishItems(p.queue, stock.Outcome{Code: stock.NoLeader})
	}
}

func (p *proposer) handle(msg any) {
	switch m := msg.(type) {
	case *submit:
		p.collect(m.items)
	case *leading:
		p.lead(m.term)
	case *reopen:
		if m.term == p.term && p.r.log.Leads(p.term) {
			p.queue = append(p.queue, item{cmd: &stock.Open{Term: p.term}, term: p.term})
		}
	case *closing:
		if m.term >= p.term {
			p.close()
		}
	case *resolved:
		p.resolved(m)
	}
}

// collect takes what was admitted in the term that is open, and gives the rest back.
func (p *proposer) collect(items []item) {
	var late []item
	p.queue = slices.Grow(p.queue, len(items))
	for _, it := range items {
		if it.term == p.term {
			p.queue = append(p.queue, it)
		} else {
			late = append(late, it)
		}
	}
	p.r.fail(late, stock.Outcome{Code: stock.NoLeader})
}

// lead proposes the opening entry of a term. Its clock is zero: log time stays where it is until the actors have seen every entry before it.
func (p *proposer) lead(term uint64) {
	if term <= p.term {
		return
	}
	if p.term != 0 {
		// The signal that it is over was late or lost; what the actors admit in it would only come back.
		p.r.system.Root.Send(p.r.directory.shard.Load(), &closing{p.term})
	}
	p.close()
	p.term = term
	p.queue = append(p.queue, item{cmd: &stock.Open{Term: term}, term: term})
}

func (p *proposer) close() {
	p.term = 0
	p.r.fail(p.queue, stock.Outcome{Code: stock.NoLeader})
	p.queue = nil
}

// propose fills entries while there is something to say and a slot to say it in.
func (p *proposer) propose() {
	for p.inFlight < p.r.cfg.MaxOutstanding && len(p.queue) > 0 && p.term != 0 {
		b, data := p.fill()
		if b == nil {
			continue
		}
		p.inFlight++
		p.r.retained.put(b)
		p.r.metrics.proposed(len(b.items), len(data))
		began := time.Now()
		p.r.log.Propose(data, func(err error) {
			if err == nil {
				p.r.metrics.committed(began)
			}
			p.box.PostUserMessage(&resolved{b.sequence, err})
		})
	}
}

// usualItems is about how many orders the longest entry of the usual length holds.
const usualItems = 4096

// fill encodes what fits into one entry. A request whose caller has left stays out of the log.
func (p *proposer) fill() (*batch, []byte) {
	p.sequence++
	p.r.issued.Store(p.sequence)
	h := stock.Header{Term: p.term, Incarnation: p.r.incarnation, Sequence: p.sequence}
	p.writer.Reset(h)
	b := &batch{sequence: p.sequence, term: p.term, items: make([]item, 0, min(len(p.queue), usualItems))}
	var left []item
	opening := false
	for len(p.queue) > 0 {
		it := p.queue[0]
		if _, opening = it.cmd.(*stock.Open); opening && len(b.items) > 0 {
			opening = false
			break
		}
		if it.p != nil && !it.p.propose() {
			left = append(left, it)
			p.queue = p.queue[1:]
			continue
		}
		if err := p.writer.Add(it.cmd); errors.Is(err, stock.ErrTooLarge) && len(b.items) > 0 {
			p.r.metrics.full.Inc()
			break
		} else if err != nil {
			p.refuse(it, err)
			p.queue = p.queue[1:]
			continue
		}
		b.items = append(b.items, it)
		p.queue = p.queue[1:]
		if opening {
			break
		}
	}
	p.r.fail(left, stock.Outcome{Code: stock.DeadlineExceeded})
	if len(b.items) == 0 {
		return nil, nil
	}
	clock := p.r.clock.now()
	if opening {
		clock = 0
	}
	data := p.writer.Seal(clock)
	_, b.checksum, _ = stock.PeekHeader(data)
	return b, data
}

// refuse answers a command that cannot be encoded: a bug in front of it, and nothing entered the log.
func (p *proposer) refuse(it item, err error) {
	p.r.logger.Error("a command cannot be encoded", "kind", it.cmd.Kind(), "error", err)
	p.r.fail([]item{it}, stock.Outcome{Code: stock.Internal})
}

// resolved frees the slot of a proposal. What the actors have been handed is answered by apply; for the rest callers are told what is known.
func (p *proposer) resolved(m *resolved) {
	p.inFlight--
	b := p.r.retained.take(m.sequence)
	if b == nil {
		return
	}
	out := stock.Outcome{Code: stock.OutcomeUnknown}
	if errors.Is(m.err, stock.ErrNotExecuted) {
		out.Code = stock.NoLeader
	}
	p.r.fail(b.items, out)
	p.openAgain(b)
}

// reopenAfter is how long a leader waits before it proposes its opening entry again.
const reopenAfter = 20 * time.Millisecond

// openAgain sees to it that a leader whose opening was lost, or the command that says what the shard is, does not stay closed for its whole
// term: raft names a term once.
func (p *proposer) openAgain(b *batch) {
	switch b.items[0].cmd.(type) {
	case *stock.Open, *stock.Init:
		if p.retry != nil {
			p.retry.Stop()
		}
		p.retry = time.AfterFunc(reopenAfter, func() { p.box.PostUserMessage(&reopen{b.term}) })
	}
}

func finishItems(items []item, out stock.Outcome) {
	var all tally
	for i := range items {
		if p := items[i].p; p != nil {
			all.finish(p, out)
		}
	}
	all.end()
}
