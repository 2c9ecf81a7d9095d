package actors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"holdfast/stock"
)

func TestConcurrentOrdersSellExactly(t *testing.T) {
	for _, hot := range []bool{false, true} {
		t.Run(fmt.Sprintf("hot=%v", hot), func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			n.must(spec("shoe", 500, hot))
			outs := make([]stock.Outcome, 3000)
			var wg sync.WaitGroup
			for i := range outs {
				wg.Go(func() { outs[i] = n.do(place("shoe", fmt.Sprint("u", i), fmt.Sprint("k", i))) })
			}
			wg.Wait()
			codes := make(map[stock.Code]int)
			for _, out := range outs {
				codes[out.Code]++
			}
			if codes[stock.OK] != 500 || codes[stock.SoldOutPending] != 2500 {
				t.Fatalf("outcomes: %v", codes)
			}
			a, _ := n.replica.Availability("shoe")
			if a.Available != 0 || a.Held != 500 {
				t.Fatalf("availability: %+v", a)
			}
			if n.gateway.Pending() != 0 {
				t.Fatalf("%d tokens are out", n.gateway.Pending())
			}
		})
	}
}

// A bound on entries that the shard's first command does not fit in would keep it shut for ever: it is refused at once, with the reason.
func TestTooSmallProposalsAreRefusedAtTheStart(t *testing.T) {
	s := Start(Config{Logger: slog.New(slog.DiscardHandler)})
	defer s.Close()
	for bytes, why := range map[int]string{100: "at least 2048", 2048: "1024 partitions of shard 7"} {
		cfg := ReplicaConfig{Shard: 7, MaxProposalBytes: bytes, Init: stock.Init{Partitions: allPartitions(), Settings: stock.DefaultSettings()}}
		if _, err := s.NewReplica(cfg); !errors.Is(err, ErrProposalBytes) || !strings.Contains(err.Error(), why) {
			t.Errorf("%d bytes: %v", bytes, err)
		}
	}
	longest := place(strings.Repeat("s", stock.MaxNameBytes), strings.Repeat("u", stock.MaxNameBytes), strings.Repeat("k", stock.MaxKeyBytes))
	longest.Caller, longest.ClientRef = strings.Repeat("c", stock.MaxNameBytes), strings.Repeat("r", stock.MaxNameBytes)
	longest.Qty, longest.Deadline = stock.MaxStock, 1<<60
	if err := stock.NewProposalWriter(leastProposalBytes).Add(longest); err != nil {
		t.Error(err)
	}
}

func TestOneKeyTakesOneUnit(t *testing.T) {
	n := start(t, nil)
	defer n.close()
	n.must(spec("shoe", 50, true))
	outs := make([]stock.Outcome, 100)
	var wg sync.WaitGroup
	for i := range outs {
		wg.Go(func() { outs[i] = n.do(place("shoe", "u", "k")) })
	}
	wg.Wait()
	first := 0
	for _, out := range outs {
		if out.Code != stock.OK || *out.Order != *outs[0].Order {
			t.Fatalf("answers differ: %v %+v, %+v", out.Code, out.Order, outs[0].Order)
		}
		if !out.Replayed {
			first++
		}
	}
	if a, _ := n.replica.Availability("shoe"); first != 1 || a.Held != 1 {
		t.Fatalf("%d first answers, %d units held", first, a.Held)
	}
	if out := n.do(place("shoe", "other", "k")); out.Code != stock.IdempotencyKeyReused {
		t.Fatalf("another body under the key: %v", out.Code)
	}
}

// Everything that goes through the actors, with the SKU promoted and demoted every few commands and snapshots in between, leaves the state that
// the plain domain has after the same log.
func TestPromotionChangesNothing(t *testing.T) {
	n := start(t, nil)
	defer n.close()
	n.must(spec("shoe", 400, false))
	n.must(spec("hat", 400, true))
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 150 {
				sku := []string{"shoe", "hat"}[i%2]
				out := n.do(place(sku, fmt.Sprint("u", w), fmt.Sprint("k", w, "-", i)))
				if out.Code == stock.OK && i%3 == 0 {
					n.do(&stock.Cancel{Order: out.Order.ID})
				} else if out.Code == stock.OK && i%3 == 1 {
					n.do(&stock.Confirm{Order: out.Order.ID, PaymentID: "p"})
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 120 {
			hot := i%2 == 0
			n.must(&stock.Update{SKU: "shoe", Patch: stock.Patch{Hot: &hot}})
			cold := !hot
			n.must(&stock.Update{SKU: "hat", Patch: stock.Patch{Hot: &cold}})
			if i%10 == 0 {
				if _, err := n.replica.Snapshot(); err != nil {
					t.Error(err)
				}
			}
		}
	})
	wg.Wait()
	n.sameAsReplay()
}

// A snapshot taken while orders flow, plus the log after it, is the state.
func TestSnapshotUnderLoad(t *testing.T) {
	n := start(t, nil)
	defer n.close()
	n.must(spec("shoe", 100_000, true))
	n.must(spec("hat", 100_000, false))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					n.do(place([]string{"shoe", "hat"}[i%2], fmt.Sprint("u", w), fmt.Sprint("k", w, "-", i)))
				}
			}
		})
	}
	var snapshots [][]byte
	for range 10 {
		cut, err := n.replica.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		if _, err := cut.WriteTo(&buf); err != nil {
			t.Fatal(err)
		}
		snapshots = append(snapshots, buf.Bytes())
	}
	close(stop)
	wg.Wait()
	want, _, err := n.replica.Hash(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range snapshots {
		b, err := stock.ReadSnapshot(bytes.NewReader(s))
		if err != nil {
			t.Fatalf("snapshot %d: %v", i, err)
		}
		if got := n.log.replay(t, b, b.Index()); got.Hash() != want {
			t.Errorf("snapshot %d and the log after it give another state", i)
		}
	}
}
