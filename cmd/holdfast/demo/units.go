package demo

import (
	"cmp"
	"fmt"
	"slices"

	"holdfast/stock"
)

// sold: exactly the stock, in all three.
func (c *comparison) sold() Row {
	told := c.told.units("confirmed")
	log := c.of(func(s *source) int64 { return s.logged.units("confirmed") })
	stored := c.of(func(s *source) int64 { return s.sqlite.units("confirmed") })
	logRow := c.of(func(s *source) int64 { return s.Log.SKU.Sold })
	storedRow := c.of(func(s *source) int64 { return s.Stored.SKU.Sold })
	pass := told == c.want.Units && log.are(told) && stored.are(told) && logRow.are(told) && storedRow.are(told)
	return Row{fmt.Sprintf("units sold, of %s", number(c.want.Units)), number(told), log.String(), stored.String(), pass}
}

// peak: never more held and sold than there are, at any place of the log.
func (c *comparison) peak() Row {
	log := c.of(func(s *source) int64 { return s.Log.Peak })
	now := c.of(func(s *source) int64 { return s.Stored.SKU.Held + s.Stored.SKU.Sold })
	pass := true
	for _, s := range c.sources {
		pass = c.sound(s) && pass
	}
	return Row{"most held and sold at once", "-", log.String(), now.String(), pass}
}

func (c *comparison) sound(s *source) bool {
	for _, place := range s.Log.Unsound {
		c.fault("the counters of %s do not add up at %s", s.theLog, place)
	}
	row := s.Stored.SKU
	now := row.Held + row.Sold
	stored := row.Available+now == row.Stock && row.Available >= 0 && row.Held >= 0 && row.Sold >= 0 && now <= c.want.Units
	return stored && len(s.Log.Unsound) == 0 && s.Log.Commands > 0 && s.Log.Peak <= c.want.Units
}

// perBuyer: no buyer has, or ever had at once, more than the limit.
func (c *comparison) perBuyer() Row {
	bought := make(map[string]int64)
	for _, claim := range c.told.Claims {
		if claim.State == "confirmed" {
			bought[claim.User] += claim.Qty
		}
	}
	told := most(bought)
	log := c.of(c.mostAtOnce)
	stored := c.of(func(s *source) int64 {
		bought := make(map[string]int64)
		for _, o := range s.sqlite {
			if o.state == "confirmed" {
				bought[o.user] += o.qty
			}
		}
		return most(bought)
	})
	return Row{"most units of one buyer", number(told), log.String(), stored.String(), max(told, log.most(), stored.most()) <= c.want.Limit}
}

func most(m map[string]int64) (n int64) {
	for _, units := range m {
		n = max(n, units)
	}
	return n
}

// mostAtOnce walks through each buyer's orders in the log as they were placed. An order counts until it was cancelled or expired.
func (c *comparison) mostAtOnce(s *source) (n int64) {
	byUser := make(map[string][]stock.Order)
	for _, o := range s.Log.Orders {
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
				c.fault("buyer %s had %d units at once when order %s was placed, says %s", user, units, o.ID, s.theLog)
			}
			n = max(n, units)
		}
	}
	return n
}

// released: units came back from cancelled and expired orders, and every one of them was sold again.
func (c *comparison) released() Row {
	back := []string{"cancelled", "expired"}
	// The clients know that a hold came back unless it was paid for.
	told := c.told.units("held", "cancelled", "expired")
	log := c.of(func(s *source) int64 { return s.logged.units(back...) })
	stored := c.of(func(s *source) int64 { return s.sqlite.units(back...) })
	placed := c.of(func(s *source) (n int64) {
		for _, o := range s.logged {
			n += o.qty
		}
		return n
	})
	pass := told > 0 && log.are(told) && stored.are(told) && placed.are(c.want.Units+told)
	return Row{"units released and sold again", number(told), log.String(), stored.String(), pass}
}

// payments: each sold order was paid for once, with the payment that its buyer sent.
func (c *comparison) payments() Row {
	sent := make(map[string]string, len(c.told.Claims))
	for _, claim := range c.told.Claims {
		sent[claim.ID] = claim.Payment
	}
	wrong := false
	log := c.of(func(s *source) (n int64) {
		for _, o := range s.Log.Orders {
			if o.State == stock.StateConfirmed {
				n++
			}
			if o.PaymentID != sent[o.ID.String()] {
				c.fault("order %s was paid for with %q, not %q, says %s", o.ID, o.PaymentID, sent[o.ID.String()], s.theLog)
				wrong = true
			}
		}
		return n
	})
	check := fmt.Sprintf("payments, %s webhooks came twice", number(c.told.Webhooks))
	return Row{check, number(c.told.Paid), log.String(), "-", !wrong && log.are(c.told.Paid)}
}
