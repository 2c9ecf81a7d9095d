package scenario

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// random draws numbers, from a seed.
type random struct{ rand.PCG }

func newRandom(seed uint64, stream int) random { return random{*rand.NewPCG(seed, uint64(stream))} }

// below draws a number below n, which is not 0.
func (r *random) below(n uint64) uint64 {
	high, _ := bits.Mul64(r.Uint64(), n)
	return high
}

// unit draws from [0, 1).
func (r *random) unit() float64 { return float64(r.Uint64()>>11) / (1 << 53) }

// popular draws numbers with the probabilities of Zipf's law, in constant time, by Walker's method of aliases: each column holds as much as the others,
// of one number and of one other. Unlike rand.Zipf it knows exponents of 1 and below.
type popular struct {
	keep  []float64
	alias []uint32
}

// newPopular prepares draws of 0 to n-1, of which i is drawn in proportion to 1/(i+1)^skew.
func newPopular(n int, skew float64) *popular {
	p := &popular{keep: make([]float64, n), alias: make([]uint32, n)}
	sum := 0.0
	for i := range n {
		p.keep[i] = math.Pow(float64(i+1), -skew)
		sum += p.keep[i]
	}
	var small, large []uint32
	for i := range n {
		if p.keep[i] *= float64(n) / sum; p.keep[i] < 1 {
			small = append(small, uint32(i))
		} else {
			large = append(large, uint32(i))
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		p.alias[s] = l
		if p.keep[l] -= 1 - p.keep[s]; p.keep[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	for _, i := range append(small, large...) { // but for rounding, 1
		p.keep[i] = 1
	}
	return p
}

func (p *popular) draw(r *random) int {
	i := r.below(uint64(len(p.keep)))
	if r.unit() >= p.keep[i] {
		return int(p.alias[i])
	}
	return int(i)
}
