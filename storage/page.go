package storage

import (
	"fmt"
	"slices"

	"holdfast/stock"
)

const (
	// MaxPageRows bounds the rows of a page.
	MaxPageRows = 1024
	// MaxPageBytes bounds a page in its wire form. The longest row is below 1 KiB.
	MaxPageBytes = 2 << 20
	// maxRowText bounds a text of a row; the longest is an idempotency key.
	maxRowText = stock.MaxKeyBytes
)

// Page is a stretch of the rows of one shard, in the order of their keys, as a peer's SQLite file had them at one moment.
type Page struct {
	Shard uint32
	// Epoch is the cluster's, Index the log index up to which the file had everything, Lacks what it lacked itself.
	Epoch uint16
	Index uint64
	Lacks Span
	// Next is where the next page begins; "" after the last one.
	Next string

	orders, skus []row
}

// row holds the values of a table's columns, in their order: string, int64, or nil.
type row []any

// Rows returns how many rows there are.
func (p *Page) Rows() int { return len(p.orders) + len(p.skus) }

// check returns ErrBadPage unless every value is one that the tables can hold and every row belongs to one of the partitions.
func (p *Page) check(partitions []stock.Partition) error {
	if p.Rows() > MaxPageRows {
		return fmt.Errorf("%w: %d rows", ErrBadPage, p.Rows())
	}
	for _, part := range []struct {
		table *table
		rows  []row
	}{{&orderTable, p.orders}, {&skuTable, p.skus}} {
		for _, r := range part.rows {
			if err := part.table.check(r, p.Epoch); err != nil {
				return err
			}
			if owner, ok := part.table.partition(r); !ok || partitions != nil && !slices.Contains(partitions, owner) {
				return fmt.Errorf("%w: the row %v of %s is not one of the shard's", ErrBadPage, r[0], part.table.name)
			}
		}
	}
	return nil
}

// check returns why a row is none of this table.
func (t *table) check(r row, epoch uint16) error {
	if len(r) != len(t.columns) {
		return fmt.Errorf("%w: a row of %s has %d columns", ErrBadPage, t.name, len(r))
	}
	for i, c := range t.columns {
		fits := false
		switch v := r[i].(type) {
		case string:
			fits = (c.kind == text || c.kind == maybeText) && len(v) <= maxRowText
		case int64:
			fits = c.kind == integer || c.kind == maybe
		case nil:
			fits = c.kind == maybe || c.kind == maybeText
		}
		if !fits {
			return fmt.Errorf("%w: %s of a row of %s cannot be %T", ErrBadPage, c.name, t.name, r[i])
		}
	}
	if v := version(r[len(r)-1].(int64)); v < 0 || v.epoch() > epoch {
		return fmt.Errorf("%w: a row of %s has the version %d", ErrBadPage, t.name, v)
	}
	return nil
}

// partition returns which partition a row of orders or SKUs belongs to.
func (t *table) partition(r row) (p stock.Partition, ok bool) {
	key := r[0].(string)
	if t == &skuTable {
		return stock.PartitionOf(key), stock.CheckSKU(key) == ""
	}
	id, ok := stock.ParseOrderID(key)
	return id.Partition, ok
}
