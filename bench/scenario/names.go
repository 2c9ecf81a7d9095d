package scenario

import (
	"strconv"

	"holdfast/bench/sale"
)

// maxPayload is how long key and user together may be; each may be 128 bytes.
const maxPayload = 256

// names makes keys and users that begin alike.
type names struct {
	prefix string
	// least is how long a key and a user are at least.
	leastKey, leastUser int
}

func newNames(p *Params) names {
	return names{
		prefix:   "b" + strconv.FormatUint(p.Seed, 36) + "-" + p.Run + "-",
		leastKey: p.PayloadBytes / 2, leastUser: p.PayloadBytes - p.PayloadBytes/2,
	}
}

// sku returns the name of the nth SKU.
func (n names) sku(i int) string { return n.prefix + "s" + strconv.Itoa(i) }

// name is a caller's nth of a kind.
func (n names) append(b []byte, kind byte, caller int, number uint64, least int) []byte {
	from := len(b)
	b = append(append(b, n.prefix...), kind)
	b = strconv.AppendInt(b, int64(caller), 36)
	b = strconv.AppendUint(append(b, '.'), number, 36)
	for len(b)-from < least {
		b = append(b, '_')
	}
	return b
}

// caller is what belongs to one caller.
type caller struct {
	number int
	// placed counts its orders.
	placed  uint64
	random  random
	orders  []sale.Order
	answers []sale.Answer
	text    []byte
	ends    []int
	_       [64]byte
}

// next fills the caller's orders with n new ones. All their strings are of one piece, which is not used again: a target may keep them.
func (s *shop) next(c *caller, n int) ([]sale.Order, []sale.Answer) {
	if cap(c.orders) < n {
		c.orders, c.answers, c.ends = make([]sale.Order, n), make([]sale.Answer, n), make([]int, 2*n)
	}
	c.orders, c.answers, c.text = c.orders[:n], c.answers[:n], c.text[:0]
	for i := range n {
		c.text = s.naming.append(c.text, 'k', c.number, c.placed, s.naming.leastKey)
		c.ends[2*i] = len(c.text)
		c.text = s.naming.append(c.text, 'u', c.number, s.user(c), s.naming.leastUser)
		c.ends[2*i+1] = len(c.text)
		c.placed++
	}
	all, from := string(c.text), 0
	for i := range n {
		key, user := c.ends[2*i], c.ends[2*i+1]
		c.orders[i] = sale.Order{Key: all[from:key], SKU: s.pick(c), User: all[key:user], Qty: 1}
		from = user
	}
	clear(c.answers)
	return c.orders, c.answers
}

// user is the number of who places the next order: somebody new, who asks as often as people click.
func (s *shop) user(c *caller) uint64 {
	if s.return1in > 0 && c.placed > 0 && c.random.below(s.return1in) == 0 {
		return c.random.below(c.placed)
	}
	return c.placed / s.clicks
}

// pick is the SKU of the next order.
func (s *shop) pick(c *caller) string {
	switch {
	case len(s.names) == 1:
		return s.names[0]
	case s.popular != nil:
		return s.names[s.popular.draw(&c.random)]
	}
	return s.names[c.random.below(uint64(len(s.names)))]
}
