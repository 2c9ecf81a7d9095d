package demo

import (
	"fmt"
	"slices"
	"strings"
)

// line is an order as each of the log and SQLite has it.
type line struct {
	id, key, user, state string
	qty                  int64
}

func (o line) describe() string { return fmt.Sprintf("%s of %s, %d", o.state, o.user, o.qty) }

// view is the orders of one source, by id.
type view map[string]line

func viewLog(r Replayed) view {
	v := make(view, len(r.Orders))
	for _, o := range r.Orders {
		v[o.ID.String()] = line{id: o.ID.String(), key: o.Key, user: o.User, state: o.State.String(), qty: o.Qty}
	}
	return v
}

func viewStored(s Stored) view {
	v := make(view, len(s.Orders))
	for _, o := range s.Orders {
		v[o.ID] = line{id: o.ID, key: o.Key, user: o.User, state: o.State, qty: o.Qty}
	}
	return v
}

// units sums the orders in some states.
func (v view) units(states ...string) (n int64) {
	for _, o := range v {
		if slices.Contains(states, o.state) {
			n += o.qty
		}
	}
	return n
}

func (t *Told) units(states ...string) (n int64) {
	for _, c := range t.Claims {
		if slices.Contains(states, c.State) {
			n += c.Qty
		}
	}
	return n
}

// source is what one node has, and what its log and its database are called.
type source struct {
	Copy
	logged, sqlite    view
	theLog, theSQLite string
}

func newSource(c Copy, oneOfSeveral bool) *source {
	s := &source{Copy: c, logged: viewLog(c.Log), sqlite: viewStored(c.Stored), theLog: "the log", theSQLite: "SQLite"}
	if oneOfSeveral {
		s.theLog, s.theSQLite = "the log of "+c.Node, "SQLite of "+c.Node
	}
	return s
}

// figures is one count, node by node.
type figures []int64

// String shows the count once when all nodes agree.
func (f figures) String() string {
	all := make([]string, len(f))
	for i, n := range f {
		all[i] = number(n)
	}
	return unanimous(all)
}

// are reports whether every node says the same, and what.
func (f figures) are(want int64) bool {
	return len(f) > 0 && !slices.ContainsFunc(f, func(n int64) bool { return n != want })
}

// most returns the largest of them.
func (f figures) most() (n int64) {
	for _, one := range f {
		n = max(n, one)
	}
	return n
}

// unanimous shows what several say, once when it is the same.
func unanimous(said []string) string {
	if same := slices.Compact(slices.Clone(said)); len(same) == 1 {
		return same[0]
	}
	return strings.Join(said, " / ")
}

// number shows a count with a comma every three digits.
func number(n int64) string {
	s := fmt.Sprint(max(n, -n))
	var parts []string
	for len(s) > 3 {
		parts = append([]string{s[len(s)-3:]}, parts...)
		s = s[:len(s)-3]
	}
	s = strings.Join(append([]string{s}, parts...), ",")
	if n < 0 {
		return "-" + s
	}
	return s
}
