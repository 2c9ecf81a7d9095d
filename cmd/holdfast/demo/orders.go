package demo

import "fmt"

// acknowledged: every order that somebody was told of is there, and where they were told.
func (c *comparison) acknowledged() Row {
	log := c.of(func(s *source) int64 { return c.missing(s.logged, s.theLog) })
	stored := c.of(func(s *source) int64 { return c.missing(s.sqlite, s.theSQLite) })
	return Row{"acknowledged orders missing or different", "of " + number(int64(len(c.told.Claims))), log.String(), stored.String(),
		log.are(0) && stored.are(0) && len(c.told.Claims) > 0}
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
	log := c.of(func(s *source) int64 { return count(s.logged, s.theLog) })
	stored := c.of(func(s *source) int64 { return count(s.sqlite, s.theSQLite) })
	return Row{"orders that nobody was told of", "-", log.String(), stored.String(), log.are(0) && stored.are(0)}
}

// definite: whoever lost an answer asked again under the same key until it was known. A sale without a cut, or a cut that cost nobody an answer,
// proves nothing.
func (c *comparison) definite() Row {
	for _, what := range c.told.Open {
		c.fault("the outcome of %s never became known", what)
	}
	open := int64(len(c.told.Open))
	pass := open == 0 && c.want.Cuts > 0 && c.told.AskedAgain > 0
	check := fmt.Sprintf("answers lost and still unknown, power cuts: %d", c.want.Cuts)
	return Row{check, fmt.Sprintf("%s of %s", number(open), number(c.told.AskedAgain)), "-", "-", pass}
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
	told := int64(len(c.told.Faults))
	log := c.of(func(s *source) int64 { return twice(s.logged, s.theLog) })
	stored := c.of(func(s *source) int64 { return twice(s.sqlite, s.theSQLite) })
	check := fmt.Sprintf("keys that took stock twice, %s double clicks", number(c.told.DoubleClicks))
	return Row{check, number(told), log.String(), stored.String(), told == 0 && log.are(0) && stored.are(0)}
}

// alike: the log and SQLite of a node hold the same orders in the same states.
func (c *comparison) alike() Row {
	alike := true
	for _, s := range c.sources {
		alike = c.agree(s) && alike
	}
	told := int64(len(c.told.Claims))
	log := c.of(func(s *source) int64 { return int64(len(s.logged)) })
	stored := c.of(func(s *source) int64 { return int64(len(s.sqlite)) })
	return Row{"orders in all, each alike in log and SQLite", number(told), log.String(), stored.String(),
		alike && log.are(told) && stored.are(told)}
}

func (c *comparison) agree(s *source) (alike bool) {
	alike = true
	for id, o := range s.logged {
		if stored, ok := s.sqlite[id]; ok && stored != o {
			c.fault("order %s is %s in %s and %s in %s", id, o.describe(), s.theLog, stored.describe(), s.theSQLite)
			alike = false
		}
	}
	a, b := s.Log.SKU, s.Stored.SKU
	if a.Stock != b.Stock || a.Available != b.Available || a.Held != b.Held || a.Sold != b.Sold {
		c.fault("counters: %s has %d available, %d held, %d sold; %s %d, %d, %d",
			s.theLog, a.Available, a.Held, a.Sold, s.theSQLite, b.Available, b.Held, b.Sold)
		alike = false
	}
	return alike
}
