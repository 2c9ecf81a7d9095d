package plot

import (
	"math"
	"strconv"
)

// Number is a figure as people read it: three digits, and k or M behind thousands and millions.
func Number(v float64) string {
	switch size := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "-"
	case size >= 999_500:
		return digits(v/1e6) + " M"
	case size >= 10_000:
		return digits(v/1e3) + " k"
	case size >= 1000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	default:
		return digits(v)
	}
}

// digits writes a number below 1000 with three digits; zeros behind the point are left out.
func digits(v float64) string {
	size, decimals := math.Abs(v), 0
	switch {
	case size == 0:
		return "0"
	case size < 1:
		decimals = min(2-int(math.Floor(math.Log10(size))), 9)
	case size < 9.995:
		decimals = 2
	case size < 99.95:
		decimals = 1
	}
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	if decimals == 0 {
		return text
	}
	for text[len(text)-1] == '0' {
		text = text[:len(text)-1]
	}
	if text[len(text)-1] == '.' {
		text = text[:len(text)-1]
	}
	return text
}
