package cluster

import (
	"fmt"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/cluster/placement"
	"holdfast/stock"
)

func TestOneNodeCommitsAndComesBackFromItsLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		four := func(c *Config) { c.Shards = 4 }
		c := g.open(four)
		for _, s := range c.Shards() {
			g.mustPropose(s, fmt.Sprint("a", s.ID()), fmt.Sprint("b", s.ID()))
			if s.Leader() != "n1" || !s.Leads(s.Term()) || s.Leads(s.Term()+1) || s.Fault() != nil {
				t.Errorf("shard %d: leader %q, term %d, fault %v", s.ID(), s.Leader(), s.Term(), s.Fault())
			}
		}
		term := c.Shard(1).Term()
		g.close()
		c = g.open(four)
		defer g.close()
		for _, s := range c.Shards() {
			want := []string{fmt.Sprint("a", s.ID()), fmt.Sprint("b", s.ID())}
			eventually(t, "the log is applied again", func() bool { return slices.Equal(g.machine(s.ID()).applied(), want) })
		}
		if got := c.Shard(1).Term(); got <= term {
			t.Errorf("term %d after %d", got, term)
		}
	})
}

func TestEveryPartitionIsRoutedToItsShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		c := g.open(func(c *Config) { c.Shards = 4 })
		defer g.close()
		owner := make(map[stock.Partition]uint32)
		for p, id := range placement.Partitions(4) {
			owner[stock.Partition(p)] = id
			if s := c.ShardOf(stock.Partition(p)); s == nil || s.ID() != id || c.ShardIDOf(stock.Partition(p)) != id {
				t.Fatalf("partition %d is not routed to shard %d", p, id)
			}
		}
		shard, leader := c.Locate("sneaker")
		if want := owner[stock.PartitionOf("sneaker")]; shard != want || leader != "n1" {
			t.Errorf("Locate: shard %d led by %q, want %d led by n1", shard, leader, want)
		}
		if c.Shard(0) != nil || c.Shard(5) != nil {
			t.Error("there is a shard beside 1 to 4")
		}
	})
}

func TestOverRealSocketsAndFilesALeaderIsThereSoon(t *testing.T) {
	g := newRig(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	g.open(func(c *Config) {
		c.Shards, c.Listener, c.FS, c.Dir, c.Dial = 4, listener, nil, t.TempDir()+"/a/b", nil
		c.HeartbeatTimeout = time.Minute // Whoever waits for it fails here.
	})
	t.Logf("open to four leaders: %v", time.Since(start))
	g.mustPropose(g.cluster.Shard(2), "x")
	g.close()
}
