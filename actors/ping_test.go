package actors

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/stock"
)

// A ping comes back when every actor works, also the one of a hot SKU, and not while one of them hangs.
func TestPing(t *testing.T) {
	for _, stuck := range []string{"none", "shard", "hot"} {
		t.Run(stuck, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := start(t, nil)
				defer n.close()
				n.must(spec("shoe", 5, false))
				n.must(spec("hot", 5, true))
				n.settled()
				gate, visited := make(chan struct{}), make(chan error, 1)
				hang := func(who string) {
					if who == stuck {
						<-gate
					}
				}
				go func() {
					visited <- n.replica.visit(t.Context(), &mark{
						book: func(*stock.Book) { hang("shard") }, ledger: func(*stock.Ledger, uint64) { hang("hot") },
					})
				}()
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := n.replica.Ping(ctx); (err == nil) != (stuck == "none") || err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v", err)
				}
				close(gate)
				if err := errors.Join(<-visited, n.replica.Ping(t.Context())); err != nil {
					t.Errorf("it works again: %v", err)
				}
			})
		})
	}
}

func TestCheckClock(t *testing.T) {
	const last = stock.Time(1_800_000_000_000)
	at := time.UnixMilli(int64(last))
	for _, row := range []struct {
		off time.Duration
		ok  bool
	}{{0, true}, {-400 * time.Millisecond, true}, {-501 * time.Millisecond, false}, {time.Hour, true}, {time.Hour + time.Millisecond, false}} {
		err := CheckClock(at.Add(row.off), last, 500*time.Millisecond, time.Hour)
		if (err == nil) != row.ok || err != nil && !errors.Is(err, ErrClock) {
			t.Errorf("%v: %v", row.off, err)
		}
	}
	if err := CheckClock(at, 0, 0, 0); err != nil {
		t.Errorf("a log without time: %v", err)
	}
}
