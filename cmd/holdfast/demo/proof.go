package demo

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"holdfast/stock"
)

// Row is one line of the proof: what was checked, what each of the three says about it, and whether that is as promised.
type Row struct {
	Check  string `json:"check"`
	Told   string `json:"clients"`
	Log    string `json:"log"`
	Stored string `json:"sqlite"`
	Pass   bool   `json:"pass"`
}

// Proof is the comparison of the three counts.
type Proof struct {
	Pass bool  `json:"pass"`
	Rows []Row `json:"checks"`
	// Faults say what is wrong, order by order, as far as there is room.
	Faults []string `json:"faults,omitempty"`
}

// Expected is what the sale had to come to.
type Expected struct {
	// Units is the stock, all of which had to be sold.
	Units int64
	// Limit is how many units a buyer may have at once.
	Limit int64
	// Cuts is how often the power was cut.
	Cuts int
}

// Prove compares three counts that know nothing of each other: what the clients were told, what the log replays to, what SQLite holds.
func Prove(want Expected, t Told, r Replayed, s Stored) Proof {
	c := comparison{want: want, told: t, log: r, stored: s, logged: viewLog(r), sqlite: viewStored(s)}
	p := Proof{Rows: []Row{
		c.sold(), c.peak(), c.acknowledged(), c.untold(), c.definite(), c.perBuyer(), c.keys(), c.released(), c.payments(), c.alike(),
	}}
	p.Pass = !slices.ContainsFunc(p.Rows, func(r Row) bool { return !r.Pass })
	p.Faults = c.faults
	return p
}

// line is an order as each of the log and SQLite has it.
type line struct {
	id, key, user, state string
	qty                  int64
}

// view is the orders of one source, by id.
type view map[string]line

type comparison struct {
	want   Expected
	told   Told
	log    Replayed
	stored Stored

	logged, sqlite view
	faults         []string
}

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

// fault notes what is wrong, for a few.
func (c *comparison) fault(format string, args ...any) {
	if len(c.faults) < maxFaults {
		c.faults = append(c.faults, fmt.Sprintf(format, args...))
	}
}

// sold: exactly the stock, in all three.
func (c *comparison) sold() Row {
	told, log, stored := c.told.units("confirmed"), c.logged.units("confirmed"), c.sqlite.units("confirmed")
	pass := told == c.want.Units && log == told && stored == told && c.log.SKU.Sold == told && c.stored.SKU.Sold == told
	return Row{fmt.Sprintf("units sold, of %s", number(c.want.Units)), number(told), number(log), number(stored), pass}
}

// peak: never more held and sold than there are, at any place of the log.
func (c *comparison) peak() Row {
	for _, place := range c.log.Unsound {
		c.fault("the counters do not add up at %s", place)
	}
	row := c.stored.SKU
	now := row.Held + row.Sold
	sound := row.Available+now == row.Stock && row.Available >= 0 && row.Held >= 0 && row.Sold >= 0
	pass := len(c.log.Unsound) == 0 && c.log.Commands > 0 && c.log.Peak <= c.want.Units && sound && now <= c.want.Units
	return Row{"most held and sold at once", "-", number(c.log.Peak), number(now), pass}
}

// acknowledged: every order that somebody was told of is there, and where they were told.
func (c *comparison) acknowledged() Row {
	inLog, inStored := c.missing(c.logged, "the log"), c.missing(c.sqlite, "SQLite")
	return Row{"acknowledged orders missing or different", "of " + number(int64(len(c.told.Claims))), number(inLog), number(inStored),
		inLog == 0 && inStored == 0 && len(c.told.Claims) > 0}
}

func (c *comparison) missing(v view, where string) (n int64) {
	for _, claim := range c.told.Claims {
		o, there := v[claim.ID]
		switch {
		case !there:
			c.fault("order %s of key %s was acknowledged and is not in %s", claim.ID, claim.Key, where)
		case o.key != claim.Key || o.user != claim.User || o.qty != claim.Qty || !follows(claim.State, o.state):
			c.fault("order %s was acknowledged as %s for %s and is %s for %s in %s", claim.ID, claim.State, claim.User, o.state, o.user, where)
		default:
			continue
		}
		n++
	}
	return n
}

// follows: a hold that nobody paid for or gave up has expired; every other state is the last.
func follows(told, found string) bool {
	if told == "held" {
		return found == "held" || found == "expired"
	}
	return told == found
}

// untold: no order exists that nobody was told of.
func (c *comparison) untold() Row {
	known := make(map[string]bool, len(c.told.Claims))
	for _, claim := range c.told.Claims {
		known[claim.ID] = true
	}
	count := func(v view, where string) (n int64) {
		for id, o := range v {
			if !known[id] {
				c.fault("order %s of key %s is in %s and nobody was told of it", id, o.key, where)
				n++
			}
		}
		return n
	}
	inLog, inStored := count(c.logged, "the log"), count(c.sqlite, "SQLite")
	return Row{"orders that nobody was told of", "-", number(inLog), number(inStored), inLog == 0 && inStored == 0}
}

// definite: whoever lost an answer asked again under the same key until it was known. A sale without a cut, or a cut that cost nobody an answer,
// proves nothing.
func (c *comparison) definite() Row {
	for _, what := range c.told.Open {
		c.fault("the outcome of %s never became known", what)
	}
	open := int64(len(c.told.Open))
	pass := open == 0 && c.want.Cuts > 0 && c.told.AskedAgain > 0
	return Row{fmt.Sprintf("answers lost and still unknown, power cuts: %d", c.want.Cuts), fmt.Sprintf("%s of %s", number(open), number(c.told.AskedAgain)), "-", "-", pass}
}

// perBuyer: no buyer has, or ever had at once, more than the limit.
func (c *comparison) perBuyer() Row {
	told := make(map[string]int64)
	for _, claim := range c.told.Claims {
		if claim.State == "confirmed" {
			told[claim.User] += claim.Qty
		}
	}
	stored := make(map[string]int64)
	for _, o := range c.sqlite {
		if o.state == "confirmed" {
			stored[o.user] += o.qty
		}
	}
	a, b, d := most(told), c.mostAtOnce(), most(stored)
	return Row{"most units of one buyer", number(a), number(b), number(d), max(a, b, d) <= c.want.Limit}
}

func most(m map[string]int64) (n int64) {
	for _, units := range m {
		n = max(n, units)
	}
	return n
}

// mostAtOnce walks through each buyer's orders in the log as they were placed. An order counts until it was cancelled or expired.
func (c *comparison) mostAtOnce() (n int64) {
	byUser := make(map[string][]stock.Order)
	for _, o := range c.log.Orders {
		byUser[o.User] = append(byUser[o.User], o)
	}
	for user, orders := range byUser {
		slices.SortFunc(orders, func(a, b stock.Order) int { return cmp.Compare(a.ID.Counter, b.ID.Counter) })
		for i, o := range orders {
			units := o.Qty
			for _, before := range orders[:i] {
				if ended := max(before.CancelledAt, before.ExpiredAt); ended == 0 || ended > o.CreatedAt {
					units += before.Qty
				}
			}
			if units > c.want.Limit {
				c.fault("buyer %s had %d units at once when order %s was placed", user, units, o.ID)
			}
			n = max(n, units)
		}
	}
	return n
}

// keys: no key took stock twice.
func (c *comparison) keys() Row {
	for _, fault := range c.told.Faults {
		c.fault("%s", fault)
	}
	twice := func(v view, where string) (n int64) {
		seen := make(map[string]string, len(v))
		for id, o := range v {
			if other, ok := seen[o.key]; ok {
				c.fault("key %s has orders %s and %s in %s", o.key, other, id, where)
				n++
			}
			seen[o.key] = id
		}
		return n
	}
	told, log, stored := int64(len(c.told.Faults)), twice(c.logged, "the log"), twice(c.sqlite, "SQLite")
	check := fmt.Sprintf("keys that took stock twice, %s double clicks", number(c.told.DoubleClicks))
	return Row{check, number(told), number(log), number(stored), told == 0 && log == 0 && stored == 0}
}

// released: units came back from cancelled and expired orders, and every one of them was sold again.
func (c *comparison) released() Row {
	back := []string{"cancelled", "expired"}
	// The clients know that a hold came back unless it was paid for.
	told, log, stored := c.told.units("held", "cancelled", "expired"), c.logged.units(back...), c.sqlite.units(back...)
	placed := int64(0)
	for _, o := range c.logged {
		placed += o.qty
	}
	pass := told > 0 && log == told && stored == told && placed == c.want.Units+log
	return Row{"units released and sold again", number(told), number(log), number(stored), pass}
}

// payments: each sold order was paid for once, with the payment that its buyer sent.
func (c *comparison) payments() Row {
	sent := make(map[string]string, len(c.told.Claims))
	for _, claim := range c.told.Claims {
		sent[claim.ID] = claim.Payment
	}
	told, log, wrong := c.told.Paid, int64(0), 0
	for _, o := range c.log.Orders {
		if o.State == stock.StateConfirmed {
			log++
		}
		if o.PaymentID != sent[o.ID.String()] {
			c.fault("order %s was paid for with %q, not %q", o.ID, o.PaymentID, sent[o.ID.String()])
			wrong++
		}
	}
	check := fmt.Sprintf("payments, %s webhooks came twice", number(c.told.Webhooks))
	return Row{check, number(told), number(log), "-", wrong == 0 && told == log}
}

// alike: the log and SQLite hold the same orders in the same states.
func (c *comparison) alike() Row {
	differ := 0
	for id, o := range c.logged {
		if stored, ok := c.sqlite[id]; ok && stored != o {
			c.fault("order %s is %s in the log and %s in SQLite", id, o.describe(), stored.describe())
			differ++
		}
	}
	a, b := c.log.SKU, c.stored.SKU
	if a.Stock != b.Stock || a.Available != b.Available || a.Held != b.Held || a.Sold != b.Sold {
		c.fault("counters: the log has %d available, %d held, %d sold; SQLite %d, %d, %d", a.Available, a.Held, a.Sold, b.Available, b.Held, b.Sold)
		differ++
	}
	told, log, stored := int64(len(c.told.Claims)), int64(len(c.logged)), int64(len(c.sqlite))
	return Row{"orders in all, each alike in log and SQLite", number(told), number(log), number(stored),
		differ == 0 && told == log && log == stored}
}

func (o line) describe() string { return fmt.Sprintf("%s of %s, %d", o.state, o.user, o.qty) }

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
