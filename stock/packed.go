package stock

import (
	"encoding/binary"
	"math/bits"
)

// packedRow begins with the bytes of a row in memory. They never leave it: a snapshot has a form of its own.
//
//	head   uint16, little endian: state, and which of the members in brackets are there
//	size   uvarint: how many bytes follow
//	key    text; [caller] uvarint; user uvarint
//	[ref] [payment]  texts
//	[qty, else 1] [returned]
//	created          from the page's
//	[expires]        from created and the page's time to live
//	[confirmed]      from created
//	[ended]          from expires
//	[updated, else the later of created, confirmed and ended]  from that
//	first version    from the page's
//	[version]        from the first
//	[epoch, else the page's] uvarint
//
// A text is its length as a uvarint and its bytes; a number without a form is a signed varint, its difference where one is named. Differences wrap, so
// every value has a form.
type packedRow []byte

// rowBase is what the numbers of a page's rows are near to.
type rowBase struct {
	created Time
	ttl     Time
	version uint64
	epoch   uint16
}

func baseOf(r *row) rowBase {
	base := rowBase{created: r.created, version: r.firstVersion, epoch: r.epoch}
	if r.expires != 0 {
		base.ttl = r.expires - r.created
	}
	return base
}

// The bits of a head.
const (
	packedState  = 1<<3 - 1
	packedCaller = 1 << (iota + 2)
	packedRef
	packedPayment
	packedQty
	packedReturned
	packedExpires
	packedConfirmed
	packedEnded
	packedUpdated
	packedVersion
	packedEpoch
)

// lastChange is what the time of an order's last change most often is.
func (r *row) lastChange() Time { return max(r.created, r.confirmed, r.ended) }

func (r *row) packedHead(base *rowBase) (head uint16) {
	head = uint16(r.state)
	for _, m := range [...]struct {
		there bool
		bit   uint16
	}{
		{r.caller != 0, packedCaller}, {len(r.clientRef) > 0, packedRef}, {len(r.paymentID) > 0, packedPayment}, {r.qty != 1, packedQty},
		{r.returned != 0, packedReturned}, {r.expires != 0, packedExpires}, {r.confirmed != 0, packedConfirmed}, {r.ended != 0, packedEnded},
		{r.updated != r.lastChange(), packedUpdated}, {r.version != r.firstVersion, packedVersion}, {r.epoch != base.epoch, packedEpoch},
	} {
		if m.there {
			head |= m.bit
		}
	}
	return head
}

// appendPacked appends the form of a row.
func appendPacked(b []byte, base *rowBase, r *row) []byte {
	from := len(b)
	head := r.packedHead(base)
	b = append(b, byte(head), byte(head>>8), 0)
	b = appendPackedText(b, r.key)
	if head&packedCaller != 0 {
		b = binary.AppendUvarint(b, uint64(r.caller))
	}
	b = binary.AppendUvarint(b, uint64(r.user))
	if head&packedRef != 0 {
		b = appendPackedText(b, r.clientRef)
	}
	if head&packedPayment != 0 {
		b = appendPackedText(b, r.paymentID)
	}
	for _, n := range [...]struct {
		bit uint16
		v   int64
	}{
		{packedQty, r.qty}, {packedReturned, r.returned}, {0, int64(r.created - base.created)}, {packedExpires, int64(r.expires - r.created - base.ttl)},
		{packedConfirmed, int64(r.confirmed - r.created)}, {packedEnded, int64(r.ended - r.expires)},
		{packedUpdated, int64(r.updated - r.lastChange())}, {0, int64(r.firstVersion - base.version)},
		{packedVersion, int64(r.version - r.firstVersion)},
	} {
		if n.bit == 0 || head&n.bit != 0 {
			b = binary.AppendVarint(b, n.v)
		}
	}
	if head&packedEpoch != 0 {
		b = binary.AppendUvarint(b, uint64(r.epoch))
	}
	return sized(b, from)
}

// sized fills in the size of the form that begins at from; it has one byte there, and is moved when it needs more.
func sized(b []byte, from int) []byte {
	size := uint64(len(b) - from - 3)
	extra := max(0, (bits.Len64(size)+6)/7-1)
	for range extra {
		b = append(b, 0)
	}
	if extra > 0 {
		copy(b[from+3+extra:], b[from+3:len(b)-extra])
	}
	binary.PutUvarint(b[from+2:], size)
	return b
}

func appendPackedText(b []byte, s []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func (b packedRow) state() State { return State(b[0] & packedState) }

// size returns how many bytes the row has.
func (b packedRow) size() int {
	n, at := unvarint(b, 2)
	return at + int(n)
}

// key returns the row's key.
func (b packedRow) key() []byte {
	_, at := unvarint(b, 2)
	n, at := unvarint(b, at)
	return b[at : at+int(n)]
}

// caller returns the row's caller.
func (b packedRow) caller() uint32 {
	if b[0]&packedCaller == 0 {
		return 0
	}
	_, at := unvarint(b, 2)
	n, at := unvarint(b, at)
	v, _ := unvarint(b, at+int(n))
	return uint32(v)
}

// unvarint reads a number and returns where it ends.
func unvarint(b []byte, at int) (uint64, int) {
	if v := b[at]; v < 1<<7 {
		return uint64(v), at + 1
	}
	v, n := binary.Uvarint(b[at:])
	return v, at + n
}

// unpacker reads the members of a row, one behind another.
type unpacker struct {
	b    []byte
	at   int
	head uint16
}

func (u *unpacker) uvarint() (v uint64) {
	v, u.at = unvarint(u.b, u.at)
	return v
}

func (u *unpacker) text() []byte {
	n := int(u.uvarint())
	u.at += n
	return u.b[u.at-n : u.at : u.at]
}

// varint reads a member that is there when the head has a bit, or always for 0.
func (u *unpacker) varint(bit uint16) int64 {
	if bit != 0 && u.head&bit == 0 {
		return 0
	}
	v := u.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

// unpack reads a row into r, which is zero.
func (b packedRow) unpack(base *rowBase, r *row) {
	u := unpacker{b: b, at: 2, head: uint16(b[0]) | uint16(b[1])<<8}
	u.uvarint()
	r.state = b.state()
	r.key = u.text()
	if u.head&packedCaller != 0 {
		r.caller = uint32(u.uvarint())
	}
	r.user = uint32(u.uvarint())
	if u.head&packedRef != 0 {
		r.clientRef = u.text()
	}
	if u.head&packedPayment != 0 {
		r.paymentID = u.text()
	}
	r.qty = 1
	if u.head&packedQty != 0 {
		r.qty = u.varint(0)
	}
	r.returned = u.varint(packedReturned)
	u.times(base, r)
	r.firstVersion = base.version + uint64(u.varint(0))
	r.version = r.firstVersion + uint64(u.varint(packedVersion))
	r.epoch = base.epoch
	if u.head&packedEpoch != 0 {
		r.epoch = uint16(u.uvarint())
	}
}

func (u *unpacker) times(base *rowBase, r *row) {
	r.created = base.created + Time(u.varint(0))
	for _, t := range [...]struct {
		bit  uint16
		to   *Time
		from Time
	}{{packedExpires, &r.expires, r.created + base.ttl}, {packedConfirmed, &r.confirmed, r.created}} {
		if u.head&t.bit != 0 {
			*t.to = t.from + Time(u.varint(0))
		}
	}
	if u.head&packedEnded != 0 {
		r.ended = r.expires + Time(u.varint(0))
	}
	r.updated = r.lastChange() + Time(u.varint(packedUpdated))
}
