// Step 5 of an order: admit. Refusals leave here, without a log entry.

package actors

import "holdfast/stock"

// desk serves one SKU, whichever actor it is with: it admits, applies, publishes and answers. One goroutine at a time uses it.
type desk struct {
	r       *Replica
	ledger  *stock.Ledger
	window  stock.Window
	listing *listing
	// term is the one that admission is open for; 0 while closed.
	term uint64
	// expiring: an Expire is on its way. One that was lost is not proposed again before retryAt.
	expiring bool
	retryAt  stock.Time
	answers  []answer
	touched  bool // it is on its actor's list of desks to settle
	// tray takes what goes on at the end of the turn; it is the actor's that has the desk.
	tray *tray
}

type answer struct {
	p   *pending
	out stock.Outcome
}

func newDesk(r *Replica, l *stock.Ledger, listing *listing, term uint64, t *tray) *desk {
	d := &desk{r: r, ledger: l, listing: listing, term: term, tray: t}
	d.window.MaxParked, d.window.MaxRemembered = r.cfg.MaxParked, r.cfg.MaxRemembered
	return d
}

// admit decides what becomes of a request, by the clock as it was read after the request had come.
func (d *desk) admit(p *pending, clock stock.Time) {
	switch {
	case p.gone():
		p.finish(stock.Outcome{Code: stock.DeadlineExceeded})
		return
	case d.term == 0:
		p.finish(stock.Outcome{Code: stock.NoLeader})
		return
	}
	action, out := d.window.Admit(d.ledger, clock, &p.flight)
	d.decided(&p.flight, action, out)
}

func (d *desk) decided(f *stock.Flight, action stock.Action, out stock.Outcome) {
	p := f.Owner.(*pending)
	switch action {
	case stock.Answer:
		d.tray.answer(p, out, d.term)
	case stock.Propose:
		d.tray.items = append(d.tray.items, item{cmd: f.Req.(stock.Command), p: p, term: d.term})
	case stock.Park:
		d.r.metrics.parked.Inc()
	case stock.Join:
		// The one it waits with may be in the log already, so this caller cannot be told "not executed" either when it leaves.
		if _, order := f.Req.(*stock.Place); order {
			p.propose()
		}
	}
}

// handle takes a message of the committed lane.
func (d *desk) handle(msg any) {
	switch m := msg.(type) {
	case *portion:
		d.apply(m)
		m.entry.release()
	case *failed:
		d.failed(m)
	case *mark:
		m.ledger(d.ledger, m.applied)
		if m.desk != nil {
			m.desk(d)
		}
		m.release()
	case *opened:
		d.open(m.term)
	case *closing:
		d.close()
	}
}

// apply takes the SKU's part of an entry and answers those who wait for it.
func (d *desk) apply(m *portion) {
	for _, it := range m.items {
		if it.p == nil {
			d.ledger.ApplyUnheard(m.at, it.cmd)
			d.note(it, stock.Outcome{})
			continue
		}
		d.note(it, d.ledger.Apply(m.at, it.cmd))
	}
	d.r.count(d.ledger.TakeMoves(), d.term, m.at.Index)
	d.settle()
}

// note keeps the outcome of a command until everything of its entry is applied.
func (d *desk) note(it item, out stock.Outcome) {
	if _, ok := it.cmd.(*stock.Expire); ok {
		d.expiring = false
	}
	if it.p != nil {
		d.answers = append(d.answers, answer{it.p, out})
	}
}

// settle publishes the SKU, then answers (rule R12), then decides again about the parked.
func (d *desk) settle() {
	d.publish()
	var all tally
	for i := range d.answers {
		a := &d.answers[i]
		joined := d.window.Settle(&a.p.flight)
		d.r.metrics.answered(a.out)
		all.finish(a.p, a.out)
		if len(joined) > 0 {
			d.share(joined, a.out)
		}
	}
	all.end()
	clear(d.answers)
	d.answers = d.answers[:0]
	d.reconsider()
}

func (d *desk) publish() {
	a := d.ledger.Availability()
	d.listing.published.Store(&a)
	if d.ledger.Broken() {
		d.r.alarm(d.ledger.Number())
	}
}

// share gives the answer to those that waited with the same key.
func (d *desk) share(joined []*stock.Flight, out stock.Outcome) {
	for _, f := range joined {
		p := f.Owner.(*pending)
		c, place := f.Req.(*stock.Place)
		switch {
		case !place, out.Code == stock.DeadlineExceeded:
			d.admit(p, d.r.clock.now())
		// A copy may still be under way: it is refused only through the log (rule R4).
		case c.Retry && !out.Code.Executed():
			d.admit(p, d.r.clock.now())
		// An acceptance stays true whoever leads.
		case out.Code == stock.OK:
			same := out
			same.Replayed = true
			p.finish(same)
		// A refusal held at its place in the log, which may be before this copy came.
		default:
			d.tray.answer(p, out, d.term)
		}
	}
}

func (d *desk) reconsider() {
	d.window.Reconsider(d.ledger, d.r.clock.now(), d.gone, func(f *stock.Flight, action stock.Action, out stock.Outcome) {
		d.r.metrics.parked.Dec()
		if action == 0 {
			action, out = stock.Answer, stock.Outcome{Code: stock.DeadlineExceeded}
		}
		if action != stock.Answer {
			d.decided(f, action, out)
			return
		}
		joined := d.window.Settle(f)
		d.decided(f, action, out)
		d.share(joined, out)
	})
}

func (d *desk) gone(f *stock.Flight) bool { return f.Owner.(*pending).gone() }

// failed answers commands that apply will not answer.
func (d *desk) failed(m *failed) {
	for _, it := range m.items {
		if _, ok := it.cmd.(*stock.Expire); ok {
			d.retryAt = d.r.clock.now().Add(expiryRetryMS)
		}
		d.note(it, m.out)
	}
	d.settle()
}

func (d *desk) open(term uint64) {
	d.term, d.expiring, d.retryAt = term, false, 0
	d.publish()
}

// close ends the admission: what is parked was not executed; what was proposed is answered by the proposer (rules R11, R14).
func (d *desk) close() {
	d.term = 0
	for _, f := range d.window.Clear() {
		d.r.metrics.parked.Dec()
		p := f.Owner.(*pending)
		joined := d.window.Settle(f)
		p.finish(stock.Outcome{Code: stock.NoLeader})
		d.share(joined, stock.Outcome{Code: stock.NoLeader})
	}
}

// expire proposes the release of due holds (rule R3) and returns when the next ones fall due; ok is false when there is nothing to wake for.
func (d *desk) expire() (at stock.Time, ok bool) {
	at, ok = d.ledger.NextDue()
	if !ok || d.term == 0 || d.expiring {
		return 0, false
	}
	if at = max(at, d.retryAt); at > d.r.clock.now() {
		return at, true
	}
	d.expiring = true
	d.tray.items = append(d.tray.items, item{cmd: &stock.Expire{SKU: d.ledger.Name()}, term: d.term})
	return 0, false
}
