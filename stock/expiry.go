package stock

import "github.com/cespare/xxhash/v2"

// nextDue returns the earliest deadline of a waiting order.
func (l *Ledger) nextDue() (Time, bool) {
	for {
		e, ok := l.due.first()
		if !ok || l.stillDue(e) {
			return e.at, ok
		}
		l.due.pop()
	}
}

// NextDue returns when the next hold falls due, for the leader to propose an Expire; ok is false when nothing waits.
func (l *Ledger) NextDue() (at Time, ok bool) { return l.nextDue() }

// releaseOne releases the first due order, if any is due.
func (l *Ledger) releaseOne() bool {
	at, ok := l.nextDue()
	if !ok || at > l.now {
		return false
	}
	e, _ := l.due.first()
	l.due.pop()
	l.expireOrder(e.counter)
	return true
}

func (l *Ledger) expireOrder(counter uint64) {
	r := l.find(counter)
	l.edit(counter, &r)
	l.settle(&r, StateExpired, r.expires)
	l.save(counter, &r)
}

// expire releases a batch of due holds (rule R3).
func (l *Ledger) expire() Outcome {
	if l.broken {
		return refuse(Frozen)
	}
	for n := int64(0); n < l.settings.ExpiryBatch && l.releaseOne(); n++ {
	}
	return Outcome{Code: OK}
}

// evict drops settled orders that are in storage up to a log index and past retention, in the order of their last change (rule R27). Counters and
// the units of users stay.
func (l *Ledger) evict(flushed uint64) Outcome {
	if l.broken {
		return refuse(Frozen)
	}
	l.evictAdjusts()
	for n := int64(0); n < l.settings.EvictBatch; n++ {
		counter, ok := l.nextEvictable(l.now, flushed)
		if !ok {
			break
		}
		l.settled.pop()
		l.drop(counter)
	}
	return Outcome{Code: OK}
}

// nextEvictable returns the settled order that leaves memory next, when it may at now.
func (l *Ledger) nextEvictable(now Time, flushed uint64) (counter uint64, ok bool) {
	if l.spec.ClosesAt != 0 && now < l.spec.ClosesAt {
		return 0, false
	}
	for {
		e, ok := l.settled.first()
		if !ok {
			return 0, false
		}
		if !l.stillSettled(e) {
			l.settled.pop()
			continue
		}
		r := l.find(e.counter)
		durable := r.version <= flushed || r.state == stateFence
		return e.counter, durable && e.at.Add(l.settings.RetentionMS) <= now
	}
}

// Evictable reports whether a FlushMark of an index would let an order or an adjustment leave memory at now.
func (l *Ledger) Evictable(now Time, flushed uint64) bool {
	if l.broken {
		return false
	}
	_, ok := l.nextEvictable(now, flushed)
	return ok || l.adjustOver(now)
}

// drop removes a row, its key and the keys of its returns.
func (l *Ledger) drop(counter uint64) {
	r := l.find(counter)
	l.hash -= r.hash(counter)
	l.keys.remove(keyHash(r.caller, xxhash.Sum64(r.key)), uint32(counter))
	for next := l.lastReturn[counter]; next != 0; {
		i := next - 1
		rt := l.returns.at(i)
		next = rt.previous
		l.hash -= rt.hash(i)
		delete(l.returnKeys, scopedKey{rt.caller, rt.key})
		l.returns.drop(i)
	}
	delete(l.lastReturn, counter)
	l.rows.drop(counter - 1)
}
