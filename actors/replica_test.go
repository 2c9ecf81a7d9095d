package actors

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/stock"
)

// testLog is a raft group of one voter in memory: it commits in order, on one goroutine, and keeps everything for replay.
type testLog struct {
	replica *Replica
	term    uint64
	mu      sync.Mutex
	closed  bool
	queue   chan proposalInFlight
	done    chan struct{}
	entries [][]byte
	terms   []uint64
	// fate, when set, is asked before each commit: an error drops the proposal, and commit says whether it commits all the same.
	fate func(data []byte) (commit bool, err error)
}

type proposalInFlight struct {
	data []byte
	done func(error)
}

func (l *testLog) Propose(data []byte, done func(error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		done(stock.ErrNotExecuted)
		return
	}
	l.queue <- proposalInFlight{data, done}
}

func (l *testLog) Leads(term uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return term == l.term
}

func (l *testLog) run() {
	defer close(l.done)
	for p := range l.queue {
		commit, err := true, error(nil)
		if l.fate != nil {
			commit, err = l.fate(p.data)
		}
		if commit {
			l.mu.Lock()
			l.entries, l.terms = append(l.entries, p.data), append(l.terms, l.term)
			index, term := uint64(len(l.entries)), l.term
			l.mu.Unlock()
			if err := l.replica.Apply(index, term, p.data); err != nil {
				p.done(err)
				continue
			}
		}
		p.done(err)
	}
}

func (l *testLog) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	close(l.queue)
	<-l.done
}

// node is one replica that leads, and a gateway before it.
type node struct {
	t       testing.TB
	system  *System
	log     *testLog
	replica *Replica
	gateway *Gateway
	faults  chan error
}

func (n *node) Locate(stock.Partition) *Replica {
	if n.replica.Term() == 0 {
		return nil
	}
	return n.replica
}

func (n *node) Replicas() []*Replica { return []*Replica{n.replica} }

func allPartitions() []stock.Partition {
	ps := make([]stock.Partition, stock.Partitions)
	for i := range ps {
		ps[i] = stock.Partition(i)
	}
	return ps
}

func start(t testing.TB, change func(*ReplicaConfig)) *node {
	t.Helper()
	n := &node{t: t, faults: make(chan error, 1)}
	n.system = Start(Config{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	n.log = &testLog{term: 1, queue: make(chan proposalInFlight, 16), done: make(chan struct{})}
	cfg := ReplicaConfig{
		Shard: 1, Log: n.log, Init: stock.Init{Partitions: allPartitions(), Settings: stock.DefaultSettings()},
		OnFault: func(_ uint64, err error) { n.faults <- err },
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if n.replica, err = n.system.NewReplica(cfg); err != nil {
		t.Fatal(err)
	}
	n.log.replica = n.replica
	go n.log.run()
	n.gateway = n.system.NewGateway(n, nil)
	n.replica.Lead(1)
	n.eventually("the replica opens", func() bool { return n.replica.Term() == 1 })
	return n
}

func (n *node) close() {
	n.log.close()
	n.replica.Close()
	n.system.Close()
}

// eventually is the one place that waits for another goroutine by looking.
func (n *node) eventually(what string, ok func() bool) {
	n.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			n.t.Fatalf("in vain: %s", what)
		}
	}
}

func (n *node) do(r stock.Request) stock.Outcome {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return n.gateway.Do(ctx, r)
}

func (n *node) must(r stock.Request) stock.Outcome {
	n.t.Helper()
	out := n.do(r)
	if out.Code != stock.OK {
		n.t.Fatalf("%T: %v %+v", r, out.Code, out.Detail)
	}
	return out
}

func spec(sku string, units int64, hot bool) *stock.Create {
	return &stock.Create{Spec: stock.Spec{SKU: sku, Stock: units, Mode: stock.ModeHold, HoldTTLMS: 600_000, MaxQty: 10, Hot: hot}}
}

func place(sku, user, key string) *stock.Place {
	return &stock.Place{Meta: stock.Meta{Key: key}, SKU: sku, User: user, Qty: 1}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
	got, index, err := n.replica.Hash(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	plain := n.log.replay(t, stock.NewBook(), 0)
	if plain.Hash() != got || plain.Index() != index {
		t.Fatalf("actors have %x at %d, the log replays to %x at %d", got, index, plain.Hash(), plain.Index())
	}
}

// replay applies the entries after an index to a plain book.
func (l *testLog) replay(t testing.TB, b *stock.Book, after uint64) *stock.Book {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := after; i < uint64(len(l.entries)); i++ {
		p, err := stock.DecodeProposal(l.entries[i])
		if err != nil {
			t.Fatal(err)
		}
		if p.Term != l.terms[i] {
			continue
		}
		at := b.Begin(p.Header, i+1)
		for _, c := range p.Commands {
			b.Apply(at, c)
		}
	}
	return b
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
