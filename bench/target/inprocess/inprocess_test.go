package inprocess

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/bench/audit"
	"holdfast/bench/sale"
	"holdfast/node"
	"holdfast/stock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func small(c *node.Config) { c.WALSegmentBytes = 4 << 20 }

func openTarget(t *testing.T, cfg Config) *Target {
	t.Helper()
	cfg.Dir, cfg.Change = t.TempDir(), small
	target, err := Open(limited(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := target.Close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(cfg.Dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	})
	return target
}

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// sell places orders of one unit each for new users, spread over the SKUs, and tells the ledger. What was not executed is placed again: a busy machine
// may elect another leader at any time.
func sell(ctx context.Context, t *Target, l *audit.Ledger, prefix string, n int, skus ...string) []sale.Answer {
	orders, answers := make([]sale.Order, n), make([]sale.Answer, n)
	for i := range orders {
		orders[i] = sale.Order{Key: fmt.Sprint(prefix, i), User: fmt.Sprint(prefix, "u", i), SKU: skus[i%len(skus)], Qty: 1}
	}
	t.Place(ctx, orders, answers)
	for i := range answers {
		for answers[i].Verdict == sale.Failed && until(ctx, t.someLeader(orders[i].SKU)) == nil {
			t.Place(ctx, orders[i:i+1], answers[i:i+1])
		}
	}
	l.ToldAll(0, orders, answers)
	return answers
}

func (t *Target) someLeader(sku string) func() bool {
	return func() bool { return t.leader(stock.PartitionOf(sku)) != nil }
}

func audited(t *testing.T, target *Target, l *audit.Ledger, accepted int64) {
	t.Helper()
	found, err := audit.Check(limited(t), l, target)
	if err != nil {
		t.Fatal(err)
	}
	if found.Broken() || found.Unresolved > 0 || found.Accepted != accepted || found.Checked != accepted || found.Stored != accepted {
		t.Fatalf("%+v", found)
	}
}

func TestOneNode(t *testing.T) {
	ctx := limited(t)
	target := openTarget(t, Config{Nodes: 1, FsyncDelay: 5 * time.Millisecond})
	about := target.About()
	if about.Replicas != 1 || about.Sink != "sqlite" || !strings.Contains(about.Durability, "5ms slower") {
		t.Fatalf("%+v", about)
	}
	skus := []sale.SKU{{Name: "shoe", Stock: 5, LimitPerUser: 1, Hot: true}, {Name: "hat", Stock: 1000, HoldTTL: time.Hour}}
	l := audit.NewLedger(audit.Config{})
	l.Sell(skus...)
	if err := target.Create(ctx, skus); err != nil {
		t.Fatal(err)
	}
	if err := target.Create(ctx, skus[:1]); !errors.Is(err, ErrExists) {
		t.Fatalf("created again: %v", err)
	}
	began := time.Now()
	for i, a := range sell(ctx, target, l, "a", 12, "shoe", "hat") {
		if want := sale.Accepted; i == 10 {
			if a.Verdict != sale.Refused || a.Reason != "sold_out_pending" {
				t.Fatalf("order %d: %+v", i, a)
			}
		} else if a.Verdict != want || a.ID == "" {
			t.Fatalf("order %d: %+v", i, a)
		}
	}
	if took := time.Since(began); took < 5*time.Millisecond {
		t.Fatalf("durable after %v, although an fsync takes 5 ms", took)
	}
	if c, err := target.Counters(ctx, "hat"); err != nil || c != (sale.Counters{Stock: 1000, Available: 994, Held: 6}) {
		t.Fatalf("%+v %v", c, err)
	}
	if _, err := target.Counters(ctx, "coat"); !errors.Is(err, ErrRefused) {
		t.Fatal(err)
	}
	settleSome(ctx, t, target, l)
	if err := target.KillLeader(ctx, "shoe"); !errors.Is(err, ErrNoHeir) {
		t.Fatal(err)
	}
	audited(t, target, l, 13)
}

// settleSome takes every step with orders of its own, and asks what became of two.
func settleSome(ctx context.Context, t *testing.T, target *Target, l *audit.Ledger) {
	t.Helper()
	orders := []sale.Order{{Key: "x", SKU: "hat", User: "x", Qty: 3}, {Key: "y", SKU: "hat", User: "y", Qty: 2}}
	answers := make([]sale.Answer, 2)
	for i := range orders { // one at a time
		target.Place(ctx, orders[i:i+1], answers[i:i+1])
	}
	l.ToldAll(0, orders, answers)
	for _, c := range []struct {
		order int
		step  sale.Step
		want  sale.Verdict
	}{{0, sale.Pay, sale.Accepted}, {0, sale.Return, sale.Accepted}, {0, sale.Cancel, sale.Refused}, {1, sale.Cancel, sale.Accepted}} {
		a := target.Settle(ctx, c.step, answers[c.order].ID, fmt.Sprint("step-", c.order))
		if a.Verdict != c.want {
			t.Fatalf("step %d with order %d: %+v", c.step, c.order, a)
		}
		l.Settled(0, orders[c.order], answers[c.order].ID, c.step, a)
	}
	if a, err := target.Resolve(ctx, orders[0]); err != nil || a.Verdict != sale.Accepted || a.ID != answers[0].ID {
		t.Fatalf("%+v %v", a, err)
	}
	never := sale.Order{Key: "never", SKU: "hat", User: "z", Qty: 1}
	if a, err := target.Resolve(ctx, never); err != nil || a.Verdict != sale.Failed {
		t.Fatalf("%+v %v", a, err)
	}
	target.Place(ctx, []sale.Order{never}, answers[:1])
	if answers[0].Verdict != sale.Refused || answers[0].Reason != "fenced" {
		t.Fatalf("a fenced order: %+v", answers[0])
	}
}

func TestThreeNodesLoseALeader(t *testing.T) {
	ctx := limited(t)
	target := openTarget(t, Config{Nodes: 3})
	if about := target.About(); about.Replicas != 3 || about.Durability != "fsync on 2 of 3 nodes" {
		t.Fatalf("%+v", about)
	}
	skus := make([]sale.SKU, 12)
	names := make([]string, len(skus))
	for i := range skus {
		names[i] = fmt.Sprint("sku-", i)
		skus[i] = sale.SKU{Name: names[i], Stock: 1000}
	}
	l := audit.NewLedger(audit.Config{})
	l.Sell(skus...)
	if err := target.Create(ctx, skus); err != nil {
		t.Fatal(err)
	}
	all := func(prefix string) {
		for i, a := range sell(ctx, target, l, prefix, 600, names...) {
			if a.Verdict != sale.Accepted && a.Verdict != sale.Unknown { // what is unknown the audit finds out
				t.Fatalf("order %d: %+v", i, a)
			}
		}
	}
	all("before")
	if err := target.KillLeader(ctx, "sku-0"); err != nil {
		t.Fatal(err)
	}
	if err := target.KillLeader(ctx, "sku-0"); !errors.Is(err, ErrNoHeir) {
		t.Fatal(err)
	}
	for _, sku := range names { // somebody leads each again
		if _, err := target.Counters(ctx, sku); err != nil {
			t.Fatal(err)
		}
	}
	all("between")
	if err := target.Heal(ctx); err != nil {
		t.Fatal(err)
	}
	all("after")
	if unknown := l.Unknown(); unknown > 0 {
		t.Logf("%d outcomes are unknown", unknown)
		if left := l.Resolve(ctx, target); left > 0 {
			t.Fatalf("%d of them remain so", left)
		}
	}
	audited(t, target, l, l.Accepted())
	if l.Accepted() < 1200 {
		t.Fatalf("%d orders of 1800 were accepted", l.Accepted())
	}
}

func TestConfigIsRefused(t *testing.T) {
	for _, cfg := range []Config{{Nodes: 2}, {Sink: "paper"}, {FsyncDelay: -1}} {
		if _, err := Open(context.Background(), cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}
