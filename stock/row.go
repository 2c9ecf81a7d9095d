package stock

// stateFence marks a row that is no order: it only keeps a fenced key taken.
const stateFence = StateReturned + 1

// row is an order, loaded from the table; its counter is its place there. A zero state means that no row is there.
type row struct {
	key, clientRef, paymentID []byte
	qty, returned             int64

	created, confirmed, ended, expires, updated Time

	firstVersion, version uint64
	user, caller          uint32
	epoch                 uint16
	state                 State
}

func (r *row) waits() bool { return r.state.waits() }

func (s State) waits() bool { return s == StateOpen || s == StateHeld }

func (r *row) settled() bool { return r.state >= StateConfirmed }

// left is how many units may still come back.
func (r *row) left() int64 { return r.qty - r.returned }

// returned is one accepted return, kept so that its key gives the same answer again.
type returned struct {
	key      string
	caller   uint32
	restock  bool
	paid     bool
	state    State
	qty      int64 // as asked for: 0 means all that was left
	counter  uint64
	previous uint64 // the order's return before this one, its place plus one
	total    int64  // returned units of the order after this one
	at       Time
	version  uint64
}

func (r *row) hash(counter uint64) uint64 {
	if r.state == 0 {
		return 0
	}
	h := mix(counter, uint64(r.state)|uint64(r.epoch)<<8|uint64(r.user)<<32)
	h = mixBytes(h, r.key)
	if len(r.clientRef) > 0 {
		h = mixBytes(mix(h, 1), r.clientRef)
	}
	if len(r.paymentID) > 0 {
		h = mixBytes(mix(h, 2), r.paymentID)
	}
	h = mix(mix(h, uint64(r.qty)), uint64(r.returned))
	h = mix(mix(mix(h, uint64(r.created)), uint64(r.confirmed)), uint64(r.ended))
	h = mix(mix(h, uint64(r.expires)), uint64(r.updated))
	return mix(mix(mix(h, r.firstVersion), r.version), uint64(r.caller))
}

func (p *person) hash(i uint64) uint64 { return mixBytes(mix(i, uint64(p.used)), p.name) }

func (r *returned) hash(i uint64) uint64 {
	if r.counter == 0 {
		return 0
	}
	flags := uint64(r.state) | uint64(r.caller)<<32
	if r.restock {
		flags |= 1 << 8
	}
	if r.paid {
		flags |= 1 << 9
	}
	h := mixText(mix(i, flags), r.key)
	h = mix(mix(mix(h, uint64(r.qty)), r.counter), r.previous)
	return mix(mix(mix(h, uint64(r.total)), uint64(r.at)), r.version)
}
