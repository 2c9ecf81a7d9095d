package backup

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/cluster"
	"holdfast/cluster/meta"
	"holdfast/cluster/placement"
	"holdfast/stock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	oldID = [16]byte{1, 2, 3}
	taken = time.Date(2026, 11, 11, 20, 0, 0, 0, time.UTC)
)

const (
	testShards = 2
	testTerm   = 7
)

// world is a cluster as backups see it: nodes that lead groups, whose snapshots are the same wherever they are read.
type world struct {
	t      testing.TB
	table  *meta.Cluster
	states map[uint32][]byte
	index  map[uint32]uint64
	nodes  map[string]*Backups

	mu      sync.Mutex // guards what follows
	leaders map[uint32]string
	// onCall, if any, is asked before a request reaches a node, and told the answer; what it returns goes back.
	onCall func(node string, q request, serve func() ([]byte, error)) ([]byte, error)
	open   int // snapshots
}

func newWorld(t testing.TB, nodes ...string) *world {
	w := &world{
		t: t, states: make(map[uint32][]byte), index: make(map[uint32]uint64), nodes: make(map[string]*Backups), leaders: make(map[uint32]string),
	}
	state := metaState(t, oldID, 3)
	w.table = state.Cluster()
	w.states[0], w.index[0] = metaSnapshot(state), 2
	for id := uint32(1); id <= testShards; id++ {
		w.states[id], w.index[id] = snapshotOf(t, bookOf(t, id, 3)), 70+uint64(id)
	}
	for _, name := range nodes {
		w.add(name)
	}
	for id := range uint32(testShards + 1) {
		w.leaders[id] = nodes[int(id)%len(nodes)]
	}
	return w
}

func (w *world) add(name string, change ...func(*Config)) *Backups {
	cfg := Config{
		NodeID: name, Version: "1.2.3", Ancestors: []string{fmt.Sprintf("%032x", 9)}, View: w, Groups: groupsOf{w, name}, Peers: w,
		Now: func() time.Time { return taken.Add(300 * time.Millisecond) }, Bounds: Bounds{ChunkBytes: 100},
		Timing: Timing{OpenPatience: 5 * time.Second, ChunkTimeout: 5 * time.Second, RetryDelay: time.Millisecond},
	}
	for _, f := range change {
		f(&cfg)
	}
	b, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.nodes[name] = b
	w.t.Cleanup(b.Close)
	return b
}

func (w *world) Cluster() *meta.Cluster { return w.table }

func (w *world) Leader(group uint32) (node, address string, term uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.leaders[group], "at " + w.leaders[group], testTerm
}

func (w *world) lead(group uint32, node string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leaders[group] = node
}

func (w *world) Call(ctx context.Context, node, _ string, r cluster.Request) ([]byte, error) {
	b := w.nodes[node]
	if b == nil || r.Kind != cluster.KindSnapshot {
		return nil, fmt.Errorf("%w: nobody is there", stock.ErrNotExecuted)
	}
	serve := func() ([]byte, error) { return b.Handler().ServePeer(ctx, r) }
	if w.onCall == nil {
		return serve()
	}
	q, err := decodeRequest(r.Body)
	if err != nil {
		return nil, err
	}
	return w.onCall(node, q, serve)
}

func (w *world) opened(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open += n
	return w.open
}

type groupsOf struct {
	w    *world
	node string
}

func (g groupsOf) Group(id uint32) Group {
	if g.w.states[id] == nil {
		return nil
	}
	return groupOf{g.w, g.node, id}
}

type groupOf struct {
	w    *world
	node string
	id   uint32
}

func (g groupOf) Barrier(context.Context) error {
	if leader, _, _ := g.w.Leader(g.id); leader != g.node {
		return fmt.Errorf("%w: %w", stock.ErrNotExecuted, cluster.ErrNotLeader)
	}
	return nil
}

func (g groupOf) Snapshot(context.Context) (uint64, int64, error) {
	return g.w.index[g.id], int64(len(g.w.states[g.id])), nil
}

func (g groupOf) OpenSnapshot() (*cluster.SnapshotState, error) {
	g.w.opened(1)
	state := g.w.states[g.id]
	return &cluster.SnapshotState{
		Index: g.w.index[g.id], Term: testTerm, Bytes: int64(len(state)), ReadCloser: &snapshotFile{bytes.NewReader(state), g.w},
	}, nil
}

type snapshotFile struct {
	io.Reader
	w *world
}

func (f *snapshotFile) Close() error { f.w.opened(-1); return nil }

func metaState(t testing.TB, id [16]byte, epoch uint16) *meta.State {
	t.Helper()
	settings := meta.DefaultSettings()
	settings.RetentionMS = 90_000_000
	entry, err := meta.EncodeEntry(1_000, &meta.Create{
		Keyed: meta.Keyed{Key: "k", Deadline: 2_000}, ClusterID: id, Epoch: epoch, Level: 1, Node: "n1", Incarnation: 5,
		Addresses: meta.Addresses{Peer: "127.0.0.1:1", HTTP: "127.0.0.1:2", Admin: "127.0.0.1:3"}, Binary: meta.Binary{Level: 1, Version: "1.2.3"},
		Shards: testShards, Partitions: placement.Partitions(testShards), Settings: settings,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := meta.New()
	if _, out, err := s.Apply(entry); err != nil || out.Code != meta.OK {
		t.Fatalf("%+v, %v", out, err)
	}
	return s
}

func metaSnapshot(s *meta.State) []byte {
	b := binary.BigEndian.AppendUint64([]byte{1}, 2)
	return append(binary.BigEndian.AppendUint64(b, testTerm), s.Snapshot()...)
}

func owned(id uint32) (list []stock.Partition) {
	for p, shard := range placement.Partitions(testShards) {
		if shard == id {
			list = append(list, stock.Partition(p))
		}
	}
	return list
}

// skuOf returns the name of a SKU of the shard.
func skuOf(id uint32, n int) string {
	for i := 0; ; i++ {
		name := fmt.Sprintf("sku-%d-%d", n, i)
		if placement.Partitions(testShards)[stock.PartitionOf(name)] == id {
			return name
		}
	}
}

// run applies commands from an index on and returns the outcomes.
func run(book *stock.Book, index uint64, now stock.Time, commands ...stock.Command) (outcomes []stock.Outcome) {
	for _, c := range commands {
		at := book.Begin(stock.Header{Clock: now}, index)
		outcomes = append(outcomes, book.Apply(at, c))
		index++
	}
	return outcomes
}

func place(sku, key string, qty int64) *stock.Place {
	return &stock.Place{Meta: stock.Meta{Key: key}, SKU: sku, User: "u-" + key, Qty: qty}
}

// bookOf is a shard's state with orders in it: 2 SKUs with 40 units in all, of which 3 are held and 1 is sold.
func bookOf(t testing.TB, id uint32, epoch uint16) *stock.Book {
	t.Helper()
	book := stock.NewBook()
	cup, pot := skuOf(id, 1), skuOf(id, 2)
	spec := stock.Spec{SKU: cup, Stock: 30, Mode: stock.ModeHold, HoldTTLMS: 60_000, MaxQty: 5}
	out := run(book, 1, 5_000,
		&stock.Init{Epoch: epoch, Partitions: owned(id), Settings: stock.DefaultSettings()}, &stock.Open{Term: 1},
		&stock.Create{Meta: stock.Meta{Key: "c1"}, Spec: spec}, place(cup, "k1", 3))
	spec.SKU, spec.Stock, spec.Mode = pot, 10, stock.ModeOnOrder
	out = append(out, run(book, 5, 6_000, &stock.Create{Meta: stock.Meta{Key: "c2"}, Spec: spec}, place(pot, "k2", 1))...)
	for i, o := range out {
		if o.Code == 0 || !o.Code.Executed() && o.Code != stock.OK {
			t.Fatalf("command %d: %+v", i, o)
		}
	}
	return book
}

func snapshotOf(t testing.TB, book *stock.Book) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := book.Cut().WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// stream reads a backup of a node to its end.
func (w *world) stream(node string) ([]byte, error) {
	s, err := w.nodes[node].Stream(context.Background())
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(s)
	return b, errors.Join(err, s.Close())
}

func (w *world) archive() []byte {
	w.t.Helper()
	b, err := w.stream("a")
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}
