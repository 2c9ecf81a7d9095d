package stock

import "fmt"

// Mode says when an order of a SKU takes stock.
type Mode uint8

const (
	// ModeHold deducts at once and waits for payment until the hold's deadline. The default.
	ModeHold Mode = iota + 1
	// ModeOnOrder deducts and confirms at once.
	ModeOnOrder
	// ModeOnPayment deducts when the order is confirmed; until then the order is open and takes nothing.
	ModeOnPayment
)

var modeNames = [...]string{ModeHold: "hold", ModeOnOrder: "on_order", ModeOnPayment: "on_payment"}

// String returns the mode's name in the API.
func (m Mode) String() string { return nameOf(modeNames[:], int(m), "Mode") }

// ParseMode returns the mode of an API name; ok is false for any other text.
func ParseMode(name string) (m Mode, ok bool) {
	i, ok := indexOf(modeNames[:], name)
	return Mode(i), ok
}

// State is where an order stands. States only move forward:
// open or held -> confirmed | cancelled | expired, and confirmed -> returned.
type State uint8

const (
	// StateOpen is an order of ModeOnPayment that waits for its payment and holds nothing.
	StateOpen State = iota + 1
	// StateHeld is an order of ModeHold that holds its units until its deadline.
	StateHeld
	// StateConfirmed is a sold order.
	StateConfirmed
	// StateCancelled is an order given up before its payment.
	StateCancelled
	// StateExpired is an order whose deadline passed before its payment.
	StateExpired
	// StateReturned is a sold order of which every unit came back.
	StateReturned
)

var stateNames = [...]string{
	StateOpen: "open", StateHeld: "held", StateConfirmed: "confirmed",
	StateCancelled: "cancelled", StateExpired: "expired", StateReturned: "returned",
}

// String returns the state's name in the API.
func (s State) String() string { return nameOf(stateNames[:], int(s), "State") }

// Settled reports whether nothing but a return can change the order any more.
func (s State) Settled() bool { return s >= StateConfirmed }

func nameOf(names []string, i int, kind string) string {
	if i <= 0 || i >= len(names) {
		return fmt.Sprintf("%s(%d)", kind, i)
	}
	return names[i]
}

func indexOf(names []string, name string) (int, bool) {
	for i := 1; i < len(names); i++ {
		if names[i] == name {
			return i, true
		}
	}
	return 0, false
}
