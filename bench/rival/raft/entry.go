package raft

import (
	"encoding/binary"
	"errors"

	"holdfast/bench/sale"
)

// kind is what an entry asks for.
type kind uint8

const (
	create kind = iota + 1
	place
	fence
)

// entry is what goes through the log: a SKU to be created, or an order to be placed or fenced.
type entry struct {
	kind  kind
	order sale.Order
	// stock and limit are a new SKU's.
	stock, limit int64
}

var errEntry = errors.New("raft: not an entry of ours")

func (e *entry) encode() []byte {
	b := make([]byte, 0, 32+len(e.order.Key)+len(e.order.SKU)+len(e.order.User))
	b = append(b, byte(e.kind))
	for _, n := range [...]int64{e.order.Qty, e.stock, e.limit} {
		b = binary.AppendVarint(b, n)
	}
	for _, s := range [...]string{e.order.Key, e.order.SKU, e.order.User} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

func (e *entry) decode(b []byte) error {
	if len(b) == 0 {
		return errEntry
	}
	e.kind, b = kind(b[0]), b[1:]
	for _, to := range [...]*int64{&e.order.Qty, &e.stock, &e.limit} {
		n, size := binary.Varint(b)
		if size <= 0 {
			return errEntry
		}
		*to, b = n, b[size:]
	}
	for _, to := range [...]*string{&e.order.Key, &e.order.SKU, &e.order.User} {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return errEntry
		}
		*to, b = string(b[size:size+int(n)]), b[size+int(n):]
	}
	if len(b) > 0 {
		return errEntry
	}
	return nil
}
