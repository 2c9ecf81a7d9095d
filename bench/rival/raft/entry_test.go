package raft

import (
	"testing"

	hashicorp "github.com/hashicorp/raft"

	"holdfast/bench/sale"
)

func TestEntry(t *testing.T) {
	for _, e := range []entry{
		{kind: place, order: sale.Order{Key: "k", SKU: "s", User: "u", Qty: 3}},
		{kind: create, order: sale.Order{SKU: "shoe"}, stock: 1 << 50, limit: 1},
		{kind: fence, order: sale.Order{Key: "k", SKU: "s"}},
	} {
		b := e.encode()
		var got entry
		if err := got.decode(b); err != nil || got != e {
			t.Errorf("%+v became %+v, %v", e, got, err)
		}
		for cut := range b {
			if new(entry).decode(b[:cut]) == nil {
				t.Errorf("%+v cut to %d bytes was read", e, cut)
			}
		}
		if new(entry).decode(append(b, 0)) == nil {
			t.Errorf("%+v with a byte more was read", e)
		}
	}
	if said := (&machine{}).Apply(&hashicorp.Log{Data: []byte{9}}); said != broken {
		t.Errorf("the machine says %v to a broken entry", said)
	}
}
