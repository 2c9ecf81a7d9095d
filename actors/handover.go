package actors

import (
	"fmt"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"holdfast/stock"
)

// hotSKU is what the shard's actor knows of a SKU whose ledger is away. A hand-over happens at a position of the log (rule R16):
//
//   - Promotion: ledger, window, parked and pending requests move to the new actor before its PID is published.
//   - Demotion: from its position on the shard's actor keeps the SKU's messages, in order, until the ledger is back, and handles them then.
type hotSKU struct {
	number  uint32
	pid     *actor.PID
	listing *listing
	// filling is the SKU's part of the entry that is being applied.
	filling *portion
	// limbo: the ledger was asked back. kept and requests wait for it.
	limbo    bool
	kept     []any
	requests []*pending
}

// send passes a message of the committed lane on, or keeps it until the ledger is back.
func (h *hotSKU) send(ctx actor.Context, msg any) {
	if h.limbo {
		h.kept = append(h.kept, msg)
		return
	}
	ctx.Send(h.pid, msg)
}

// flush passes on the SKU's part of the entry, as far as it is filled.
func (h *hotSKU) flush(ctx actor.Context) {
	if h.filling != nil {
		h.send(ctx, h.filling)
		h.filling = nil
	}
}

func (h *hotSKU) forward(ctx actor.Context, p *pending) {
	if h.limbo {
		h.requests = append(h.requests, p)
		return
	}
	ctx.Send(h.pid, p)
}

// promote gives a SKU an actor of its own.
func (s *shardActor) promote(ctx actor.Context, d *desk) {
	number := d.ledger.Number()
	s.book.Detach(number)
	delete(s.desks, number)
	s.touched = slices.DeleteFunc(s.touched, func(o *desk) bool { return o == d })
	d.touched = false
	s.spawned++
	child := &hotActor{r: s.r, shard: ctx.Self(), desk: d}
	child.box = newMailbox(s.r.lost)
	d.tray = &child.tray
	props := actor.PropsFromProducer(func() actor.Actor { return child }, actor.WithMailbox(func() actor.Mailbox { return child.box }))
	pid, err := ctx.SpawnNamed(props, fmt.Sprintf("sku-%d-%d", number, s.spawned))
	if err != nil {
		panic(fmt.Sprintf("actors: spawn: %v", err)) // the name is new, so this is a bug
	}
	h := &hotSKU{number: number, pid: pid, listing: d.listing}
	s.hot[number] = h
	ctx.Send(pid, &wake{})
	d.listing.pid.Store(pid)
	s.r.metrics.hot.Inc()
	s.r.metrics.promotions.Inc()
}

// demote asks a hot SKU's actor for its ledger.
func (s *shardActor) demote(ctx actor.Context, h *hotSKU) {
	h.listing.pid.Store(nil)
	ctx.Send(h.pid, &giveBack{h})
	h.limbo = true
}

// handBack takes a ledger back, with everything that came for it meanwhile.
func (s *shardActor) handBack(ctx actor.Context, m *handBack) {
	d, h, number := m.desk, m.of, m.desk.ledger.Number()
	if s.hot[number] != h {
		s.r.lost(m) // the state was replaced while the ledger was on its way
		return
	}
	delete(s.hot, number)
	s.r.metrics.hot.Dec()
	s.r.metrics.demotions.Inc()
	d.tray = &s.tray
	d.expiring = false
	for _, msg := range h.kept {
		s.handleKept(d, msg)
	}
	s.book.Attach(d.ledger)
	s.desks[number] = d
	if d.ledger.Hot() {
		s.promote(ctx, d)
	}
	clock := s.r.clock.now()
	for _, p := range h.requests {
		s.request(ctx, p, clock)
	}
}

func (s *shardActor) handleKept(d *desk, msg any) {
	if m, ok := msg.(*sweep); ok {
		if d.ledger.Evictable(s.r.clock.now(), m.flushed) {
			s.proposeFlushSpan(d.ledger.Number())
		}
		return
	}
	if m, ok := msg.(*portion); ok {
		s.box.applying = m.at.Index
	}
	d.handle(msg)
}

// restore replaces the whole state.
func (s *shardActor) restore(ctx actor.Context, m *restored) {
	for _, h := range s.hot {
		ctx.Stop(h.pid)
		s.r.metrics.hot.Dec()
	}
	s.abandonAll()
	s.r.directory.clear()
	s.book = m.book
	s.index = m.book.Index()
	// Whether there was work since the last mark is not known: the next mark will tell.
	s.marker.worked, s.marker.marked = s.index, 0
	s.r.identity.forget()
	s.tellSettings()
	s.desks, s.hot = make(map[uint32]*desk), make(map[uint32]*hotSKU)
	var hot []*desk
	s.book.Each(func(l *stock.Ledger) {
		listing := s.r.directory.add(l.Name(), l.Number())
		d := newDesk(s.r, l, listing, 0, &s.tray)
		d.publish()
		if l.Hot() {
			hot = append(hot, d)
		}
	})
	for _, d := range hot {
		s.promote(ctx, d)
	}
	close(m.done)
}

// abandonAll answers everybody who waits for this actor.
func (s *shardActor) abandonAll() {
	for _, d := range s.desks {
		d.close()
	}
	for _, h := range s.hot {
		for _, p := range h.requests {
			p.finish(stock.Outcome{Code: stock.NoLeader})
		}
		for _, msg := range h.kept {
			s.r.lost(msg)
		}
	}
	s.tray.abandon()
}
