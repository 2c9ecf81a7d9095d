package actors

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"holdfast/stock"
)

// Whatever commands of an entry stand between those of a hot SKU, its part holds its own in their order, and the entry stays as it was: other parts
// are made of the same memory.
func TestPartsOfAnEntryShareItsMemory(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	shared := 0
	for range 2000 {
		s := &shardActor{}
		e := &entry{items: make([]item, 1+dice.IntN(12))}
		for i := range e.items {
			e.items[i].cmd = &stock.Expire{}
		}
		was := slices.Clone(e.items)
		hot := []*hotSKU{{number: 1}, {number: 2}}
		want := make([][]item, len(hot))
		for i := range e.items {
			switch k := dice.IntN(6); {
			case k == 0: // a command of somebody else
			case k == 1: // one for everybody
				for h := range hot {
					p := s.portion(hot[h], stock.Position{}, e)
					p.items, p.next = append(p.items, e.items[i]), 0
					want[h] = append(want[h], e.items[i])
				}
			default:
				h := k % len(hot)
				s.fill(hot[h], stock.Position{}, e, i)
				want[h] = append(want[h], e.items[i])
			}
		}
		for h := range hot {
			if hot[h].filling == nil {
				continue
			}
			if got := hot[h].filling.items; !slices.Equal(got, want[h]) {
				t.Fatalf("%v, want %v", got, want[h])
			}
			if hot[h].filling.next != 0 {
				shared++
			}
		}
		if !slices.Equal(e.items, was) {
			t.Fatal("the entry was written to")
		}
	}
	if shared == 0 {
		t.Error("vacuous: everything was copied")
	}
}

// A batch whose caller leaves while its requests are anywhere between gateway and log gives its tokens back once, and says of none of them that it was
// not executed when it was.
func TestCallersOfBatchesLeave(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		n := start(t, nil)
		defer n.close()
		n.must(spec("shoe", 40, hot))
		release, _ := n.log.hold()
		batches := make(chan []stock.Outcome)
		for b := range 8 {
			go func() {
				var reqs []stock.Request
				for i := range 30 {
					p := place("shoe", "u", string(rune('a'+b))+string(rune('a'+i%20))) // a third of the keys comes twice
					reqs = append(reqs, p)
				}
				batches <- n.hurried(b%2 == 0, reqs)
			}()
		}
		var first [][]stock.Outcome
		for range 4 {
			first = append(first, <-batches) // of those that leave
		}
		release()
		for range 4 {
			first = append(first, <-batches)
		}
		n.settled()
		accepted := 0
		for _, outs := range first {
			for _, out := range outs {
				if out.Code == stock.OK && !out.Replayed {
					accepted++
				}
			}
		}
		if a := n.available("shoe"); int64(accepted) > a.Held || a.Held != 40 {
			t.Errorf("%d accepted, %+v", accepted, a)
		}
		n.sameAsReplay()
	})
}

// hurried sends a batch whose caller leaves soon, or does not.
func (n *node) hurried(soon bool, reqs []stock.Request) []stock.Outcome {
	after := 10 * time.Second
	if soon {
		after = 20 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(context.Background(), after)
	defer cancel()
	return n.gateway.DoAll(ctx, reqs)
}
