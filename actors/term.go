package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"holdfast/stock"
)

// open opens admission for a term once its opening entry is applied, unless the term is over already (rule R14). A shard's very first leader
// says what the shard is before anything else.
func (s *shardActor) open(ctx actor.Context, term uint64) {
	if term == 0 || term == s.term || term <= s.lastClosed || !s.r.log.Leads(term) {
		return
	}
	if !s.r.opener.agrees(term) {
		s.unagreed = term
		return
	}
	if !s.book.Initialized() {
		s.opening = term
		s.r.submit(s.r.beginning(term))
		return
	}
	if err := s.r.checkClock(s.book.Now()); err != nil {
		s.refuse(term, err)
		return
	}
	s.r.clock.open(s.book.Now())
	s.opening, s.unagreed, s.term = 0, 0, term
	s.r.past.CompareAndSwap(nil, &Past{Mark: s.book.Flushed(), Index: s.book.Index()})
	s.book.Recall()
	for _, d := range s.desks {
		d.open(term)
	}
	for _, h := range s.hot {
		h.send(ctx, &opened{term})
	}
	s.r.term.Store(term)
	s.marker.arm(s.r.clock.now(), s.r.cfg.HashEvery)
	s.armSweep(false)
}

// refuse does not open a term because of this machine's clock. The only voter stops, for nobody else could do better; with others, one of them
// leads.
func (s *shardActor) refuse(term uint64, err error) {
	if s.r.alone(term) {
		s.r.refuse(err)
		return
	}
	s.unagreed = term
	s.r.opener.refuse(term, err)
}

// beginning is what a shard's very first leader proposes: what the shard is, and the level that the whole cluster begins with.
func (r *Replica) beginning(term uint64) []item {
	items := []item{{cmd: &r.cfg.Init, term: term}}
	if r.cfg.FirstLevel > 0 {
		items = append(items, item{cmd: &stock.RaiseLevel{Level: r.cfg.FirstLevel}, term: term})
	}
	return items
}

// close ends admission for terms up to one.
func (s *shardActor) close(ctx actor.Context, m *closing) {
	s.lastClosed = max(s.lastClosed, m.term)
	s.r.confirmer.close(m.term)
	if s.term == 0 || s.term > m.term {
		return
	}
	s.r.term.Store(0)
	s.term = 0
	s.sweeper.stop()
	for _, d := range s.desks {
		d.close()
	}
	for _, h := range s.hot {
		h.send(ctx, m)
	}
}

// expiryRetryMS is how long a lost release waits before it is proposed again: raft may refuse faster than it can be asked.
const expiryRetryMS = 10

// expire proposes the release of due holds of cold SKUs (rule R3) and sets the alarm for the next ones.
func (s *shardActor) expire() {
	if s.term == 0 {
		s.alarm.stop()
		return
	}
	now := s.r.clock.now()
	if s.recallAt != 0 && s.recallAt <= now {
		s.recallAt = 0
		s.book.Recall()
	}
	for _, l := range s.book.TakeDue(now) {
		s.tray.items = append(s.tray.items, item{cmd: &stock.Expire{SKU: l.Name()}, term: s.term})
	}
	at, ok := s.book.NextDue()
	if s.recallAt != 0 && (!ok || s.recallAt < at) {
		at, ok = s.recallAt, true
	}
	s.alarm.set(s.r.clock, at, ok, s.box)
}

const (
	sweepEveryMS = 1000
	// sweepOnMS is how soon a sweep that found much goes on with the next SKUs.
	sweepOnMS = 50
	// sweepLedgers bounds the cold ledgers that one sweep looks at.
	sweepLedgers = 4096
)

func (s *shardActor) armSweep(goOn bool) {
	after := int64(sweepEveryMS)
	if goOn {
		after = sweepOnMS
	}
	s.sweeper.set(s.r.clock, s.r.clock.now().Add(after), true, s.box)
}

// sweep looks, at each SKU at most once a second, whether a flush mark would let orders leave memory (rule R27). The mark goes in pieces, with room
// for orders between them, so that no apply is long. A shard with nothing to evict writes nothing.
func (s *shardActor) sweep(ctx actor.Context) {
	now := s.r.clock.now()
	if s.term == 0 || now < s.sweeper.at {
		return
	}
	flushed := s.r.evictTo()
	span, next := s.book.Evictable(now, flushed, s.sweepFrom, sweepLedgers)
	s.sweepFrom = next
	if span != nil {
		s.tray.items = append(s.tray.items, item{cmd: span, term: s.term})
	}
	s.freshen(now)
	s.follow(now)
	s.identify(now)
	s.armSweep(span != nil && next != 0)
	if now < s.hotSweepAt {
		return
	}
	s.hotSweepAt = now.Add(sweepEveryMS)
	for _, h := range s.hot {
		h.send(ctx, &sweep{flushed})
	}
}

// freshens is how often, in the time that MaxDowntime is, a leader with nothing to write writes all the same.
const freshens = 4

// freshen moves log time on in a shard that nobody uses. Whoever leads next holds its clock against log time, and would take a shard that was idle
// for longer than MaxDowntime for one that was down (rule R2). The command says again what is so.
func (s *shardActor) freshen(now stock.Time) {
	if now > s.book.Now().Add(s.r.cfg.MaxDowntime.Milliseconds()/freshens) {
		s.tray.items = append(s.tray.items, item{cmd: &stock.RaiseLevel{Level: s.book.Level()}, term: s.term})
	}
}

// proposeFlushSpan lets the settled orders of one SKU that has, or had, an actor of its own leave memory.
func (s *shardActor) proposeFlushSpan(number uint32) {
	if s.term != 0 {
		s.tray.items = append(s.tray.items, item{cmd: &stock.FlushSpan{Index: s.r.evictTo(), First: number, Last: number}, term: s.term})
	}
}
