package stocktest_test

import (
	"bytes"
	"reflect"
	"testing"

	"holdfast/stock"
	"holdfast/stock/stocktest"
)

// A replica where nobody waits for any answer has the same state after every command as one where somebody waits for each, and tells storage the same.
func TestUnheardSequencesDoTheSame(t *testing.T) {
	for seed := range uint64(300) {
		heard, unheard := stock.NewBook(), stock.NewBook()
		var since uint64
		for i, s := range stocktest.Random(seed, 60) {
			h := stock.Header{Clock: s.At.Now}
			a := heard.Apply(heard.Begin(h, s.At.Index), s.Command)
			b := unheard.ApplyUnheard(unheard.Begin(h, s.At.Index), s.Command)
			if a.Code != b.Code || heard.Hash() != unheard.Hash() || !reflect.DeepEqual(heard.TakeMoves(), unheard.TakeMoves()) {
				t.Fatalf("seed %d, step %d, %v: %v and %v", seed, i, s, a.Code, b.Code)
			}
			span := stock.Span{Since: since, Limit: 1000, Durable: since}
			rows, others := heard.Changes(span), unheard.Changes(span)
			if !reflect.DeepEqual(rows, others) {
				t.Fatalf("seed %d, step %d, %v: rows differ:\n%+v\n%+v", seed, i, s, rows, others)
			}
			if i%7 == 0 {
				since = rows.UpTo
			}
		}
		var snapshots [2]bytes.Buffer
		for i, b := range []*stock.Book{heard, unheard} {
			if _, err := b.Cut().WriteTo(&snapshots[i]); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(snapshots[0].Bytes(), snapshots[1].Bytes()) {
			t.Fatalf("seed %d: the snapshots differ", seed)
		}
	}
}
