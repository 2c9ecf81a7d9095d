package stock

import (
	"bytes"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// What is derived from the tables of a snapshot is made again here, and the tables are checked against each other and the SKU's counters: a
// checksum only tells that they are as they were written.

// restoreUser puts a user back.
func (l *Ledger) restoreUser(r *mpReader, i uint64, name string, used int64) {
	if r.err != nil || i != l.users.len() {
		r.fail("user out of order")
		return
	}
	l.users.restoreNext(name, used)
}

// restoreRow puts an order or a fence back into its place.
func (l *Ledger) restoreRow(r *mpReader, i uint64, row *row) {
	switch {
	case r.err != nil:
	case i < l.rows.len():
		r.fail("order out of order")
	case !l.plausible(row):
		r.fail("order that cannot be")
	default:
		l.rows.restore(i, row)
	}
}

// plausible reports whether a row can be one of this SKU.
func (l *Ledger) plausible(r *row) bool {
	if int(r.caller) >= len(l.callers) || r.version > l.index || r.firstVersion > r.version || r.updated > l.now || r.created > r.updated {
		return false
	}
	if r.created < 0 || r.waits() && r.expires < r.created {
		return false
	}
	if r.state == stateFence {
		return r.qty == 0 && r.returned == 0 && r.user == 0 && len(r.clientRef) == 0 && len(r.paymentID) == 0
	}
	if uint64(r.user) >= l.users.len() || r.qty < 1 || r.qty > MaxStock || r.returned < 0 || r.returned > r.qty {
		return false
	}
	switch r.state {
	case StateOpen, StateHeld:
		return r.state == l.initial() && r.returned == 0
	case StateCancelled, StateExpired:
		return l.spec.Mode != ModeOnOrder && r.returned == 0
	case StateConfirmed:
		return r.left() > 0
	case StateReturned:
		return r.left() == 0
	}
	return false
}

// restoreReturn puts a return back into its place.
func (l *Ledger) restoreReturn(r *mpReader, i uint64, rt *returned) {
	switch {
	case r.err != nil:
	case i < l.returns.len():
		r.fail("return out of order")
	case !l.plausibleReturn(rt):
		r.fail("return that cannot be")
	default:
		l.returns.restore(i, *rt)
		l.knowReturn(i, rt)
	}
}

func (l *Ledger) plausibleReturn(rt *returned) bool {
	row := l.find(rt.counter)
	if row.state == 0 || row.returned < rt.total || int(rt.caller) >= len(l.callers) || rt.previous != l.lastReturn[rt.counter] {
		return false
	}
	_, twice := l.returnKeys[scopedKey{rt.caller, rt.key}]
	return !twice && (rt.state == StateConfirmed || rt.state == StateReturned)
}

// finish makes what is derived from the tables and checks them against the head.
func (l *Ledger) finish(h *ledgerHead) error {
	if h.Rows < l.rows.len() || h.Users != l.users.len() || h.Returns < l.returns.len() || h.Rows > MaxOrders || h.Returns > MaxOrders {
		return fmt.Errorf("%w: more or fewer rows than it says", ErrMalformed)
	}
	l.rows.extend(h.Rows)
	l.returns.extend(h.Returns)
	l.hash = (&LedgerCut{rows: l.rows, users: l.users, returns: l.returns}).tables()
	if l.hash != h.Tables {
		return fmt.Errorf("%w: not the hash it was written with", ErrMalformed)
	}
	if !l.deriveNames() {
		return fmt.Errorf("%w: a user twice", ErrMalformed)
	}
	sums, err := l.derive()
	if err != nil {
		return err
	}
	if !l.broken && !sums.agree(l) {
		return fmt.Errorf("%w: orders that do not add up to the counters", ErrMalformed)
	}
	return nil
}

// rowSums are counters as the orders in memory make them.
type rowSums struct {
	held, sold, waiting int64
	used                []int64 // by user
}

// deriveNames makes the index of the users; ok is false when there are two of one name.
func (l *Ledger) deriveNames() (ok bool) {
	l.names.reserve(int(l.users.len()))
	for i, a := range l.users.all() {
		name := l.users.of(a).name
		hash := nameHash(xxhash.Sum64(name))
		for p := l.names.seek(hash); ; {
			other := p.next()
			if other == 0 {
				break
			}
			if bytes.Equal(l.users.person(uint64(other-1)).name, name) {
				return false
			}
		}
		l.names.add(hash, uint32(i+1))
	}
	return true
}

// derive makes the keys and schedules of the orders.
func (l *Ledger) derive() (rowSums, error) {
	sums := rowSums{used: make([]int64, l.users.len())}
	l.keys.reserve(int(l.rows.live()))
	for i, r := range l.rows.all() {
		if !l.addKey(r, i+1) {
			return sums, fmt.Errorf("%w: a key twice", ErrMalformed)
		}
		if r.waits() {
			l.due.push(scheduled{r.expires, i + 1})
		} else {
			l.settled.push(scheduled{r.updated, i + 1})
		}
		sums.add(r)
	}
	return sums, nil
}

func (s *rowSums) add(r *row) {
	switch r.state {
	case StateHeld:
		s.held += r.qty
		s.waiting++
	case StateOpen:
		s.waiting++
	case StateConfirmed:
		s.sold += r.left()
	default:
		return
	}
	s.used[r.user] += r.left()
}

// agree reports whether a ledger has these counters. Sold and used units stay when their orders leave memory, so they may be more.
func (s *rowSums) agree(l *Ledger) bool {
	if s.held != l.held || s.waiting != l.waiting || s.sold > l.sold || s.sold < 0 || !l.sound() {
		return false
	}
	for i, p := range l.users.all() {
		if p.used < s.used[i] || s.used[i] < 0 {
			return false
		}
	}
	return true
}
