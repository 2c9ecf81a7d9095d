package node

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/api/client"
	"holdfast/stock"
	"holdfast/storage"
	"holdfast/wal"
)

// An entry that this build does not know stops its shard, which names it and never skips it; the other shards go on (rules R1, R17).
func TestUnknownEntryKeepsTheShardDown(t *testing.T) {
	n := open(t, config(t.TempDir()))
	defer n.Close()
	ctx := context.Background()
	c := n.client(t)
	bad, good := skuOfShard(t, n, 1), skuOfShard(t, n, 2)
	for _, sku := range []string{bad, good} {
		if _, err := c.CreateSKU(ctx, client.SKUSpec{SKU: sku, Stock: 5}); err != nil {
			t.Fatal(err)
		}
	}
	n.cluster.Shard(1).Propose([]byte("not a proposal of this format, nor of any other"), func(error) {})
	await(t, "shard 1 stays down and says why", func() bool {
		check := n.shardCheck(n.shards[0])
		return !check.OK && strings.Contains(check.Detail, "the same entry failed twice")
	})
	if _, err := c.PlaceOrder(ctx, "k1", client.NewOrder{SKU: bad, User: "u"}); !client.IsNotExecuted(err) {
		t.Errorf("an order of the shard that is down: %v", err)
	}
	if _, err := c.PlaceOrder(ctx, "k2", client.NewOrder{SKU: good, User: "u"}); err != nil {
		t.Errorf("an order of another shard: %v", err)
	}
}

func skuOfShard(t testing.TB, n *Node, shard uint32) string {
	t.Helper()
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "o", "p", "q", "r", "s", "u", "v"} {
		if n.cluster.ShardOf(stock.PartitionOf(name)).ID() == shard {
			return name
		}
	}
	t.Fatalf("no name belongs to shard %d", shard)
	return ""
}

// A replica that leaves its group comes back from snapshot and log with the same state, and nobody hangs meanwhile.
func TestReplicaIsRebuilt(t *testing.T) {
	n := open(t, config(t.TempDir()))
	defer drain(t, n)
	ctx := context.Background()
	c := n.client(t)
	sku := skuOfShard(t, n, 3)
	if _, err := c.CreateSKU(ctx, client.SKUSpec{SKU: sku, Stock: 1000, Hot: true}); err != nil {
		t.Fatal(err)
	}
	if len(crowd(t, c, sku, "a", 100)) != 100 {
		t.Fatal("not all were accepted")
	}
	if _, _, err := n.cluster.Shard(3).Snapshot(ctx); err != nil {
		t.Fatal(err)
	}
	if len(crowd(t, c, sku, "b", 100)) != 100 {
		t.Fatal("not all were accepted")
	}
	old := n.shards[2].replica.Load()
	n.cluster.Shard(3).Fail(0, errors.New("for the test"))
	await(t, "another replica opens", func() bool {
		r := n.shards[2].replica.Load()
		return r != old && r.Term() != 0
	})
	sum, err := c.SKU(ctx, sku)
	if err != nil || sum.Held != 200 {
		t.Errorf("%+v %v", sum, err)
	}
	if len(crowd(t, c, sku, "c", 100)) != 100 {
		t.Error("not all were accepted after the rebuild")
	}
}

// A clock that is behind the log's time is refused before anything is sold, unless it is accepted.
func TestRefusesAWrongClock(t *testing.T) {
	dir := t.TempDir()
	n := open(t, config(dir))
	if _, err := n.client(t).CreateSKU(context.Background(), client.SKUSpec{SKU: "shoe", Stock: 10}); err != nil {
		t.Fatal(err)
	}
	drain(t, n)
	cfg := config(dir)
	cfg.MaxDowntime = time.Nanosecond
	if _, err := Open(context.Background(), cfg); ExitCode(err) != 1 || !strings.Contains(err.Error(), "--accept-clock") {
		t.Fatalf("exit %d: %v", ExitCode(err), err)
	}
	cfg.AcceptClock = true
	drain(t, open(t, cfg))
}

func TestExitCodes(t *testing.T) {
	for err, code := range map[error]int{
		nil: 0, ErrListen: 1, ErrDataDir: 1, wal.ErrLocked: 1, wal.ErrNewerFormat: 1, errors.Join(ErrDataDir, syscall.ENOSPC): 1, errors.Join(wal.ErrFailed, syscall.ENOSPC): 4,
		ErrConfig: 2, wal.ErrConfig: 2, wal.ErrFailed: 4, wal.ErrStalled: 4, wal.ErrCorrupt: 4,
	} {
		if got := ExitCode(err); got != code {
			t.Errorf("%v: exit %d, want %d", err, got, code)
		}
	}
}

// A database that does not answer does not hold a node that drains; what is left is flushed after the next start.
func TestDeadSinkDoesNotHoldTheDrain(t *testing.T) {
	dir := t.TempDir()
	cfg := config(dir)
	cfg.Sink = "postgres://nobody@127.0.0.1:1/none?connect_timeout=1"
	n := open(t, cfg)
	c := n.client(t)
	if _, err := c.CreateSKU(context.Background(), client.SKUSpec{SKU: "shoe", Stock: 100}); err != nil {
		t.Fatal(err)
	}
	if len(crowd(t, c, "shoe", "a", 50)) != 50 {
		t.Fatal("not all were accepted")
	}
	await(t, "storage says that it fails", func() bool { return n.flusher.Status()[0].Failing })
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := n.Drain(ctx); !errors.Is(err, storage.ErrNotFlushed) {
		t.Errorf("the drain says %v", err)
	}
	if ctx.Err() != nil {
		t.Error("the drain took the whole of its time")
	}
	cfg.Sink = "sqlite"
	checkStorage(t, open(t, cfg), dir)
}

func publicConnections(t *testing.T, n *Node) float64 {
	t.Helper()
	families, err := n.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "holdfast_api_connections" && m.GetLabel()[0].GetValue() == "public" {
				return m.GetGauge().GetValue()
			}
		}
	}
	return 0
}

// Connections that say nothing use up their half of the drain's time, and not that of storage.
func TestSilentCallersLeaveStorageItsTime(t *testing.T) {
	n := open(t, config(t.TempDir()))
	if _, err := n.client(t).CreateSKU(context.Background(), client.SKUSpec{SKU: "shoe", Stock: 1}); err != nil {
		t.Fatal(err)
	}
	silent, err := net.Dial("tcp", n.Addrs().HTTP)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	await(t, "the connection is there", func() bool { return publicConnections(t, n) > 0 })
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := n.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, storage.ErrNotFlushed) {
		t.Errorf("the drain says %v", err)
	}
}
