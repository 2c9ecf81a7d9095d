package actors

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/stock"
)

// testLog is a raft group in memory, of one voter unless it has peers: it commits in order, on one goroutine, and keeps everything for replay.
type testLog struct {
	peers *peers
	queue chan proposalInFlight
	done  chan struct{}
	fate  atomic.Pointer[fate]

	commits sync.Mutex // held while an entry is appended and handed over, before mu
	mu      sync.Mutex // guards what follows
	replica *Replica
	term    uint64
	leads   bool
	closed  bool
	entries [][]byte
	terms   []uint64
}

// fate is asked before each commit: an error is what the proposer is told, and commit says whether it commits all the same. It may wait.
type fate func(data []byte) (commit bool, err error)

func (l *testLog) decide(f fate) { l.fate.Store(&f) }

// slow makes every commit take a while.
func (l *testLog) slow(d time.Duration) {
	l.decide(func([]byte) (bool, error) { <-time.After(d); return true, nil })
}

// lose drops the next proposals, as far as count goes; the proposer is told err.
func (l *testLog) lose(count int64, err error) (left *atomic.Int64) {
	left = new(atomic.Int64)
	left.Store(count)
	l.decide(func([]byte) (bool, error) {
		if left.Add(-1) >= 0 {
			return false, err
		}
		return true, nil
	})
	return left
}

// hold stops commits until release is called; waiting returns how many proposals have come to it.
func (l *testLog) hold() (release func(), waiting *atomic.Int64) {
	gate := make(chan struct{})
	waiting = new(atomic.Int64)
	l.decide(func([]byte) (bool, error) {
		waiting.Add(1)
		<-gate
		return true, nil
	})
	return sync.OnceFunc(func() { close(gate) }), waiting
}

type proposalInFlight struct {
	data []byte
	done func(error)
}

func newTestLog() *testLog {
	return &testLog{term: 1, leads: true, queue: make(chan proposalInFlight, 16), done: make(chan struct{})}
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
	return l.leads && term == l.term
}

func (l *testLog) run() {
	defer close(l.done)
	for p := range l.queue {
		commit, err := true, error(nil)
		if f := l.fate.Load(); f != nil {
			commit, err = (*f)(p.data)
		}
		if commit {
			if failed := l.commit(p.data); failed != nil {
				err = failed
			}
		}
		p.done(err)
	}
}

// commit appends an entry of the present term and hands it over.
func (l *testLog) commit(data []byte) error {
	l.commits.Lock()
	defer l.commits.Unlock()
	l.mu.Lock()
	l.entries, l.terms = append(l.entries, data), append(l.terms, l.term)
	index, term, r := uint64(len(l.entries)), l.term, l.replica
	l.mu.Unlock()
	return r.Apply(index, term, data)
}

// enter changes the term, and whether this node leads in it.
func (l *testLog) enter(term uint64, leads bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.term, l.leads = term, leads
}

func (l *testLog) length() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}

func (l *testLog) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	close(l.queue)
	<-l.done
}

// each visits the commands of the log in order; void tells those that count for nothing.
func (l *testLog) each(t testing.TB, visit func(index uint64, h stock.Header, c stock.Command, void bool)) {
	t.Helper()
	l.mu.Lock()
	entries, terms := l.entries[:len(l.entries):len(l.entries)], l.terms
	l.mu.Unlock()
	for i, data := range entries {
		if data == nil {
			continue
		}
		p, err := stock.DecodeProposal(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range p.Commands {
			visit(uint64(i+1), p.Header, c, p.Term != terms[i])
		}
	}
}

// count returns how many commands of the log, void ones left out, are chosen.
func (l *testLog) count(t testing.TB, chosen func(stock.Command) bool) (n int) {
	t.Helper()
	l.each(t, func(_ uint64, _ stock.Header, c stock.Command, void bool) {
		if !void && chosen(c) {
			n++
		}
	})
	return n
}

func isA[C stock.Command](c stock.Command) bool {
	_, ok := c.(C)
	return ok
}

func keyed(key string) func(stock.Command) bool {
	return func(c stock.Command) bool { return c.Head() != nil && c.Head().Key == key }
}

// replay applies the entries after an index, up to another or to the end, to a plain book.
func (l *testLog) replay(t testing.TB, b *stock.Book, after uint64) *stock.Book {
	t.Helper()
	return l.replayTo(t, b, after, uint64(l.length()))
}

func (l *testLog) replayTo(t testing.TB, b *stock.Book, after, upTo uint64) *stock.Book {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := after; i < upTo; i++ {
		p := stock.Proposal{Header: stock.Header{Term: l.terms[i]}}
		if l.entries[i] != nil {
			var err error
			if p, err = stock.DecodeProposal(l.entries[i]); err != nil {
				t.Fatal(err)
			}
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

// node is one replica that leads, and a gateway before it.
type node struct {
	t       testing.TB
	system  *System
	log     *testLog
	replica *Replica
	gateway *Gateway
	cfg     ReplicaConfig
	faults  chan fault
}

type fault struct {
	index uint64
	err   error
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
	return launch(t, change, nil)
}

// startLosing starts a node whose very first proposals meet a fate.
func startLosing(t testing.TB, f fate) *node {
	t.Helper()
	return launch(t, nil, f)
}

func launch(t testing.TB, change func(*ReplicaConfig), f fate) *node {
	t.Helper()
	n := &node{t: t, faults: make(chan fault, 16)}
	n.system = Start(Config{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	n.log = newTestLog()
	if f != nil {
		n.log.decide(f)
	}
	n.cfg = ReplicaConfig{
		Shard: 1, Log: n.log, Init: stock.Init{Partitions: allPartitions(), Settings: stock.DefaultSettings()},
		OnFault: func(index uint64, err error) { n.faults <- fault{index, err} },
	}
	if change != nil {
		change(&n.cfg)
	}
	var err error
	if n.replica, err = n.system.NewReplica(n.cfg); err != nil {
		t.Fatal(err)
	}
	n.log.replica = n.replica
	go n.log.run()
	n.gateway = n.system.NewGateway(n, nil)
	n.replica.Lead(1)
	n.eventually("the replica opens", func() bool { return n.replica.Term() == 1 })
	return n
}

// close ends the node. Whatever a test did, nothing is left in the actors' hands and nobody failed.
func (n *node) close() {
	n.t.Helper()
	n.settled()
	n.shut()
	select {
	case f := <-n.faults:
		n.t.Errorf("fault at entry %d: %v", f.index, f.err)
	default:
	}
}

// settled waits until no request is in the actors' hands, and holds the windows against rule R11.
func (n *node) settled() {
	n.t.Helper()
	n.eventually("all tokens come back", func() bool { return n.gateway.Pending() == 0 && n.replica.Backlog() == 0 })
	n.eventually("all windows are empty", n.idle)
}

// idle reports whether no window holds anything.
func (n *node) idle() bool {
	idle := true
	n.desks(func(d *desk) { idle = idle && d.window.Idle() && len(d.answers) == 0 })
	return idle
}

// desks visits every desk, on the goroutine of its actor, one at a time.
func (n *node) desks(visit func(*desk)) {
	n.t.Helper()
	var one sync.Mutex
	m := &mark{book: func(*stock.Book) {}, ledger: func(*stock.Ledger, uint64) {}, desk: func(d *desk) {
		one.Lock()
		defer one.Unlock()
		visit(d)
	}}
	if err := n.replica.visit(context.Background(), m); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) shut() {
	n.log.close()
	n.replica.Close()
	n.system.Close()
	<-time.After(2 * time.Millisecond) // what the library counts dead letters with lives a little longer
}

// elect makes the node leader of a term; the signal that the terms before are over may get lost.
func (n *node) elect(term uint64, signal bool) {
	was := n.log.term
	n.log.enter(term, true)
	if signal {
		n.replica.Follow(was)
	}
	n.replica.Lead(term)
}

// depose makes the node a follower in a term.
func (n *node) depose(term uint64) {
	was := n.log.term
	n.log.enter(term, false)
	n.replica.Follow(was)
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

func (n *node) do(r stock.Request) stock.Outcome { return n.within(10*time.Second, r) }

func (n *node) within(d time.Duration, r stock.Request) stock.Outcome {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return n.gateway.Do(ctx, r)
}

// begin sends a request and returns where its answer will come.
func (n *node) begin(ctx context.Context, r stock.Request) <-chan stock.Outcome {
	answer := make(chan stock.Outcome, 1)
	go func() { answer <- n.gateway.Do(ctx, r) }()
	return answer
}

func (n *node) must(r stock.Request) stock.Outcome {
	n.t.Helper()
	out := n.do(r)
	if out.Code != stock.OK {
		n.t.Fatalf("%T: %v %+v", r, out.Code, out.Detail)
	}
	return out
}

func (n *node) available(sku string) stock.Availability {
	n.t.Helper()
	a, ok := n.replica.Availability(sku)
	if !ok {
		n.t.Fatalf("%s is not listed", sku)
	}
	return a
}

// setHot promotes or demotes a SKU.
func (n *node) setHot(sku string, hot bool) {
	n.t.Helper()
	n.must(&stock.Update{SKU: sku, Patch: stock.Patch{Hot: &hot}})
}

// sameAsReplay holds the whole state against a plain replay of the log.
func (n *node) sameAsReplay() {
	n.t.Helper()
	got, index, err := n.replica.Hash(context.Background())
	if err != nil {
		n.t.Fatal(err)
	}
	if plain := n.log.replayTo(n.t, stock.NewBook(), 0, index); plain.Hash() != got {
		n.t.Errorf("actors have %x at %d, the log replays to %x at %d", got, index, plain.Hash(), plain.Index())
	}
}

func spec(sku string, units int64, hot bool) *stock.Create {
	return &stock.Create{Spec: stock.Spec{SKU: sku, Stock: units, Mode: stock.ModeHold, HoldTTLMS: 600_000, MaxQty: 10, Hot: hot}}
}

func place(sku, user, key string) *stock.Place {
	return &stock.Place{Meta: stock.Meta{Key: key}, SKU: sku, User: user, Qty: 1}
}

func want(t testing.TB, what string, out stock.Outcome, code stock.Code) {
	t.Helper()
	if out.Code != code {
		t.Fatalf("%s: %v %+v, want %v", what, out.Code, out.Detail, code)
	}
}

// eachTemperature runs a test for a cold SKU, and for one with an actor of its own.
func eachTemperature(t *testing.T, test func(t *testing.T, hot bool)) {
	t.Run("cold", func(t *testing.T) { test(t, false) })
	t.Run("hot", func(t *testing.T) { test(t, true) })
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
