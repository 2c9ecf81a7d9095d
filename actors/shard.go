package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"holdfast/stock"
)

// maxIdleDesks bounds the desks that are kept for cold SKUs with nothing going on.
const maxIdleDesks = 65536

// shardActor owns the rows of its shard's cold SKUs. It receives the committed entries in log order, applies its own part and passes the rest
// to the actors of hot SKUs. Leader and follower run the same code.
type shardActor struct {
	r    *Replica
	box  *mailbox
	book *stock.Book

	desks map[uint32]*desk   // cold SKUs with something going on
	hot   map[uint32]*hotSKU // SKUs whose ledger is away
	// touched are the desks to settle at the end of an entry, filled the hot SKUs with a part of it.
	touched []*desk
	filled  []*hotSKU

	marker     marker
	settings   stock.Settings // those that the replica tells of
	stopping   bool
	term       uint64 // that admission is open for; 0 while closed
	opening    uint64 // term that waits for the shard to be initialized
	unagreed   uint64 // term that waits for the clocks to agree
	lastClosed uint64
	index      uint64
	tray       tray
	alarm      alarmClock
	recallAt   stock.Time // when lost releases of due holds are proposed again; 0: none was lost
	sweeper    alarmClock
	sweepFrom  uint32
	hotSweepAt stock.Time
	spawned    int
}

// Receive takes turns and the actor system's own messages.
func (s *shardActor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *turn:
		s.turn(ctx, m)
	case *actor.Stopping:
		s.stopping = true
		s.alarm.stop()
		s.sweeper.stop()
	case *actor.Stopped:
		s.r.abandon(s.box)
		s.abandonAll()
		s.r.metrics.hot.Sub(float64(len(s.hot)))
	}
}

func (s *shardActor) turn(ctx actor.Context, t *turn) {
	// While its children stop it takes nothing: a child that it made now would never be stopped.
	if s.stopping {
		s.r.loseAll(t.committed, t.requests)
		return
	}
	for _, msg := range t.committed {
		s.committed(ctx, msg)
	}
	clock := s.r.clock.now() // once a turn: everything in it has come before
	for _, p := range t.requests {
		s.request(ctx, p, clock)
	}
	s.expire()
	s.r.handOn(&s.tray)
}

func (s *shardActor) committed(ctx actor.Context, msg any) {
	switch m := msg.(type) {
	case *entry:
		if s.marker.condemned {
			s.r.lost(m)
			return
		}
		s.entry(ctx, m)
	case *mark:
		s.mark(ctx, m)
	case *failed:
		s.failed(ctx, m)
	case *closing:
		s.close(ctx, m)
	case *handBack:
		s.handBack(ctx, m)
	case *agreed:
		if s.unagreed == m.term {
			s.open(ctx, m.term)
		}
	case *restored:
		s.restore(ctx, m)
	case *evictable:
		s.proposeFlushSpan(m.number)
	case *wake:
		s.alarm.stop() // expire sets it again
		s.sweep(ctx)
	}
}

// request admits what is the shard's own and passes the rest on.
func (s *shardActor) request(ctx actor.Context, p *pending, clock stock.Time) {
	owner := s.book.Owner(p.flight.Req)
	switch {
	case owner.Away():
		s.hot[owner.Number].forward(ctx, p)
	case owner.Number != 0:
		d := s.desk(owner)
		d.admit(p, clock)
		s.dropIdle(d)
	case s.term == 0:
		p.finish(stock.Outcome{Code: stock.NoLeader})
	case ownedByShard(p.flight.Req):
		s.tray.items = append(s.tray.items, item{cmd: p.flight.Req.(stock.Command), p: p, term: s.term})
	default:
		s.tray.answer(p, s.book.NotFound(p.flight.Req), s.term)
	}
}

// ownedByShard tells the commands that are for the shard itself, or for a SKU that is to be made.
func ownedByShard(r stock.Request) bool {
	_, create := r.(*stock.Create)
	return create
}

// desk returns the desk of a cold SKU.
func (s *shardActor) desk(o stock.Owner) *desk {
	d := s.desks[o.Number]
	if d == nil {
		d = newDesk(s.r, o.Ledger, s.r.directory.add(o.Ledger.Name(), o.Number), s.term, &s.tray)
		s.desks[o.Number] = d
	}
	return d
}

func (s *shardActor) touch(d *desk) {
	if !d.touched {
		d.touched = true
		s.touched = append(s.touched, d)
	}
}

// settleTouched ends the work of one entry on the shard's own SKUs.
func (s *shardActor) settleTouched() {
	for i, d := range s.touched {
		s.touched[i], d.touched = nil, false
		d.settle()
		s.dropIdle(d)
	}
	s.touched = s.touched[:0]
}

// dropIdle forgets a desk with nothing going on when there are many.
func (s *shardActor) dropIdle(d *desk) {
	if len(s.desks) > maxIdleDesks && d.window.Idle() {
		delete(s.desks, d.ledger.Number())
	}
}

// entry applies one entry of the log. Its parts for hot SKUs go to their actors when the shard's own are done.
func (s *shardActor) entry(ctx actor.Context, e *entry) {
	s.index, s.box.applying = e.index, e.index
	s.r.applying.Store(e.index)
	if s.term != 0 && e.term > s.term {
		// Another leads, or this replica again: the signal that the term is over was late or lost.
		s.r.proposer.box.PostUserMessage(&closing{e.term - 1})
		s.close(ctx, &closing{e.term - 1})
	}
	if e.term != e.header.Term {
		s.void(ctx, e)
		return
	}
	at := s.book.Begin(e.header, e.index)
	s.marker.note(e)
	var before *hotSKU // that the command before went to
	for i := range e.items {
		if before != nil && sameSKU(e.items[i-1].cmd, e.items[i].cmd) {
			s.fill(before, at, e, i)
			continue
		}
		if before = s.command(ctx, at, e, i); s.marker.condemned {
			finishItems(e.items[i+1:], stock.Outcome{Code: stock.OutcomeUnknown})
			break
		}
	}
	s.r.count(s.book.TakeMoves(), s.term, e.index)
	s.tellSettings()
	s.settleTouched()
	for _, h := range s.filled {
		h.flush(ctx)
	}
	s.filled = s.filled[:0]
	if s.marker.marked == e.index {
		s.noteIdentity(ctx, e.index)
	}
	e.release()
}

// void drops a proposal that was admitted in another term than its entry's: everything in it was answered when that term closed, and every
// replica drops it alike (rule R14).
func (s *shardActor) void(ctx actor.Context, e *entry) {
	s.r.metrics.voided.Inc()
	if len(e.items) > 0 {
		s.failed(ctx, &failed{items: e.items, out: stock.Outcome{Code: stock.NoLeader}, replica: s.r})
	}
	e.release()
}

// command applies a command of an entry, or adds it to its hot SKU's part, which it returns then.
func (s *shardActor) command(ctx actor.Context, at stock.Position, e *entry, i int) *hotSKU {
	it := e.items[i]
	switch c := it.cmd.(type) {
	case *stock.Open:
		s.book.Apply(at, c)
		s.open(ctx, c.Term)
		return nil
	case *stock.Init:
		s.book.Apply(at, c)
		s.open(ctx, s.opening)
		return nil
	case *stock.HashMark:
		s.book.Apply(at, c)
		s.hashMark(ctx, e, c)
		return nil
	}
	if stock.Broadcast(it.cmd) {
		s.broadcast(at, e, it)
		return nil
	}
	owner := s.book.Owner(it.cmd)
	if owner.Away() {
		s.away(ctx, at, e, i, s.hot[owner.Number])
		return s.hot[owner.Number]
	}
	var out stock.Outcome
	if it.p == nil {
		out = s.book.ApplyUnheard(at, it.cmd)
	} else {
		out = s.book.Apply(at, it.cmd)
	}
	if owner = s.book.Owner(it.cmd); owner.Number == 0 {
		s.answer(it, out)
		return nil
	}
	d := s.desk(owner)
	d.note(it, out)
	s.touch(d)
	if d.ledger.Hot() {
		d.settle()
		s.promote(ctx, d)
	}
	return nil
}

// answer finishes a request that no SKU answers.
func (s *shardActor) answer(it item, out stock.Outcome) {
	if it.p != nil {
		s.r.metrics.answered(out)
		it.p.finish(out)
	}
}

// broadcast applies a command to every ledger that it reaches, wherever that is.
func (s *shardActor) broadcast(at stock.Position, e *entry, it item) {
	if s.book.Everyone(at, it.cmd) {
		for _, h := range s.hot {
			if stock.Reaches(it.cmd, h.number) {
				p := s.portion(h, at, e)
				p.items, p.next = append(p.items, item{cmd: it.cmd}), 0
			}
		}
	}
	s.answer(it, s.book.Apply(at, it.cmd))
}

// away adds a command to its hot SKU's part of the entry. One that makes the SKU cold demotes it first: it is applied after the ledger came back.
func (s *shardActor) away(ctx actor.Context, at stock.Position, e *entry, i int, h *hotSKU) {
	if u, ok := e.items[i].cmd.(*stock.Update); ok && u.Patch.Hot != nil && !*u.Patch.Hot && !h.limbo {
		h.flush(ctx)
		s.demote(ctx, h)
	}
	s.fill(h, at, e, i)
}

// fill adds a command to its hot SKU's part of the entry. What stands together there is not copied.
func (s *shardActor) fill(h *hotSKU, at stock.Position, e *entry, i int) {
	p := s.portion(h, at, e)
	switch n := len(p.items); {
	case n == 0:
		p.items, p.next = e.items[i:i+1:i+1], i+1
	case p.next == i:
		p.items, p.next = e.items[i-n:i+1:i+1], i+1
	default:
		p.items, p.next = append(p.items, e.items[i]), 0
	}
}

// portion returns a hot SKU's part of the entry, which it begins when there is none.
func (s *shardActor) portion(h *hotSKU, at stock.Position, e *entry) *portion {
	if h.filling == nil {
		e.holders.Add(1)
		h.filling = &portion{at: at, entry: e}
		s.filled = append(s.filled, h)
	}
	return h.filling
}

// mark visits the shard's ledgers and sends the mark on to the hot ones.
func (s *shardActor) mark(ctx actor.Context, m *mark) {
	m.applied = s.index
	m.holders.Add(int64(len(s.hot)))
	m.book(s.book)
	if m.desk != nil {
		for _, d := range s.desks {
			m.desk(d)
		}
	}
	for _, h := range s.hot {
		h.send(ctx, m)
	}
	m.release()
}

// failed takes back what will not be answered by apply.
func (s *shardActor) failed(ctx actor.Context, m *failed) {
	byHot := make(map[*hotSKU][]item)
	expiries := false
	for _, it := range m.items {
		owner := s.book.Owner(it.cmd)
		switch {
		case owner.Away():
			h := s.hot[owner.Number]
			byHot[h] = append(byHot[h], it)
		case owner.Number != 0:
			d := s.desk(owner)
			d.note(it, m.out)
			s.touch(d)
			_, expiry := it.cmd.(*stock.Expire)
			expiries = expiries || expiry
		default:
			s.answer(it, m.out)
		}
	}
	s.settleTouched()
	for h, items := range byHot {
		h.send(ctx, &failed{items: items, out: m.out, replica: s.r})
	}
	if expiries {
		s.recallAt = s.r.clock.now().Add(expiryRetryMS)
	}
}
