package plot

import "math"

// scale maps values of an axis to [0,1].
type scale struct {
	log    bool
	lo, hi float64
	marks  []Mark
}

// wanted is about how many marks an axis has.
const wanted = 5

func (a Axis) shows(v float64) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && (!a.Log || v > 0)
}

// scale chooses the limits and marks of an axis for the values on it.
func (a Axis) scale(values []float64) scale {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		lo, hi = math.Min(lo, v), math.Max(hi, v)
	}
	if len(values) == 0 {
		lo, hi = 1, 2
	}
	var s scale
	if a.Log {
		s = logarithmic(lo, hi)
	} else {
		s = linear(lo, hi, a.FromZero)
	}
	if a.Marks != nil {
		s.marks = a.Marks
	}
	return s
}

func linear(lo, hi float64, fromZero bool) scale {
	if fromZero {
		lo, hi = math.Min(lo, 0), math.Max(hi, 0)
	}
	if lo == hi {
		lo, hi = lo-math.Max(1, math.Abs(lo)/10), hi+math.Max(1, math.Abs(hi)/10)
		if fromZero && lo < 0 {
			lo = 0
		}
	}
	step := roundStep((hi - lo) / wanted)
	s := scale{lo: math.Floor(lo/step) * step, hi: math.Ceil(hi/step) * step}
	for i := 0; ; i++ {
		at := s.lo + float64(i)*step
		if at > s.hi+step/2 {
			return s
		}
		if math.Abs(at) < step/1e6 {
			at = 0
		}
		s.marks = append(s.marks, Mark{at, Number(at)})
	}
}

// roundStep is the next of 1, 2, 5, 10, ... times a power of ten.
func roundStep(raw float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if raw <= m*power*(1+1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// logarithmic goes from a 1, 2 or 5 below the least value to one above the greatest.
func logarithmic(lo, hi float64) scale {
	s := scale{log: true, lo: roundDown(lo), hi: roundStep(hi)}
	if s.lo == s.hi {
		s.lo, s.hi = s.lo/2, s.hi*2
	}
	factors := []float64{1, 2, 5}
	if s.hi/s.lo > 1e3 {
		factors = factors[:1]
	}
	stride := 1 + int(math.Log10(s.hi/s.lo))/9
	for power := int(math.Floor(math.Log10(s.lo))); power <= int(math.Ceil(math.Log10(s.hi))); power += stride {
		for _, f := range factors {
			at := f * math.Pow(10, float64(power))
			if at >= s.lo*(1-1e-9) && at <= s.hi*(1+1e-9) {
				s.marks = append(s.marks, Mark{at, Number(at)})
			}
		}
	}
	return s
}

func roundDown(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)+1e-12))
	for _, m := range []float64{5, 2} {
		if v >= m*power {
			return m * power
		}
	}
	return power
}

// at maps a value to [0,1].
func (s scale) at(v float64) float64 {
	if s.log {
		return math.Log(v/s.lo) / math.Log(s.hi/s.lo)
	}
	return (v - s.lo) / (s.hi - s.lo)
}
