package historytest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"holdfast/api/client"
)

// Traders are callers who place, pay, cancel and read, each after the answer to the call before, until they are told to stop.
type Traders struct {
	// Clients are those that a trader chooses from for each call.
	Clients []*Client
	Specs   []Spec
	// Workers is how many traders there are; each makes a call every Pace.
	Workers int
	Pace    time.Duration
	// Patience bounds a call.
	Patience time.Duration
	Seed     uint64
	// Prefix begins all keys, so that several rounds have their own.
	Prefix string

	mu      sync.Mutex // guards what follows
	calls   int
	refused map[string]int
}

// Run trades until ctx ends, and returns when the last answer is there.
func (tr *Traders) Run(ctx context.Context) {
	var all sync.WaitGroup
	for w := range tr.Workers {
		all.Go(func() {
			t := &trader{tr: tr, name: fmt.Sprint(tr.Prefix, w), dice: rand.New(rand.NewPCG(tr.Seed, uint64(w)))}
			tick := time.NewTicker(tr.Pace)
			defer tick.Stop()
			for i := 0; ctx.Err() == nil; i++ {
				t.trade(i)
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		})
	}
	all.Wait()
}

// trader is one of them. It knows the orders that it placed and has neither paid nor given up.
type trader struct {
	tr   *Traders
	name string
	dice *rand.Rand
	open []client.Order
}

// trade makes one call.
func (t *trader) trade(i int) {
	ctx, cancel := context.WithTimeout(context.Background(), t.tr.Patience)
	defer cancel()
	c := t.tr.Clients[t.dice.IntN(len(t.tr.Clients))]
	spec := t.tr.Specs[t.dice.IntN(len(t.tr.Specs))]
	what := t.dice.IntN(100)
	switch {
	case what < 10:
		_, err := c.SKU(ctx, spec.SKU)
		t.tr.note(err)
	case what < 55 || len(t.open) == 0:
		key := fmt.Sprintf("%s-%d", t.name, i)
		user := t.name
		if spec.LimitPerUser == 0 {
			user = key
		}
		p, err := c.PlaceOrder(ctx, key, client.NewOrder{SKU: spec.SKU, User: user})
		t.tr.note(err)
		if err == nil {
			t.open = append(t.open, p.Order)
		}
	default:
		t.settle(ctx, c, what)
	}
}

// settle reads, pays or gives up one of the trader's orders, sometimes an older one once more.
func (t *trader) settle(ctx context.Context, c *Client, what int) {
	at := t.dice.IntN(len(t.open))
	o := t.open[at]
	var err error
	switch {
	case what < 65:
		_, err = c.Order(ctx, o.ID)
	case what < 73:
		_, err = c.Confirm(ctx, o.ID, "pay-"+o.ID)
	default:
		_, err = c.Cancel(ctx, o.ID)
	}
	t.tr.note(err)
	if what >= 65 && t.dice.IntN(3) > 0 {
		t.open = append(t.open[:at], t.open[at+1:]...)
	}
}

func (tr *Traders) note(err error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.calls++
	if err == nil {
		return
	}
	code := client.CodeOf(err)
	if code == "" {
		code = "no answer"
	}
	if tr.refused == nil {
		tr.refused = make(map[string]int)
	}
	tr.refused[code]++
}

// Refused returns how many calls there were, and how many had which code; "no answer" stands for a call without any.
func (tr *Traders) Refused() (calls int, codes map[string]int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	codes = make(map[string]int, len(tr.refused))
	for code, n := range tr.refused {
		codes[code] = n
	}
	return tr.calls, codes
}

// tally counts calls by kind, and those without an answer.
func tally(ops []Op) string {
	var kinds [ReadSKU + 1]int
	unknown, refused := 0, 0
	for i := range ops {
		kinds[ops[i].Kind]++
		switch ops[i].Answer.Code {
		case "":
		case Unknown:
			unknown++
		default:
			refused++
		}
	}
	parts := []string{fmt.Sprintf("%d calls", len(ops))}
	for k := Place; k <= ReadSKU; k++ {
		if kinds[k] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", kinds[k], k))
		}
	}
	return strings.Join(append(parts, fmt.Sprintf("%d refused", refused), fmt.Sprintf("%d without an answer", unknown)), ", ")
}
