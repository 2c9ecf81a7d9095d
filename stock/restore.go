package stock

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"github.com/vmihailenco/msgpack/v5"
)

const (
	maxScanDepth = 16
	// maxRows bounds the orders one SKU can ever have in a snapshot, and so what a reader allocates for places without a row.
	maxRows = 1 << 34
)

// marshal encodes a head by msgpack/v5: arrays and shortest integers, so equal values are equal bytes.
func marshal(v any) []byte {
	var buf bytes.Buffer
	enc := msgpack.NewEncoder(&buf)
	enc.UseArrayEncodedStructs(true)
	enc.UseCompactInts(true)
	if err := enc.Encode(v); err != nil {
		// A head holds numbers, texts and lists of them; the encoder refuses none of these.
		panic(fmt.Sprintf("stock: encode %T: %v", v, err))
	}
	return buf.Bytes()
}

// unmarshal decodes what marshal wrote, after every declared length has been checked against the input.
func unmarshal(b []byte, v any) error {
	n, err := scanValue(string(b), maxScanDepth)
	if err != nil {
		return err
	}
	if n != len(b) {
		return fmt.Errorf("%w: %d bytes follow a %T", ErrMalformed, len(b)-n, v)
	}
	if err := msgpack.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %T: %w", ErrMalformed, v, err)
	}
	return nil
}

// ReadSnapshot returns the shard's state that a Cut wrote. Every frame and, per SKU, the hash of its tables must match; anything else is
// ErrMalformed, a newer level ErrUnknownCommand.
func ReadSnapshot(r io.Reader) (*Book, error) {
	f := &frameReader{r: bufio.NewReaderSize(r, 1<<16)}
	var head bookHead
	if err := f.head(frameBook, &head); err != nil {
		return nil, err
	}
	if head.Level != level {
		return nil, fmt.Errorf("%w: snapshot of level %d", ErrUnknownCommand, head.Level)
	}
	b := NewBook()
	b.epoch, b.settings, b.now, b.index, b.flushed = head.Epoch, head.Settings, head.Now, head.Index, head.Flushed
	b.own(head.Partitions)
	for _, m := range head.Memory {
		b.memory.add(m)
	}
	b.journal = NewJournal(head.Index, 0)
	if err := b.readLedgers(f, head.Ledgers); err != nil {
		return nil, err
	}
	if kind, _, err := f.next(); err != nil || kind != frameEnd {
		return nil, fmt.Errorf("%w: snapshot without its end", ErrMalformed)
	}
	if _, err := f.r.ReadByte(); err != io.EOF {
		return nil, fmt.Errorf("%w: something follows the end of the snapshot", ErrMalformed)
	}
	return b, nil
}

func (b *Book) readLedgers(f *frameReader, n uint64) error {
	var ledgers []*Ledger
	for range n {
		l, err := readLedger(f)
		if err != nil {
			return err
		}
		ledgers = append(ledgers, l)
	}
	b.slots = make([]*slot, len(ledgers))
	for _, l := range ledgers {
		if l.number == 0 || uint64(l.number) > n || b.slots[l.number-1] != nil {
			return fmt.Errorf("%w: SKU number %d of %d", ErrMalformed, l.number, n)
		}
		l.journal = b.journal
		s := &slot{name: l.spec.SKU, number: l.number, ledger: l}
		b.slots[l.number-1], b.byName[s.name] = s, s
		b.reschedule(s)
	}
	return nil
}

func (f *frameReader) head(kind byte, v any) error {
	k, payload, err := f.next()
	if err != nil {
		return err
	}
	if k != kind {
		return fmt.Errorf("%w: snapshot frame %d where %d belongs", ErrMalformed, k, kind)
	}
	return unmarshal(payload, v)
}

func readLedger(f *frameReader) (*Ledger, error) {
	var h ledgerHead
	if err := f.head(frameLedger, &h); err != nil {
		return nil, err
	}
	l := newLedger(h.Spec, h.Number, h.Epoch, h.Settings, nil)
	l.creation, l.available, l.held, l.sold = h.Creation, h.Available, h.Held, h.Sold
	l.frozen, l.broken, l.now, l.index, l.version, l.waiting = h.Frozen, h.Broken, h.Now, h.Index, h.Version, h.Waiting
	for _, name := range h.Callers {
		l.callerNumber(name)
	}
	for _, a := range h.Adjusts {
		l.keepAdjust(a)
	}
	for _, m := range h.Memory {
		l.memory.add(m)
	}
	for {
		kind, payload, err := f.next()
		if err != nil {
			return nil, err
		}
		if kind == frameLedgerEnd {
			return l, l.finish(&h)
		}
		if err := l.readChunk(kind, payload); err != nil {
			return nil, fmt.Errorf("SKU number %d: %w", h.Number, err)
		}
	}
}

func (l *Ledger) readChunk(kind byte, payload []byte) error {
	r := &mpReader{s: string(payload)}
	n := r.fixedArrayHeader()
	for range n / 2 {
		i := r.uint64()
		if i >= maxRows {
			r.fail("place")
		}
		switch kind {
		case frameRows:
			restoreRow(r, &l.rows, i, readRow(r))
		case frameUsers:
			restoreRow(r, &l.users, i, readPerson(r))
		case frameReturns:
			restoreRow(r, &l.returns, i, readReturned(r))
		default:
			r.fail("kind of chunk")
		}
		if r.err != nil {
			break
		}
	}
	return r.end()
}

func restoreRow[T any](r *mpReader, t *pages[T], i uint64, v T) {
	switch {
	case r.err != nil:
	case i < t.len():
		r.fail("rows out of order")
	default:
		t.restore(i, v)
	}
}

// finish makes what is derived from the tables and checks them against the head.
func (l *Ledger) finish(h *ledgerHead) error {
	if h.Rows < l.rows.len() || h.Users != l.users.len() || h.Returns < l.returns.len() || h.Rows >= maxRows || h.Returns >= maxRows {
		return fmt.Errorf("%w: SKU number %d has more or fewer rows than it says", ErrMalformed, h.Number)
	}
	l.rows.extend(h.Rows)
	l.returns.extend(h.Returns)
	for counter := uint64(1); counter <= h.Rows; counter++ {
		r := l.find(counter)
		if r == nil {
			continue
		}
		if int(r.caller) >= len(l.callers) || (uint64(r.user) >= h.Users && r.state != stateFence) {
			return fmt.Errorf("%w: order %d of SKU number %d", ErrMalformed, counter, h.Number)
		}
		l.keys[scopedKey{r.caller, r.key}] = counter
		if r.waits() {
			l.due.push(scheduled{r.expires, counter})
		} else {
			l.settled.push(scheduled{r.updated, counter})
		}
	}
	for i := range h.Users {
		l.userAt[l.users.at(i).name] = uint32(i)
	}
	for i := range h.Returns {
		if r := l.returns.at(i); r != nil && r.counter != 0 {
			l.returnKeys[scopedKey{r.caller, r.key}] = i
			l.lastReturn[r.counter] = i + 1
		}
	}
	l.hash = (&LedgerCut{rows: l.rows, users: l.users, returns: l.returns}).tables()
	if l.hash != h.Tables {
		return fmt.Errorf("%w: SKU number %d does not have the hash it was written with", ErrMalformed, h.Number)
	}
	return nil
}
