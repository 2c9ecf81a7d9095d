package stock

// once applies a command, unless a copy of it was refused with another one under way; that refusal is given again until the deadline, so that no
// copy takes effect after it (rule R4). Orders keep their refusals by themselves, and the outcomes of administrative commands are all remembered.
func (l *Ledger) once(c Command) Outcome {
	m := l.copied(c)
	if m == nil {
		return l.apply(c)
	}
	key := memoryKey{Space: spaceCopies, Caller: m.Caller, Counter: uint64(c.Kind()), Key: m.Key}
	if out, refused := l.memory.recall(key, l.now); refused {
		if m.Retry {
			l.memory.extend(key, m.Deadline)
		}
		return out
	}
	out := l.apply(c)
	if m.Retry && !out.Code.Executed() && out.Code != DeadlineExceeded {
		l.memory.remember(key, m.Deadline, l.now, out)
	}
	return out
}

// copied returns the head of a command whose refusal is remembered by once; nil for any other. That an order does not exist is not: it never will.
func (l *Ledger) copied(c Command) *Meta {
	if l.level < LevelRefusals {
		return nil
	}
	switch c := c.(type) {
	case *Confirm:
		if r := l.order(c.Order); r.state != 0 {
			return &c.Meta
		}
	case *Return:
		if r := l.order(c.Order); r.state != 0 {
			return &c.Meta
		}
	case *Adjust:
		return &c.Meta
	}
	return nil
}

// mayRemember reports whether a command's refusal would be remembered by once.
func (l *Ledger) mayRemember(c Command) bool {
	m := l.copied(c)
	return m != nil && m.Retry
}
