package stock

import (
	"fmt"
	"math"
	"strings"
)

// memory remembers outcomes under keys until a moment of log time: refusals of commands that may have another copy under way (rule R4), and
// the outcomes of administrative commands, whose keys the first node made (rule R5).
type memory struct {
	// list holds the outcomes in the order they were remembered; entries never change, so a copy of the list is a cut.
	list  []*remembered
	index map[memoryKey]*remembered // nil while they are few
	// hash is that of the list, kept up with each change.
	hash chain
}

type memoryKey struct {
	Space   uint8
	Caller  string
	Counter uint64
	Key     string
}

// Key spaces of a memory.
const (
	spaceRefusals uint8 = iota + 1
	spaceAdmin
	spacePayments
	spaceCopies
)

type remembered struct {
	Key     memoryKey
	Until   Time
	Outcome Outcome
}

// recall returns what is remembered under a key at now.
func (m *memory) recall(k memoryKey, now Time) (Outcome, bool) {
	out, until := m.until(k)
	return out, now < until
}

// until returns what is remembered under a key, and until when.
func (m *memory) until(k memoryKey) (Outcome, Time) {
	if r := m.last(k); r != nil {
		return r.Outcome, r.Until
	}
	return Outcome{}, math.MinInt64
}

// remember keeps an outcome until a moment; one that is not in the future is not kept.
func (m *memory) remember(k memoryKey, until, now Time, out Outcome) {
	if until <= now {
		return
	}
	// The texts share memory with a whole request or log entry.
	k.Caller, k.Key = strings.Clone(k.Caller), strings.Clone(k.Key)
	m.add(&remembered{Key: k, Until: until, Outcome: out})
}

func (m *memory) add(r *remembered) {
	m.list = append(m.list, r)
	m.hash.push(r.hash())
	switch {
	case m.index != nil:
		m.index[r.Key] = r
	case len(m.list) > fewRemembered:
		m.index = make(map[memoryKey]*remembered)
		for _, r := range m.list {
			m.index[r.Key] = r
		}
	}
}

// fewRemembered is how many outcomes are looked through one by one.
const fewRemembered = 8

// last returns what was remembered last under a key.
func (m *memory) last(k memoryKey) *remembered {
	if m.index != nil {
		return m.index[k]
	}
	for i := len(m.list) - 1; i >= 0; i-- {
		if m.list[i].Key == k {
			return m.list[i]
		}
	}
	return nil
}

// extend keeps what is remembered under a key until a later moment: another copy with that deadline may be under way.
func (m *memory) extend(k memoryKey, until Time) {
	if r := m.last(k); r != nil && until > r.Until {
		m.add(&remembered{Key: r.Key, Until: until, Outcome: r.Outcome})
	}
}

// forgetBatch bounds what one command forgets; it remembers one outcome at most, so the list does not outgrow what is still valid for long.
const forgetBatch = 64

// forget drops what is over from the front of the list, forgetBatch outcomes at most. What waits behind something younger goes later; recall does
// not see it.
func (m *memory) forget(now Time) {
	n := 0
	for n < min(len(m.list), forgetBatch) && m.list[n].Until <= now {
		r := m.list[n]
		m.hash.shift(r.hash(), len(m.list)-n)
		if m.index[r.Key] == r {
			delete(m.index, r.Key)
		}
		m.list[n] = nil
		n++
	}
	if n == len(m.list) {
		m.list, m.index = nil, nil
		return
	}
	m.list = m.list[n:]
}

// atLeast reports whether n outcomes or more are remembered and the next command cannot forget any.
func (m *memory) atLeast(n int, now Time) bool { return len(m.list) >= n && m.list[0].Until > now }

// restore takes a list from a snapshot.
func (m *memory) restore(list []*remembered) error {
	for _, r := range list {
		if r == nil {
			return fmt.Errorf("%w: an outcome is missing", ErrMalformed)
		}
		m.add(r)
	}
	return nil
}
