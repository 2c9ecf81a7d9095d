package stocktest

import (
	"reflect"
	"slices"

	"holdfast/stock"
)

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
	if c := w.resume(); c != nil && w.roll(6) == 5 {
		return c
	}
	switch k := w.roll(100); {
	case k < 32:
		return w.place()
	case k < 46:
		return w.about(waits, w.confirm)
	case k < 51:
		return w.about(waits, w.cancel)
	case k < 58:
		return w.about(sold, w.giveBack)
	case k < 62:
		return &stock.Fence{Meta: w.meta(), SKU: w.sku()}
	case k < 66:
		return &stock.Expire{SKU: w.sku()}
	case k < 70:
		return w.adjust()
	case k < 73:
		return w.about(open, w.squeeze)
	case k < 75:
		return w.update()
	case k < 77:
		return &stock.Freeze{Meta: w.nodeMeta(), SKU: w.sku(), Frozen: w.roll(4) != 3}
	case k < 80:
		return w.create()
	case k < 82:
		return &stock.SetSettings{Meta: w.nodeMeta(), Settings: w.settings()}
	case k < 87:
		index := w.at.Index - uint64(w.roll(2)*w.roll(int(w.at.Index)))
		if first := uint32(w.roll(6)); first > 0 {
			return &stock.FlushSpan{Index: index, First: first, Last: first + uint32(w.roll(4))}
		}
		return &stock.FlushMark{Index: index}
	case k < 88:
		return w.alone()
	}
	return w.again()
}

// alone draws a command that leaders propose by themselves and that changes no SKU, or that a restore makes.
func (w *writer) alone() stock.Command {
	switch w.roll(4) {
	case 3:
		return &stock.RaiseEpoch{Epoch: w.oracle.epoch + uint16(w.roll(2))}
	case 1:
		return &stock.RaiseLevel{Level: uint16(1 + w.roll(stock.Level))}
	case 2:
		return &stock.HashMark{Index: w.at.Index - 1, Reports: []stock.HashReport{{Replica: "a#1"}, {Replica: "b#1", Hash: 7}}}
	}
	return w.open()
}

// about draws a command about an order; while there is none that wants it, most often a Place.
func (w *writer) about(wants func(*stock.Order) bool, draw func() stock.Command) stock.Command {
	if len(w.orders(wants)) == 0 && w.roll(5) != 4 {
		return w.place()
	}
	return draw()
}

// resume returns what opens the first SKU again that is frozen or closed, or nil.
func (w *writer) resume() stock.Command {
	for _, s := range w.oracle.skus {
		switch row := &s.row; {
		case row.Frozen:
			return &stock.Freeze{Meta: w.nodeMeta(), SKU: row.SKU}
		case row.ClosesAt != 0 && row.ClosesAt <= w.at.Now:
			return &stock.Update{Meta: w.nodeMeta(), SKU: row.SKU, Patch: stock.Patch{ClosesAt: new(stock.Time(0))}}
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
	slices.Sort(moments)
	near := min(w.roll(len(moments)), w.roll(len(moments)))
	return moments[near] + stock.Time([]int{0, -1, 1}[w.roll(3)])
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

// alter changes one field of the body of a command whose key its caller made; keys made by nodes never come with another body.
func (w *writer) alter(c stock.Command) {
	switch c := c.(type) {
	case *stock.Place:
		switch w.roll(4) {
		case 0:
			c.Qty = w.qty(1)
		case 1:
			c.User = "u0"
		case 2:
			c.ClientRef += "x"
		case 3:
			c.SKU = w.sku()
		}
	case *stock.Confirm:
		c.PaymentID = w.numbered("p", w.roll(3))
	case *stock.Return:
		switch w.roll(3) {
		case 0:
			c.Qty = int64(w.roll(3))
		case 1:
			c.Restock = !c.Restock
		case 2:
			c.Order = w.order(sold)
		}
	case *stock.Adjust:
		c.Delta++
		if c.Delta == 0 || w.roll(2) == 1 {
			c.Delta, c.Reason = 1, c.Reason+"x"
		}
	}
}

// clone returns a copy of a command of which every field may be set.
func clone(c stock.Command) stock.Command {
	v := reflect.New(reflect.TypeOf(c).Elem())
	v.Elem().Set(reflect.ValueOf(c).Elem())
	return v.Interface().(stock.Command)
}
