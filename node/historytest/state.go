package historytest

import "hash/maphash"

// state is what the model knows of a SKU. A state is never changed, only succeeded.
// Invariant: available + held + sold == the stock.
type state struct {
	counters
	orders *branch[order] // by the number of the key
	used   *branch[int64] // units by the number of the user, where there is a limit
}

// counters are the part of a state by which two are compared.
type counters struct {
	available, held, sold int64
	// index is the log index that moved the units last, and moved how many of the moves that were told of there were. After a move of which nobody
	// was told the index is only a lower bound: blurred.
	index   uint64
	moved   int
	blurred bool
	// sum is a hash over all orders. Equal sums are taken for equal orders.
	sum uint64
}

// order is a key that was used.
type order struct {
	state, id, payment string
	user               int // its number
	qty                int64
	// version is the log index that changed it last, 0 when nobody was told.
	version uint64
}

// Fenced is the state of a key that will never have an order.
const Fenced = "fenced"

const (
	branchBits = 4
	branchFan  = 1 << branchBits
)

// branch is a tree that stands for an array; what is not there is zero. It shares with its successors what is alike.
type branch[T any] struct {
	children [branchFan]*branch[T]
	values   []T
}

// at returns an element of a tree of a height.
func (b *branch[T]) at(i, height int) (v T) {
	for ; b != nil && height > 0; height-- {
		b = b.children[i>>(height*branchBits)%branchFan]
	}
	if b == nil {
		return v
	}
	return b.values[i%branchFan]
}

// with returns a tree with another element.
func (b *branch[T]) with(i, height int, v T) *branch[T] {
	next := &branch[T]{}
	if b != nil {
		*next = *b
	}
	if height == 0 {
		next.values = make([]T, branchFan)
		if b != nil {
			copy(next.values, b.values)
		}
		next.values[i%branchFan] = v
		return next
	}
	at := i >> (height * branchBits) % branchFan
	next.children[at] = next.children[at].with(i, height-1, v)
	return next
}

// heightFor returns how high a tree for n elements is.
func heightFor(n int) (height int) {
	for n > branchFan {
		n = (n + branchFan - 1) / branchFan
		height++
	}
	return height
}

// placed is an order at its number, for hashing.
type placed struct {
	number int
	order  order
}

func (p placed) hash(seed maphash.Seed) uint64 {
	if p.order == (order{}) {
		return 0
	}
	return maphash.Comparable(seed, p)
}
