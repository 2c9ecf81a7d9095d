package stocktest

import "holdfast/stock"

// writer writes one sequence. It plays each command on an oracle of its own, so that it knows which orders there are, how many units
// would be just enough, and at which moments something falls due.
type writer struct {
	dice
	oracle *Oracle
	at     stock.Position
	steps  []Step
	// named are the steps with a keyed command, which may be sent again.
	named []int
}

// write returns n steps: Init, Open, a SKU or two, then whatever collides.
func write(d dice, n int) []Step {
	w := &writer{dice: d, oracle: NewOracle(), at: stock.Position{Index: 1, Now: Start}, steps: make([]Step, 0, n)}
	opening := []func() stock.Command{w.init, w.open, w.create, w.create}
	for len(w.steps) < n {
		if k := len(w.steps); k < len(opening) {
			w.emit(opening[k]())
			continue
		}
		w.at = next(w, w.at, w.moment)
		w.emit(w.any())
	}
	return w.steps
}

func (w *writer) emit(c stock.Command) {
	if c.Head() != nil {
		w.named = append(w.named, len(w.steps))
	}
	w.steps = append(w.steps, Step{w.at, c})
	w.oracle.Apply(w.at, c)
}

// any draws a command; what sales are made of comes most often.
func (w *writer) any() stock.Command {
	if s := w.frozen(); s != nil && w.roll(5) == 4 {
		return &stock.Freeze{Meta: w.nodeMeta(), SKU: s.row.SKU}
	}
	switch k := w.roll(100); {
	case k < 32:
		return w.place()
	case k < 44:
		return w.confirm()
	case k < 50:
		return w.cancel()
	case k < 58:
		return w.giveBack()
	case k < 62:
		return &stock.Fence{Meta: w.meta(), SKU: w.sku()}
	case k < 66:
		return &stock.Expire{SKU: w.sku()}
	case k < 71:
		return w.adjust()
	case k < 74:
		return w.update()
	case k < 76:
		return &stock.Freeze{Meta: w.nodeMeta(), SKU: w.sku(), Frozen: w.roll(4) != 3}
	case k < 79:
		return w.create()
	case k < 81:
		return &stock.SetSettings{Meta: w.nodeMeta(), Settings: w.settings()}
	case k < 87:
		return &stock.FlushMark{Index: w.at.Index - uint64(w.roll(2)*w.roll(int(w.at.Index)))}
	case k < 88:
		return w.open()
	}
	return w.again()
}

func (w *writer) frozen() *sku {
	for _, s := range w.oracle.skus {
		if s.row.Frozen {
			return s
		}
	}
	return nil
}

// moment returns a time at which, or next to which, something falls due: a deadline, an opening, a closing, the end of retention.
func (w *writer) moment() stock.Time {
	var moments []stock.Time
	note := func(t stock.Time) {
		if t >= w.at.Now {
			moments = append(moments, t)
		}
	}
	for _, s := range w.oracle.skus {
		note(s.row.OpensAt)
		note(s.row.ClosesAt)
		for _, r := range s.rows {
			note(r.order.ExpiresAt)
			note(r.order.UpdatedAt.Add(w.oracle.settings.RetentionMS))
		}
	}
	for _, i := range w.named {
		note(w.steps[i].Command.Head().Deadline)
	}
	if moments == nil {
		return w.at.Now
	}
	return moments[w.roll(len(moments))] + stock.Time([]int{0, -1, 1}[w.roll(3)])
}

// again sends an earlier command once more: the same copy, one with a new deadline, or one whose body differs.
func (w *writer) again() stock.Command {
	if len(w.named) == 0 {
		return w.place()
	}
	i := len(w.named) - 1 - w.roll(min(len(w.named), 20))
	c := clone(w.steps[w.named[i]].Command)
	switch w.roll(4) {
	case 2:
		c.Head().Deadline, c.Head().Retry = w.deadline(), true
	case 3:
		w.alter(c)
	}
	return c
}
