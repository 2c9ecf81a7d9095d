package stock

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"github.com/vmihailenco/msgpack/v5"
)

const maxScanDepth = 16

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

// unmarshal decodes what marshal wrote and nothing else, after every declared length has been checked against the input: the library takes
// longer forms, missing values and other shapes without a word.
func unmarshal(b []byte, v any) error {
	if err := ScanWire(b, maxScanDepth); err != nil {
		return err
	}
	if err := msgpack.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %T: %w", ErrMalformed, v, err)
	}
	if !bytes.Equal(marshal(v), b) {
		return fmt.Errorf("%w: %T that is not in its one form", ErrMalformed, v)
	}
	return nil
}

// ReadSnapshot returns the shard's state that a Cut wrote. It takes canonical snapshots of consistent states and nothing else: whatever it
// accepts is written back to the same bytes. Anything else is ErrMalformed, a level or frame it does not know ErrUnknownCommand.
func ReadSnapshot(r io.Reader) (*Book, error) {
	f := &frameReader{r: bufio.NewReaderSize(r, 1<<16)}
	head, err := f.bookHead()
	if err != nil {
		return nil, err
	}
	b := NewBook()
	b.level, b.epoch, b.settings, b.now, b.index, b.flushed = head.Level, head.Epoch, head.Settings, head.Now, head.Index, head.Flushed
	b.own(head.Partitions)
	if field, reason := b.settings.Check(); field != "" || !partitionsFit(head.Partitions) {
		return nil, fmt.Errorf("%w: snapshot of a shard with impossible settings or partitions: %s %s", ErrMalformed, field, reason)
	}
	if err := b.memory.restore(head.Memory); err != nil {
		return nil, err
	}
	b.journal = NewJournal(head.Index, 0)
	if err := b.readLedgers(f, head.Ledgers); err != nil {
		return nil, err
	}
	if err := f.empty(frameEnd); err != nil {
		return nil, err
	}
	if _, err := f.r.ReadByte(); err != io.EOF {
		return nil, fmt.Errorf("%w: something follows the end of the snapshot", ErrMalformed)
	}
	return b, nil
}

// bookHead reads the first frame. Its level comes first, in every version of the format.
func (f *frameReader) bookHead() (head bookHead, err error) {
	kind, payload, err := f.next()
	if err != nil {
		return head, err
	}
	if kind != frameBook {
		return head, fmt.Errorf("%w: snapshot begins with frame %d", ErrMalformed, kind)
	}
	r := &mpReader{s: string(payload)}
	r.arrayHeader()
	if n := r.uint64(); r.err == nil && (n < firstLevel || n > Level) {
		return head, fmt.Errorf("%w: snapshot of level %d", ErrUnknownCommand, n)
	}
	return head, unmarshal(payload, &head)
}

// empty reads a frame that says nothing but its kind.
func (f *frameReader) empty(kind byte) error {
	k, payload, err := f.next()
	if err == nil && (k != kind || len(payload) != 0) {
		err = fmt.Errorf("%w: snapshot frame %d of %d bytes where an empty %d belongs", ErrMalformed, k, len(payload), kind)
	}
	return err
}

// readLedgers reads n ledgers, which stand in the order of their names and bear the numbers 1 to n.
func (b *Book) readLedgers(f *frameReader, n uint64) error {
	var ledgers []*Ledger
	for range n {
		l, err := readLedger(f)
		if err != nil {
			return err
		}
		if k := len(ledgers); k > 0 && ledgers[k-1].spec.SKU >= l.spec.SKU {
			return fmt.Errorf("%w: SKU number %d out of order", ErrMalformed, l.number)
		}
		ledgers = append(ledgers, l)
	}
	b.slots = make([]*slot, len(ledgers))
	for _, l := range ledgers {
		switch {
		case l.number == 0 || uint64(l.number) > n || b.slots[l.number-1] != nil:
			return fmt.Errorf("%w: SKU number %d of %d", ErrMalformed, l.number, n)
		case !b.Owns(l.partition) || l.settings != b.settings || l.now > b.now || l.index > b.index:
			return fmt.Errorf("%w: SKU number %d does not belong to this state of the shard", ErrMalformed, l.number)
		}
		l.level, l.journal = b.level, b.journal
		s := &slot{name: l.spec.SKU, number: l.number, ledger: l}
		b.slots[l.number-1], b.byName[s.name] = s, s
		b.change(s)
		b.reschedule(s)
	}
	return nil
}

func readLedger(f *frameReader) (*Ledger, error) {
	kind, payload, err := f.next()
	if err != nil {
		return nil, err
	}
	if kind != frameLedger {
		return nil, fmt.Errorf("%w: snapshot frame %d where a SKU belongs", ErrMalformed, kind)
	}
	var h ledgerHead
	if err := unmarshal(payload, &h); err != nil {
		return nil, err
	}
	l := newLedger(h.Spec, h.Number, h.Epoch, h.Settings, nil)
	if err := l.restore(&h); err != nil {
		return nil, fmt.Errorf("SKU number %d: %w", h.Number, err)
	}
	if err := l.readTables(f); err != nil {
		return nil, fmt.Errorf("SKU number %d: %w", h.Number, err)
	}
	if err := l.finish(&h); err != nil {
		return nil, fmt.Errorf("SKU number %d: %w", h.Number, err)
	}
	l.rest()
	return l, nil
}

// restore takes what the head says.
func (l *Ledger) restore(h *ledgerHead) error {
	l.available, l.held, l.sold = h.Available, h.Held, h.Sold
	if h.Creation != h.Spec {
		// A place of its own: one in the head would keep the head's lists in memory.
		first := h.Creation
		l.creation = &first
	}
	l.wake()
	l.frozen, l.broken, l.now, l.index, l.version, l.waiting = h.Frozen, h.Broken, h.Now, h.Index, h.Version, h.Waiting
	if field, reason := h.Spec.Check(); field != "" && !h.Broken {
		return fmt.Errorf("%w: %s %s", ErrMalformed, field, reason)
	}
	if h.Creation.SKU != h.Spec.SKU || h.Creation.Mode != h.Spec.Mode || h.Version > h.Index {
		return fmt.Errorf("%w: head contradicts itself", ErrMalformed)
	}
	for i, name := range h.Callers {
		if l.callerNumber(name) != uint32(i) {
			return fmt.Errorf("%w: two callers of one name", ErrMalformed)
		}
	}
	for i, a := range h.Adjusts {
		if a == nil || l.adjustAt[adjustKey(a.Caller, a.Key)] != nil || (i > 0 && a.At < h.Adjusts[i-1].At) {
			return fmt.Errorf("%w: adjustment %d", ErrMalformed, i)
		}
		l.keepAdjust(a)
	}
	return l.memory.restore(h.Memory)
}

// readTables reads the chunks of a SKU's tables up to its end: users, rows, returns; every chunk of a table but the last is full.
func (l *Ledger) readTables(f *frameReader) error {
	order := [...]byte{frameUsers, frameRows, frameReturns, frameLedgerEnd}
	table, last := 0, chunkRows
	for {
		kind, payload, err := f.next()
		if err != nil {
			return err
		}
		was := table
		for table < len(order) && order[table] != kind {
			table++
		}
		switch {
		case table == len(order) || (table == was && last != chunkRows):
			return fmt.Errorf("%w: snapshot frame %d out of order", ErrMalformed, kind)
		case kind == frameLedgerEnd && len(payload) == 0:
			return nil
		}
		if last, err = l.readChunk(kind, payload); err != nil {
			return err
		}
	}
}

// readChunk reads rows of a table and returns how many.
func (l *Ledger) readChunk(kind byte, payload []byte) (rows int, err error) {
	r := &mpReader{s: string(payload)}
	n := r.fixedArrayHeader()
	if rows = n / 2; rows < 1 || rows > chunkRows || n%2 != 0 {
		r.fail("number of rows")
	}
	buf := make([]byte, 0, MaxKeyBytes+MaxClientRefBytes+MaxNameBytes)
	for range rows {
		i := r.uint64()
		if i >= MaxOrders {
			r.fail("place")
		}
		switch kind {
		case frameRows:
			row := readRow(r, buf)
			l.restoreRow(r, i, &row)
		case frameUsers:
			name, used := readPerson(r)
			l.restoreUser(r, i, name, used)
		case frameReturns:
			rt := readReturned(r)
			l.restoreReturn(r, i, &rt)
		}
		if r.err != nil {
			break
		}
	}
	return rows, r.end()
}
