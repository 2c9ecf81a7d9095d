package stock_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"holdfast/stock"
	"holdfast/stock/stocktest"
)

// replica applies a log as the actors of a shard do: some ledgers are away, each with its own part of the log.
type replica struct {
	book *stock.Book
	away map[uint32]*stock.Ledger
	r    *rand.Rand
}

// apply takes one command; what is for a ledger that is away goes there, what is for all goes to all.
func (p *replica) apply(h stock.Header, index uint64, c stock.Command) stock.Outcome {
	at := p.book.Begin(h, index)
	if stock.Broadcast(c) {
		everyone := p.book.Everyone(at, c)
		out := p.book.Apply(at, c)
		for _, l := range p.away {
			if everyone && stock.Reaches(c, l.Number()) {
				l.Apply(at, c)
			}
		}
		return out
	}
	if o := p.book.Owner(c); o.Away() {
		return p.away[o.Number].Apply(at, c)
	}
	return p.book.Apply(at, c)
}

// move takes a ledger away, or brings one back, now and then.
func (p *replica) move() {
	for n, l := range p.away {
		if p.r.IntN(4) == 0 {
			p.book.Attach(l)
			delete(p.away, n)
		}
	}
	p.book.Each(func(l *stock.Ledger) {
		if p.r.IntN(4) == 0 {
			p.away[l.Number()] = nil
		}
	})
	for n, l := range p.away {
		if l == nil {
			p.away[n] = p.book.Detach(n)
		}
	}
}

// look asks what a leader asks between two commands; nothing of it may change the state.
func (p *replica) look(at stock.Position) {
	p.book.NextDue()
	p.book.TakeDue(at.Now)
	p.book.Evictable(at.Now, at.Index, uint32(p.r.IntN(4)), 4)
	p.book.Changes(stock.Span{Since: at.Index / 2, Limit: 3, Durable: at.Index / 3})
	for _, l := range p.away {
		l.NextDue()
		l.Evictable(at.Now, at.Index)
		l.Changes(stock.Span{Since: at.Index / 2, Limit: 3, Applied: at.Index})
	}
}

func (p *replica) snapshot(t testing.TB) ([]byte, uint64) {
	cut, hash := p.book.Cut(), p.book.Hash()
	for _, l := range p.away {
		cut.Add(l.Cut())
		hash += l.Hash()
	}
	var buf bytes.Buffer
	if _, err := cut.WriteTo(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes(), hash
}

// Which SKUs have actors of their own, who leads, who was restored from a snapshot and who read in between: nothing of it changes an outcome, a
// hash or a byte of a snapshot (rules R1, R3).
func TestPlacementChangesNothing(t *testing.T) {
	n := uint64(max(*sequences/400, 1))
	if testing.Short() {
		n = min(n, 300)
	}
	moved := 0
	for seed := range n {
		steps := stocktest.Random(seed, 80)
		r := rand.New(rand.NewPCG(seed, 1))
		plain := &replica{book: stock.NewBook()}
		other := &replica{book: stock.NewBook(), away: make(map[uint32]*stock.Ledger), r: r}
		for i, s := range steps {
			h := stock.Header{Clock: s.At.Now}
			want, got := plain.apply(h, s.At.Index, s.Command), other.apply(h, s.At.Index, s.Command)
			if d := stocktest.Compare(want, got); d != "" {
				t.Fatalf("seed %d, step %d, %v: %s", seed, i, s, d)
			}
			switch r.IntN(5) {
			case 0:
				other.move()
			case 1:
				other.look(s.At)
			case 2:
				wantBytes, wantHash := plain.snapshot(t)
				gotBytes, gotHash := other.snapshot(t)
				if wantHash != gotHash || !bytes.Equal(wantBytes, gotBytes) {
					t.Fatalf("seed %d, step %d, %v: another state with %d ledgers away", seed, i, s, len(other.away))
				}
				moved += len(other.away)
				if r.IntN(4) == 0 {
					other = restart(t, gotBytes, r)
				}
			}
		}
	}
	if moved < int(n) {
		t.Errorf("vacuous: %d ledgers were away when states were compared", moved)
	}
}

func restart(t testing.TB, snapshot []byte, r *rand.Rand) *replica {
	book, err := stock.ReadSnapshot(bytes.NewReader(snapshot))
	if err != nil {
		t.Fatal(err)
	}
	return &replica{book: book, away: make(map[uint32]*stock.Ledger), r: r}
}
