package historytest

import "fmt"

// Kind says what was asked.
type Kind uint8

// What callers ask.
const (
	Place Kind = iota + 1
	Confirm
	Cancel
	ReadOrder
	ReadOutcome
	Fence
	ReadSKU
)

var kindNames = [...]string{
	Place: "place", Confirm: "confirm", Cancel: "cancel", ReadOrder: "read order", ReadOutcome: "read outcome", Fence: "fence", ReadSKU: "read SKU",
}

// String returns the kind in words.
func (k Kind) String() string { return kindNames[k] }

// Unknown is the code of a call that got no answer: it may have happened, and may happen yet.
const Unknown = "unknown"

// Op is a call of a caller. Calls that were not executed, and reads without an answer, are none.
type Op struct {
	Kind Kind
	// Caller numbers the client that called.
	Caller int
	// SKU is what it was about; a call that names an order only may leave it out.
	SKU string
	// Key, User and Qty are those of an order that is placed; ReadOutcome and Fence have a key, too.
	Key, User string
	Qty       int64
	// OrderID and Payment are those that Confirm, Cancel and ReadOrder name.
	OrderID, Payment string
	// Call and Return are when it began and ended, in nanoseconds since the recorder began.
	Call, Return int64
	Answer       Answer
}

// Answer is what a caller was told. The members of other codes are zero.
type Answer struct {
	// Code is "" for an acceptance and for a read that found something, a refusal's code, or Unknown.
	Code string
	// Replayed: the key was known.
	Replayed bool
	// OrderID, State and Payment show the order; the state of a key that is fenced is Fenced.
	OrderID, State, Payment string
	// Version is the log index that changed the order, or the counters of the SKU, last; 0: not told.
	Version uint64
	// Stock, Available, Held and Sold are the SKU's counters; refusals show some of them. Used is what limit_exceeded shows.
	Stock, Available, Held, Sold, Used int64
}

func (a *Answer) unknown() bool { return a.Code == Unknown }

// order returns the id of the order that the call is about, "" when only its key is known.
func (o *Op) order() string {
	if o.OrderID != "" {
		return o.OrderID
	}
	return o.Answer.OrderID
}

// String shows the call as a line of a report.
func (o *Op) String() string {
	text := fmt.Sprintf("%9.3f to %9.3f ms, caller %d: %s %s", float64(o.Call)/1e6, float64(o.Return)/1e6, o.Caller, o.Kind, o.SKU)
	for _, part := range []struct{ name, value string }{
		{"key", o.Key}, {"user", o.User}, {"order", o.OrderID}, {"payment", o.Payment},
	} {
		if part.value != "" {
			text += " " + part.name + " " + part.value
		}
	}
	if o.Kind == Place {
		text += fmt.Sprintf(" qty %d", o.Qty)
	}
	return text + " -> " + o.Answer.String()
}

// String shows what the caller was told.
func (a Answer) String() string {
	text := a.Code
	if text == "" {
		text = "ok"
	}
	for _, part := range []struct{ name, value string }{{"order", a.OrderID}, {"state", a.State}, {"payment", a.Payment}} {
		if part.value != "" {
			text += " " + part.name + " " + part.value
		}
	}
	for _, part := range []struct {
		name  string
		value int64
	}{{"stock", a.Stock}, {"available", a.Available}, {"held", a.Held}, {"sold", a.Sold}, {"used", a.Used}, {"version", int64(a.Version)}} {
		if part.value != 0 {
			text += fmt.Sprintf(" %s %d", part.name, part.value)
		}
	}
	if a.Replayed {
		text += " replayed"
	}
	return text
}
