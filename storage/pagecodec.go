package storage

import (
	"fmt"
	"math"

	"holdfast/stock"
)

// A page travels as one msgpack array, in the forms of stock/wire.go:
//
//	[1, shard, epoch, index, lacks from, lacks to, next, [order, ...], [SKU, ...]]
//
// where 1 is the version of this form, and a row is an array of its columns in the order of tables.go: string, integer or nil.
const (
	pageVersion = 1
	pageFields  = 9

	// maxPageKey bounds where the next page begins: a kind of row, and its key.
	maxPageKey = 1 + maxRowText
)

// EncodePage returns the wire form of a page. Equal pages have equal bytes.
func EncodePage(p Page) []byte {
	b := stock.AppendWireArray(make([]byte, 0, 64+256*p.Rows()), pageFields)
	for _, n := range []uint64{pageVersion, uint64(p.Shard), uint64(p.Epoch), p.Index, p.Lacks.From, p.Lacks.To} {
		b = stock.AppendWireUint(b, n)
	}
	b = stock.AppendWireText(b, p.Next)
	for _, rows := range [][]row{p.orders, p.skus} {
		b = stock.AppendWireArray(b, len(rows))
		for _, r := range rows {
			b = appendRow(b, r)
		}
	}
	return b
}

func appendRow(b []byte, r row) []byte {
	b = stock.AppendWireArray(b, len(r))
	for _, v := range r {
		switch v := v.(type) {
		case string:
			b = stock.AppendWireText(b, v)
		case int64:
			b = stock.AppendWireInt(b, v)
		default:
			b = stock.AppendWireNil(b)
		}
	}
	return b
}

// DecodePage reads what EncodePage wrote and returns ErrBadPage for anything else: another length, form or type, a longer spelling of the same, a
// value that no row may have. It holds no part of b, and allocates no more than a small multiple of it.
func DecodePage(b []byte) (p Page, err error) {
	if len(b) > MaxPageBytes {
		return Page{}, fmt.Errorf("%w: %d bytes", ErrBadPage, len(b))
	}
	r := stock.NewWireReader(b)
	if n, form := r.Array(), r.Uint(math.MaxUint8); n != pageFields || form != pageVersion {
		return Page{}, fmt.Errorf("%w: %d fields, form %d", ErrBadPage, n, form)
	}
	p.Shard, p.Epoch = uint32(r.Uint(math.MaxUint32)), uint16(r.Uint(maxEpoch))
	p.Index = r.Uint(1<<indexBits - 1)
	p.Lacks = Span{From: r.Uint(1<<indexBits - 1), To: r.Uint(1<<indexBits - 1)}
	p.Next = r.Text(maxPageKey)
	p.orders, p.skus = orderTable.read(r), skuTable.read(r)
	if err := r.End(); err != nil {
		return Page{}, fmt.Errorf("%w: %w", ErrBadPage, err)
	}
	return p, p.check(nil)
}

// read reads rows of the table. What a row claims to hold is made only when the one before it was there.
func (t *table) read(r *stock.WireReader) (rows []row) {
	n := r.Array()
	if n > MaxPageRows {
		r.Fail("more rows than a page has")
		return nil
	}
	for range n {
		if r.Array() != len(t.columns) {
			r.Fail("row of another length")
			return nil
		}
		values := make(row, len(t.columns))
		for i, c := range t.columns {
			values[i] = c.read(r)
		}
		rows = append(rows, values)
	}
	return rows
}

// read reads a value of the column.
func (c *column) read(r *stock.WireReader) any {
	switch {
	case (c.kind == maybe || c.kind == maybeText) && r.Nil():
		return nil
	case c.kind == text || c.kind == maybeText:
		return r.Text(maxRowText)
	}
	return r.Int()
}
