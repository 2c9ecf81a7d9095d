package stock

import (
	"testing"
)

// A command that may have another copy under way is refused for all its copies, until their deadline; one that has none is not, nor is any below the
// level that brings it (rule R4).
func TestRefusalsOutliveTheirCopies(t *testing.T) {
	const deadline = 1000
	id := OrderID{Epoch: 1, Partition: PartitionOf("tea"), SKU: 1, Counter: 1}
	meta := func(key string, retry bool) Meta { return Meta{Key: key, Deadline: deadline, Retry: retry} }
	type step struct {
		at   Time
		c    Command
		want Code
	}
	adjust := func(retry bool) Command { return &Adjust{Meta: meta("a", retry), SKU: "tea", Delta: -5} }
	giveBack := func(retry bool) Command { return &Return{Meta: meta("r", retry), Order: id, Qty: 1, Restock: true} }
	confirm := func(retry bool) Command { return &Confirm{Meta: meta("c", retry), Order: id, PaymentID: "p"} }
	more := &Adjust{Meta: meta("more", false), SKU: "tea", Delta: 10}
	freeze := func(frozen bool, key string) Command {
		return &Freeze{Meta: meta(key, false), SKU: "tea", Frozen: frozen}
	}
	cases := []struct {
		name         string
		refuse, late Command // the copy that is refused, the one that comes after it
		then         []step  // what would let it be accepted
		before       []step
		want         Code // of the first
		again        Code // of the second where nothing is remembered
	}{
		{"adjust", adjust(true), adjust(false), []step{{2, more, OK}}, nil, InsufficientStock, OK},
		{"adjust without another copy", adjust(false), adjust(false), []step{{2, more, OK}}, nil, InsufficientStock, OK},
		{"return", giveBack(true), giveBack(false), []step{{2, confirm(false), OK}}, nil, InvalidState, OK},
		{"confirm", confirm(true), confirm(false), []step{{2, freeze(false, "f2"), OK}}, []step{{1, freeze(true, "f1"), OK}}, Frozen, OK},
	}
	for _, level := range []uint16{LevelHashMarks, LevelRefusals} {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				b := NewBook()
				index := uint64(0)
				apply := func(s step) {
					t.Helper()
					index++
					if out := b.Apply(b.Begin(Header{Clock: s.at}, index), s.c); out.Code != s.want {
						t.Errorf("level %d: %T at %d: %v, want %v", level, s.c, s.at, out.Code, s.want)
					}
				}
				spec := Spec{SKU: "tea", Stock: 4, Mode: ModeOnPayment, HoldTTLMS: 1 << 30, MaxQty: 4}
				apply(step{1, &Init{Epoch: 1, Partitions: []Partition{id.Partition}, Settings: DefaultSettings()}, OK})
				apply(step{1, &RaiseLevel{Level: level}, OK})
				apply(step{1, &Create{Meta: meta("s", false), Spec: spec}, OK})
				apply(step{1, &Place{Meta: meta("o", false), SKU: "tea", User: "u", Qty: 2}, OK})
				for _, s := range append(append(c.before, step{1, c.refuse, c.want}), c.then...) {
					apply(s)
				}
				want := c.again
				if level >= LevelRefusals && c.refuse.Head().Retry {
					want = c.want
				}
				apply(step{deadline - 1, c.late, want})
				apply(step{deadline - 1, c.refuse, want})
				if want == c.want {
					fresh := c.late
					fresh.Head().Deadline = 2 * deadline
					apply(step{deadline, fresh, c.again})
				}
			})
		}
	}
}
