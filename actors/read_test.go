package actors

import (
	"testing"

	"holdfast/stock"
)

// The leader applies its own batch undecoded only when it is the committed one (rule R1).
func TestOwnBatchIsRecognized(t *testing.T) {
	for _, c := range []struct {
		name string
		// change is what differs in the batch that the process kept, or in the entry.
		change func(h *stock.Header, b *batch)
		own    bool
		told   bool
	}{
		{"the same", func(*stock.Header, *batch) {}, true, false},
		{"another incarnation", func(h *stock.Header, _ *batch) { h.Incarnation++ }, false, false},
		{"another sequence", func(h *stock.Header, _ *batch) { h.Sequence++ }, false, false},
		{"another checksum", func(_ *stock.Header, b *batch) { b.checksum++ }, false, true},
		{"another term", func(_ *stock.Header, b *batch) { b.term++ }, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			n.must(spec("shoe", 5, false))
			r := n.replica
			h := stock.Header{Term: 1, Incarnation: r.incarnation, Sequence: 1000}
			b := &batch{sequence: 1000, term: 1}
			c.change(&h, b)
			data := sealed(t, h, place("shoe", "u", "k"))
			_, checksum, err := stock.PeekHeader(data)
			if err != nil {
				t.Fatal(err)
			}
			b.checksum += checksum
			r.acquire(1)
			mine := place("shoe", "u", "k")
			g := newGroup(r, []stock.Request{mine})
			p := &g.requests[0]
			p.propose()
			b.items = []item{{cmd: mine, p: p, term: 1}}
			r.retained.put(b)
			e := &entry{index: 1, term: 1, replica: r}
			if err := r.read(e, data); err != nil {
				t.Fatal(err)
			}
			if len(e.items) != 1 || e.header.Incarnation != h.Incarnation || e.header.Sequence != h.Sequence {
				t.Fatalf("%+v", e)
			}
			if own := e.items[0].cmd == stock.Command(mine); own != c.own {
				t.Errorf("undecoded: %v", own)
			}
			if got := e.items[0].cmd.(*stock.Place); got.Key != "k" || got.User != "u" || got.SKU != "shoe" || got.Qty != 1 {
				t.Errorf("%+v", got)
			}
			if c.told {
				<-g.done
				want(t, "who waited for the batch", p.out, stock.OutcomeUnknown)
				return
			}
			p.finish(stock.Outcome{Code: stock.OK})
			r.retained.take(1000)
		})
	}
}
