package audit

import (
	"maps"

	"github.com/cespare/xxhash/v2"
)

// limits sums the units of users. Above max users it holds a sample of them, as large as fits.
type limits struct {
	max  int
	bits uint
	// units are the users' by hash, skus whose they are.
	units map[uint64]int64
	skus  map[uint64]uint32
}

func newLimits(most int) *limits {
	return &limits{max: most, units: make(map[uint64]int64), skus: make(map[uint64]uint32)}
}

func (m *limits) add(sku uint32, user string, qty int64) {
	h := xxhash.Sum64String(user)
	h ^= (uint64(sku) + 1) * 0x9e3779b97f4a7c15
	if !sampled(h, m.bits) {
		return
	}
	if m.units[h] += qty; m.units[h] > 1 { // Nobody with one unit is above a limit.
		m.skus[h] = sku
	}
	for len(m.units) > m.max {
		m.bits++
		maps.DeleteFunc(m.units, func(h uint64, _ int64) bool { return !sampled(h, m.bits) })
		maps.DeleteFunc(m.skus, func(h uint64, _ uint32) bool { return !sampled(h, m.bits) })
	}
}

// broken returns the units above the limits.
func (m *limits) broken(l *Ledger, f *Findings) (units int64) {
	for h, sku := range m.skus {
		t := l.tallies[sku]
		if above := m.units[h] - t.sku.LimitPerUser; above > 0 {
			units += above
			f.say("a user has %d units of %s, the limit is %d", m.units[h], t.sku.Name, t.sku.LimitPerUser)
		}
	}
	if m.bits > 0 {
		f.say("the limit per user was held for one user in %d", uint64(1)<<m.bits)
	}
	return units
}
