package historytest

import (
	"context"
	"slices"
	"sync"
	"testing"
)

// resolvers ask at a time.
const resolvers = 8

// Resolve finds out, through c, what became of the calls without an answer: orders are read and keys fenced, which is noted like every call. Then it
// reads the counters of every SKU. When it is done, the search knows when each such call had its effect, or that it had none. It returns how many
// there were.
func (r *Recorder) Resolve(ctx context.Context, t testing.TB, c *Client, specs ...Spec) int {
	t.Helper()
	r.mu.Lock()
	doubts := slices.DeleteFunc(slices.Clone(r.ops), func(o Op) bool { return !o.Answer.unknown() })
	r.mu.Unlock()
	next := make(chan Op)
	var all sync.WaitGroup
	for range resolvers {
		all.Go(func() {
			for o := range next {
				if err := c.resolve(ctx, o); err != nil {
					t.Errorf("what became of %s: %v", &o, err)
				}
			}
		})
	}
	for _, o := range doubts {
		next <- o
	}
	close(next)
	all.Wait()
	for _, spec := range specs {
		if _, err := c.SKU(ctx, spec.SKU); err != nil {
			t.Errorf("%s at the end: %v", spec.SKU, err)
		}
	}
	return len(doubts)
}

func (c *Client) resolve(ctx context.Context, o Op) error {
	var err error
	if o.OrderID != "" {
		_, err = c.Order(ctx, o.OrderID)
	} else {
		_, err = c.Fence(ctx, o.SKU, o.Key)
	}
	return err
}
