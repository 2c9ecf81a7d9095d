package stock

import "math/bits"

// OrderID names an order without a clock: where it lives and its number there (rule R6). The same order gets the same id on every replica,
// and an id finds its shard, its SKU and its actor without an index.
type OrderID struct {
	// Epoch belongs to the cluster and is raised by every restore, so ids never repeat.
	Epoch uint16
	// Partition is that of the SKU.
	Partition Partition
	// SKU is the SKU's number in its shard, given by the command that created it.
	SKU uint32
	// Counter numbers the orders of the SKU from 1.
	Counter uint64
}

const (
	base62     = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	placeChars = 10 // epoch, partition and SKU number: 58 bits in 10 digits
	// MaxOrderIDChars is the length of the longest id.
	MaxOrderIDChars = placeChars + 11
)

// String returns the id as the API shows it: 11 to 21 characters of 0-9, A-Z, a-z; ten for the place, the rest for the counter.
func (id OrderID) String() string {
	var buf [MaxOrderIDChars]byte
	i := len(buf)
	for c := id.Counter; ; {
		i--
		buf[i] = base62[c%62]
		if c /= 62; c == 0 {
			break
		}
	}
	place := uint64(id.Epoch)<<42 | uint64(id.Partition)<<32 | uint64(id.SKU)
	for range placeChars {
		i--
		buf[i] = base62[place%62]
		place /= 62
	}
	return string(buf[i:])
}

// ParseOrderID returns the id that String printed as s; ok is false for anything else, other spellings of the same numbers included.
func ParseOrderID(s string) (id OrderID, ok bool) {
	if len(s) <= placeChars || len(s) > MaxOrderIDChars || (s[placeChars] == '0' && len(s) > placeChars+1) {
		return OrderID{}, false
	}
	place, ok1 := parse62(s[:placeChars])
	counter, ok2 := parse62(s[placeChars:])
	if !ok1 || !ok2 || place>>58 != 0 {
		return OrderID{}, false
	}
	return OrderID{
		Epoch: uint16(place >> 42), Partition: Partition(place >> 32 & (1<<10 - 1)), SKU: uint32(place), Counter: counter,
	}, true
}

func parse62(s string) (n uint64, ok bool) {
	for i := range len(s) {
		d, ok := digit62(s[i])
		if !ok {
			return 0, false
		}
		hi, lo := bits.Mul64(n, 62)
		sum, carry := bits.Add64(lo, d, 0)
		if hi != 0 || carry != 0 {
			return 0, false
		}
		n = sum
	}
	return n, true
}

func digit62(c byte) (uint64, bool) {
	switch {
	case '0' <= c && c <= '9':
		return uint64(c - '0'), true
	case 'A' <= c && c <= 'Z':
		return uint64(c-'A') + 10, true
	case 'a' <= c && c <= 'z':
		return uint64(c-'a') + 36, true
	}
	return 0, false
}
