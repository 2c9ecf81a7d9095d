package demo

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Claim is an order as the clients were told of it.
type Claim struct {
	ID, Key, User string
	Qty           int64
	// State is the last one that was told: held, confirmed, cancelled, or expired.
	State string
	// Payment is what it was paid with, "" when it was not.
	Payment string
}

// Told is the first of the three counts: what the clients were told, kept on their side of the wire and nowhere else.
type Told struct {
	Claims []Claim // by id
	// Open are the keys and orders whose outcome never became definite.
	Open []string
	// Faults are answers that contradict each other.
	Faults []string
	// AskedAgain is how many requests lost their answer and were sent again until it was definite.
	AskedAgain int64
	// Unknown is how many requests were left in doubt by a node that lived: no answer, or one that says that nobody knows.
	Unknown int64
	// LedBefore and LedAfter are who led the SKU when the leader was killed, and who did next. Gap is the longest time without an accepted order
	// around the kill.
	LedBefore, LedAfter string
	Gap                 time.Duration
	Tally
}

// Tally counts what happened on the clients' side.
type Tally struct {
	// Buyers came; Requests were answered.
	Buyers   int64 `json:"buyers"`
	Requests int64 `json:"requests"`
	// Refused is how often an order was refused, OverLimit how many of those were for a second unit.
	Refused   int64 `json:"refused"`
	OverLimit int64 `json:"over_limit"`
	// DoubleClicks sent one key twice at once, Webhooks repeated a payment.
	DoubleClicks int64 `json:"double_clicks"`
	Webhooks     int64 `json:"webhooks_repeated"`
	// Placed, Paid, Cancelled and TooLate count answers about orders; TooLate payments came after the hold had expired.
	Placed    int64 `json:"placed"`
	Paid      int64 `json:"paid"`
	Cancelled int64 `json:"cancelled"`
	TooLate   int64 `json:"too_late"`
}

// book is where the clients write down what they are told.
type book struct {
	mu     sync.Mutex        // guards what follows
	claims map[string]*Claim // by key
	byID   map[string]*Claim
	// at is when each order was accepted, in order.
	at     []time.Time
	open   []string
	faults []string
	Tally
}

// maxFaults bounds what is kept of a history that is all wrong.
const maxFaults = 100

func newBook() *book { return &book{claims: make(map[string]*Claim), byID: make(map[string]*Claim)} }

// placed notes an accepted order and returns how many there are. One key must always name one order.
func (b *book) placed(c Claim) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if before := b.claims[c.Key]; before != nil {
		if before.ID != c.ID || before.User != c.User || before.Qty != c.Qty {
			b.faultLocked("key %s was given order %s and order %s", c.Key, before.ID, c.ID)
		}
		return b.Placed
	}
	if before := b.byID[c.ID]; before != nil {
		b.faultLocked("order %s was given to keys %s and %s", c.ID, before.Key, c.Key)
		return b.Placed
	}
	b.claims[c.Key], b.byID[c.ID] = &c, &c
	b.at = append(b.at, time.Now())
	b.Placed++
	return b.Placed
}

// longestPause returns the longest time between two accepted orders, of those pauses that ended after one moment and began before another.
func (b *book) longestPause(after, before time.Time) (longest time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := 1; i < len(b.at); i++ {
		if b.at[i].After(after) && b.at[i-1].Before(before) {
			longest = max(longest, b.at[i].Sub(b.at[i-1]))
		}
	}
	return longest
}

// lastPlaced returns when an order was accepted last.
func (b *book) lastPlaced() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.at) == 0 {
		return time.Time{}
	}
	return b.at[len(b.at)-1]
}

// paid notes a confirmed payment.
func (b *book) paid(id, payment string) { b.settle(id, "confirmed", payment, &b.Paid) }

func (b *book) cancelled(id string) { b.settle(id, "cancelled", "", &b.Cancelled) }

func (b *book) tooLate(id string) { b.settle(id, "expired", "", &b.TooLate) }

// settle moves an order to its last state. Told twice is well, told otherwise is not.
func (b *book) settle(id, state, payment string, count *int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch c := b.byID[id]; {
	case c == nil:
		b.faultLocked("order %s is %s, but was given to nobody", id, state)
	case c.State == "held":
		c.State, c.Payment = state, payment
		*count++
	case c.State != state || c.Payment != payment:
		b.faultLocked("order %s was %s and then %s", id, c.State, state)
	}
}

// fault notes an answer that must not be.
func (b *book) fault(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faultLocked(format, args...)
}

func (b *book) faultLocked(format string, args ...any) {
	if len(b.faults) < maxFaults {
		b.faults = append(b.faults, fmt.Sprintf(format, args...))
	}
}

// unknown notes an outcome that never became definite.
func (b *book) unknown(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open = append(b.open, what)
}

// count changes the tally.
func (b *book) count(change func(*Tally)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.Tally)
}

func (b *book) tally() Tally {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Tally
}

// told returns what was written down.
func (b *book) told() Told {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := Told{Open: slices.Clone(b.open), Faults: slices.Clone(b.faults), Tally: b.Tally}
	for _, id := range slices.Sorted(maps.Keys(b.byID)) {
		t.Claims = append(t.Claims, *b.byID[id])
	}
	return t
}
