package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"holdfast/api/client"
	"holdfast/cmd/holdfast/child"
	"holdfast/cmd/holdfast/demo"
	"holdfast/storage"
)

var (
	kills    = flag.Int("kills", 4, "how often TestKilledUnderLoad kills the node; 20 for acceptance")
	killSeed = flag.Uint64("killseed", 0, "seed of TestKilledUnderLoad; 0: a fresh one")
)

const (
	plenty      = "plenty"
	scarce      = "scarce"
	scarceStock = 600
	loadWorkers = 16
	converge    = 5 * time.Second
)

// Kill -9 under load, again and again, same command line each time: every acknowledged order is there, none doubled; each unknown outcome becomes
// definite under its key; SQLite converges within 5 s to exactly the acknowledged orders; what is scarce is sold exactly.
func TestKilledUnderLoad(t *testing.T) {
	s := newSiege(t, seedOf(t))
	s.start()
	s.createSKUs()
	begin := time.Now()
	for s.round = 1; s.round <= *kills; s.round++ {
		s.load()
		s.start()
		s.resolve()
		s.compareStored()
	}
	s.sellOut()
	s.compareStored()
	s.drain()
	s.compareLog()
	if s.unknownTotal == 0 {
		t.Errorf("seed %d: no answer was ever lost: the kills hit nothing", s.seed)
	}
	t.Logf("seed %d: %d kills in %.1f s: %d orders acknowledged, %d outcomes unknown (%d had been accepted, %d were fenced, "+
		"the others asked again), none lost, none doubled; "+
		"slowest restart %d ms, slowest convergence of SQLite %d ms", s.seed, *kills, time.Since(begin).Seconds(), len(s.acks), s.unknownTotal,
		s.unknownAccepted, s.unknownFenced, s.slowestStart.Milliseconds(), s.slowestFlush.Milliseconds())
}

func seedOf(t *testing.T) uint64 {
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("run it again: go test ./cmd/holdfast -run %s -args -kills %d -killseed %d", t.Name(), *kills, seed)
	return seed
}

// siege is a node that is killed again and again, and what its callers were told.
type siege struct {
	t     *testing.T
	seed  uint64
	dir   string
	path  string
	sink  string // what audits read
	args  []string
	node  *child.Node
	once  *client.Client // sends once
	until *client.Client // sends until the outcome is known
	round int
	// halfway, when set, is called in the middle of a round's load.
	halfway func()

	mu      sync.Mutex // guards what follows
	random  *rand.Rand
	acks    map[string]ack // by key
	unknown []attempt
	next    int
	sold    int // of what is scarce

	unknownTotal, unknownAccepted, unknownFenced int
	slowestStart, slowestFlush                   time.Duration
}

// ack is an order as its caller was told of it.
type ack struct{ id, sku, user, state string }

// attempt is a request without an answer; order is set when it was to confirm one.
type attempt struct{ key, sku, user, order string }

func newSiege(t *testing.T, seed uint64) *siege {
	addrs, err := child.FreeAddrs(3)
	if err != nil {
		t.Fatal(err)
	}
	s := &siege{
		t: t, seed: seed, dir: filepath.Join(t.TempDir(), "node"), path: program(t), random: rand.New(rand.NewPCG(seed, 1)),
		acks: make(map[string]ack),
	}
	s.sink = filepath.Join(s.dir, "orders.db")
	s.args = []string{"serve", "--data-dir", s.dir, "--http", addrs[0], "--admin", addrs[1], "--peer", addrs[2], "--log-level", "warn",
		"--snapshot-bytes", "16384"}
	if s.once, err = client.New(client.Config{Addr: addrs[0], AdminAddr: addrs[1], MaxConns: 2 * loadWorkers}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.once.Close)
	s.until = s.once.Retrying(client.Policy{Backoff: 5 * time.Millisecond, MaxBackoff: 50 * time.Millisecond})
	return s
}

// start runs the node with the same command line as ever.
func (s *siege) start() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	n, err := child.Start(ctx, s.path, s.args, nil)
	if err != nil {
		s.t.Fatalf("round %d: %v", s.round, err)
	}
	s.t.Cleanup(n.Kill)
	s.node, s.slowestStart = n, max(s.slowestStart, n.Took)
}

func (s *siege) createSKUs() {
	for _, spec := range []client.SKUSpec{
		{SKU: plenty, Stock: 10_000_000, HoldTTLMS: 3_600_000, Hot: true},
		{SKU: scarce, Stock: scarceStock, Mode: "on_order"},
	} {
		if _, err := s.until.CreateSKU(s.t.Context(), spec); err != nil {
			s.t.Fatal(err)
		}
	}
}

// load lets callers order until some number of orders was acknowledged, kills the node in the middle of it, and lets them find out.
func (s *siege) load() {
	enough, half := make(chan struct{}), make(chan struct{})
	target := len(s.acks) + 50 + s.random.IntN(600)
	middle := (len(s.acks) + target) / 2
	ctx, stop := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer stop()
	var callers sync.WaitGroup
	reached, passed := sync.OnceFunc(func() { close(enough) }), sync.OnceFunc(func() { close(half) })
	for range loadWorkers {
		callers.Go(func() {
			for s.order(ctx) {
				n := s.acknowledged()
				if n >= middle {
					passed()
				}
				if n >= target {
					reached()
				}
			}
		})
	}
	if s.halfway != nil {
		select {
		case <-half:
			s.halfway()
		case <-ctx.Done():
		}
	}
	select {
	case <-enough:
	case <-ctx.Done():
		s.t.Errorf("round %d: fewer than %d orders in 20 s", s.round, target)
	}
	if s.round == 2 {
		s.awaitSnapshot(ctx)
	}
	s.node.Kill()
	stopAt := time.AfterFunc(time.Second, stop) // callers end by themselves at the first lost or refused connection
	callers.Wait()
	stopAt.Stop()
	s.unknownTotal += len(s.unknown)
}

// awaitSnapshot waits, under load, for a snapshot, so that later starts and the replay at the end begin with one.
func (s *siege) awaitSnapshot(ctx context.Context) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		found, err := filepath.Glob(filepath.Join(s.dir, "snapshots", "shard-*", "*.snap"))
		if err != nil || ctx.Err() != nil {
			s.t.Fatalf("no snapshot: %v, %v", err, ctx.Err())
		}
		if len(found) > 0 {
			return
		}
		<-tick.C
	}
}

func (s *siege) acknowledged() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.acks)
}

// order places one order and confirms some; false when the node is gone.
func (s *siege) order(ctx context.Context) bool {
	s.mu.Lock()
	s.next++
	a := attempt{key: fmt.Sprintf("key-%d", s.next), sku: plenty, user: fmt.Sprintf("user-%d", s.next)}
	confirm := s.random.IntN(3) == 0
	if s.random.IntN(8) == 0 && s.sold < (s.round*scarceStock)/(*kills+1) {
		a.sku, confirm = scarce, false
	}
	s.mu.Unlock()
	p, err := s.once.PlaceOrder(ctx, a.key, client.NewOrder{SKU: a.sku, User: a.user})
	if !s.noteOrder(a, p, err) {
		return false
	}
	if !confirm {
		return true
	}
	a.order = p.ID
	_, err = s.once.Confirm(ctx, p.ID, "pay-"+a.key)
	return s.noteConfirm(a, err)
}

// noteOrder writes down what became of an order; false when the node is gone.
func (s *siege) noteOrder(a attempt, p client.Placed, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		if before, ok := s.acks[a.key]; ok && before.id != p.ID {
			s.t.Errorf("key %s has orders %s and %s", a.key, before.id, p.ID)
		}
		s.acks[a.key] = ack{id: p.ID, sku: a.sku, user: a.user, state: p.State}
		if a.sku == scarce {
			s.sold++
		}
		return true
	case client.IsUnknown(err):
		s.unknown = append(s.unknown, a)
	case !client.IsNotExecuted(err) || client.IsRefused(err):
		s.t.Errorf("round %d: order with key %s: %v", s.round, a.key, err)
	}
	return false
}

func (s *siege) noteConfirm(a attempt, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		known := s.acks[a.key]
		known.state = "confirmed"
		s.acks[a.key] = known
		return true
	case client.IsUnknown(err):
		s.unknown = append(s.unknown, a)
	case !client.IsNotExecuted(err) || client.IsRefused(err):
		s.t.Errorf("round %d: payment of %s: %v", s.round, a.order, err)
	}
	return false
}

// resolve makes each unknown outcome definite: by asking again under the same key, or by fencing it.
func (s *siege) resolve() {
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	pending := s.unknown
	s.unknown = nil
	for i, a := range pending {
		switch {
		case a.order != "":
			_, err := s.until.Confirm(ctx, a.order, "pay-"+a.key)
			s.noteConfirm(a, err)
		case i%2 == 0:
			s.fence(ctx, a)
		default:
			p, err := s.until.PlaceOrder(ctx, a.key, client.NewOrder{SKU: a.sku, User: a.user})
			if p.Replayed {
				s.unknownAccepted++
			}
			s.noteOrder(a, p, err)
		}
	}
	if len(s.unknown) > 0 {
		s.t.Fatalf("round %d: %d outcomes are still unknown", s.round, len(s.unknown))
	}
}

// fence makes sure that a key is accepted already or never will be.
func (s *siege) fence(ctx context.Context, a attempt) {
	o, err := s.until.Fence(ctx, a.sku, a.key)
	switch {
	case err != nil:
		s.t.Errorf("round %d: fence %s: %v", s.round, a.key, err)
	case o.Outcome == client.Accepted:
		s.unknownAccepted++
		s.noteOrder(a, client.Placed{Order: *o.Order}, nil)
	default:
		s.unknownFenced++
		if _, err := s.once.PlaceOrder(ctx, a.key, client.NewOrder{SKU: a.sku, User: a.user}); client.CodeOf(err) != "fenced" {
			s.t.Errorf("round %d: an order with the fenced key %s: %v", s.round, a.key, err)
		}
	}
}

// sellOut sells what is left of what is scarce: together with all that was sold before it must be exactly the stock.
func (s *siege) sellOut() {
	for {
		s.next++
		a := attempt{key: fmt.Sprintf("key-%d", s.next), sku: scarce, user: fmt.Sprintf("user-%d", s.next)}
		p, err := s.once.PlaceOrder(s.t.Context(), a.key, client.NewOrder{SKU: a.sku, User: a.user})
		if client.CodeOf(err) == "sold_out" {
			break
		}
		if !s.noteOrder(a, p, err) {
			s.t.Fatalf("sell the rest: %v", err)
		}
	}
	if s.sold != scarceStock {
		s.t.Errorf("%d of %d scarce units were sold", s.sold, scarceStock)
	}
}

// compareStored waits until SQLite holds exactly the acknowledged orders.
func (s *siege) compareStored() {
	s.t.Helper()
	begin := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		rows, err := storage.ReadOrders(s.t.Context(), s.sink)
		wrong := fmt.Sprint(err)
		if err == nil {
			wrong = s.differs(rows)
		}
		took := time.Since(begin)
		if wrong == "" {
			s.slowestFlush = max(s.slowestFlush, took)
			return
		}
		if took > converge {
			s.t.Fatalf("round %d: after %s storage does not hold the %d acknowledged orders: %s", s.round, took, len(s.acks), wrong)
		}
		<-tick.C
	}
}

// differs says how rows and acknowledgements differ, "" when they do not.
func (s *siege) differs(rows []storage.OrderRow) string {
	if len(rows) != len(s.acks) {
		return fmt.Sprintf("%d rows", len(rows))
	}
	for _, r := range rows {
		if a, ok := s.acks[r.Key]; !ok || a != (ack{id: r.ID, sku: r.SKU, user: r.User, state: r.State}) {
			return fmt.Sprintf("key %s was acknowledged as %+v, the row is %+v", r.Key, a, r)
		}
	}
	return ""
}

func (s *siege) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if code, err := s.node.Stop(ctx); code != 0 || err != nil {
		s.t.Fatalf("drain: exit code %d, %v\n%s", code, err, s.node.Log())
	}
}

// compareLog replays the log into an empty state: the same orders, never more held and sold than stock.
func (s *siege) compareLog() {
	total := 0
	for _, sku := range []string{plenty, scarce} {
		r, err := demo.Replay(s.dir, sku)
		if err != nil {
			s.t.Fatal(err)
		}
		total += len(r.Orders)
		for _, o := range r.Orders {
			if a, ok := s.acks[o.Key]; !ok || a.id != o.ID.String() || a.state != o.State.String() {
				s.t.Errorf("key %s was acknowledged as %+v; the log says %s, %s", o.Key, a, o.ID, o.State)
			}
		}
		if len(r.Unsound) > 0 || r.Peak > r.SKU.Stock {
			s.t.Errorf("%s: held and sold up to %d of %d; %q", sku, r.Peak, r.SKU.Stock, r.Unsound)
		}
	}
	if total != len(s.acks) {
		s.t.Errorf("the log has %d orders, %d were acknowledged", total, len(s.acks))
	}
}
