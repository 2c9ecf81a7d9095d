package stocktest_test

import (
	"fmt"

	"holdfast/stock"
	"holdfast/stock/stocktest"
)

// audit follows a history from outside, by answers and visible rows alone, and says when a promise is broken.
type audit struct {
	seen map[stock.OrderID]stock.Order // as each order stood when it was last in memory
	keys map[string]stock.Order        // the first answer of each key
}

func newAudit() *audit {
	return &audit{seen: map[stock.OrderID]stock.Order{}, keys: map[string]stock.Order{}}
}

// moves are the state changes there are; one command may hold several of an order at most once.
var moves = map[[2]stock.State]bool{
	{stock.StateOpen, stock.StateConfirmed}: true, {stock.StateOpen, stock.StateCancelled}: true, {stock.StateOpen, stock.StateExpired}: true,
	{stock.StateHeld, stock.StateConfirmed}: true, {stock.StateHeld, stock.StateCancelled}: true, {stock.StateHeld, stock.StateExpired}: true,
	{stock.StateConfirmed, stock.StateReturned}: true,
}

// step takes a command, its answer and the rows after it, and returns the first broken promise or "".
func (a *audit) step(s stocktest.Step, out stock.Outcome, skus []stock.SKU, orders []stock.Order) string {
	if why := a.rows(s.At, orders); why != "" {
		return why
	}
	for _, k := range skus {
		if why := a.conserved(k); why != "" {
			return why
		}
	}
	if c, ok := s.Command.(*stock.Place); ok && out.Code == stock.OK {
		return a.accepted(c, out, skus)
	}
	return ""
}

// rows checks that orders change only as orders may, and that no key has two.
func (a *audit) rows(at stock.Position, orders []stock.Order) string {
	taken := map[string]bool{}
	for _, o := range orders {
		key := o.SKU + "\x00" + o.Caller + "\x00" + o.Key
		if taken[key] {
			return fmt.Sprintf("order %v: a second one under its key", o.ID)
		}
		taken[key] = true
		if was, known := a.seen[o.ID]; known {
			if why := changed(was, o, at); why != "" {
				return fmt.Sprintf("order %v: %s", o.ID, why)
			}
		} else if o.Version != at.Index || o.CreatedAt != at.Now {
			return fmt.Sprintf("order %v: new, but not of now", o.ID)
		}
		a.seen[o.ID] = o
	}
	return ""
}

func changed(was, is stock.Order, at stock.Position) string {
	switch {
	case was == is:
		return ""
	case is.Version != at.Index || is.UpdatedAt != at.Now:
		return "changed, but not now"
	case was.State != is.State && !moves[[2]stock.State{was.State, is.State}]:
		return fmt.Sprintf("from %v to %v", was.State, is.State)
	case was.PaymentID != "" && was.PaymentID != is.PaymentID:
		return "another payment"
	case is.ReturnedQty < was.ReturnedQty || is.ReturnedQty > is.Qty:
		return "returned units do not add up"
	case is.State == stock.StateConfirmed && was.State != stock.StateConfirmed && is.ExpiresAt <= at.Now:
		return "confirmed after its deadline"
	case is.State == stock.StateExpired && is.ExpiresAt > at.Now:
		return "expired before its deadline"
	}
	was.State, was.PaymentID, was.ReturnedQty, was.UpdatedAt, was.Version = is.State, is.PaymentID, is.ReturnedQty, is.UpdatedAt, is.Version
	was.ConfirmedAt, was.CancelledAt, was.ExpiredAt, was.ReturnedAt = is.ConfirmedAt, is.CancelledAt, is.ExpiredAt, is.ReturnedAt
	if was != is {
		return "changed in what never changes"
	}
	return ""
}

// conserved checks the counters of a SKU against its orders, those that left memory included.
func (a *audit) conserved(k stock.SKU) string {
	var held, sold int64
	for _, o := range a.seen {
		switch {
		case o.SKU != k.Spec.SKU:
		case o.State == stock.StateHeld:
			held += o.Qty
		case o.State == stock.StateConfirmed:
			sold += o.Qty - o.ReturnedQty
		}
	}
	switch {
	case k.Available < 0 || k.Held < 0 || k.Sold < 0 || k.Stock > stock.MaxStock:
		return fmt.Sprintf("a counter out of range: %+v", k)
	case k.Stock != k.Available+k.Held+k.Sold:
		return fmt.Sprintf("stock is not available + held + sold: %+v", k)
	case k.Held != held || k.Sold != sold:
		return fmt.Sprintf("orders hold %d and sold %d, the SKU says %+v", held, sold, k)
	}
	return ""
}

// accepted checks an accepted Place: a replay is the first answer, anything else within the limit.
func (a *audit) accepted(c *stock.Place, out stock.Outcome, skus []stock.SKU) string {
	key := c.SKU + "\x00" + c.Caller + "\x00" + c.Key
	if out.Replayed {
		if a.keys[key] != *out.Order {
			return "a replay is not the first answer"
		}
		return ""
	}
	a.keys[key] = *out.Order
	for _, k := range skus {
		if used := a.used(c.SKU, c.User); k.Spec.SKU == c.SKU && k.LimitPerUser > 0 && used > k.LimitPerUser {
			return fmt.Sprintf("user %s has %d units, over the limit %d", c.User, used, k.LimitPerUser)
		}
	}
	return ""
}

func (a *audit) used(sku, user string) (n int64) {
	for _, o := range a.seen {
		if o.SKU == sku && o.User == user && o.State <= stock.StateConfirmed {
			n += o.Qty - o.ReturnedQty
		}
	}
	return n
}
