package client

import (
	"bytes"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"holdfast/api"
	"holdfast/api/apitest"
	"holdfast/api/topology"
	"holdfast/stock"
)

// clustered returns a client of a server with a cluster.
func clustered(t *testing.T) (*Client, *apitest.Cluster) {
	t.Helper()
	cluster := apitest.NewCluster(func() topology.Moment { return topology.Moment{Time: time.UnixMilli(1_800_000_000_000)} })
	core := apitest.NewCore(func() stock.Time { return 1_800_000_000_000 })
	server, err := api.New(api.Config{Core: core, Cluster: cluster, Health: well{}})
	if err != nil {
		t.Fatal(err)
	}
	listening := httptest.NewServer(server.Admin())
	t.Cleanup(listening.Close)
	c, err := New(Config{AdminAddr: listening.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, cluster
}

type well struct{}

func (well) Ready() []api.Check { return nil }

// Every call on the cluster says what it is asked for and understands what comes back.
func TestClusterCalls(t *testing.T) {
	c, cluster := clustered(t)
	ctx := t.Context()
	o, err := c.Cluster(ctx)
	if err != nil || len(o.Nodes) != 3 || o.Meta.Leader != "n1" || o.Nodes[1].ClockOffsetMS == nil || *o.Nodes[1].ClockOffsetMS != 2 {
		t.Errorf("%+v %v", o, err)
	}
	if shards, err := c.Shards(ctx); err != nil || len(shards) != 4 || len(shards[0].Replicas) != 3 {
		t.Errorf("%+v %v", shards, err)
	}
	retention := int64(3_600_000)
	if s, err := c.UpdateSettings(ctx, topology.SettingsPatch{RetentionMS: &retention}); err != nil || s.RetentionMS != retention || s.MaxNodes != 7 {
		t.Errorf("%+v %v", s, err)
	}
	if led, err := c.Transfer(ctx, 2, "n3"); err != nil || led != (topology.Leadership{Shard: 2, Leader: "n3", Term: 6}) {
		t.Errorf("%+v %v", led, err)
	}
	if led, err := c.Transfer(ctx, 1, ""); err != nil || led.Leader == "" {
		t.Errorf("%+v %v", led, err)
	}
	if taken, err := c.Snapshot(ctx, 2); err != nil || taken.Index != 120 {
		t.Errorf("%+v %v", taken, err)
	}
	for _, begin := range []func(dryRun bool) (topology.Plan, error){
		func(dry bool) (topology.Plan, error) {
			return c.AddNode(ctx, topology.NewNode{ID: "n4", Peer: "a:1"}, dry)
		},
		func(dry bool) (topology.Plan, error) { return c.RemoveNode(ctx, "n3", dry) },
		func(dry bool) (topology.Plan, error) { return c.Balance(ctx, dry) },
		func(dry bool) (topology.Plan, error) { return c.Rebuild(ctx, 3, "n2", dry) },
	} {
		dry, err := begin(true)
		if err != nil || dry.Change != "" || len(dry.Plan) == 0 {
			t.Errorf("%+v %v", dry, err)
		}
		p, err := begin(false)
		if err != nil || !slices.Equal(p.Plan, dry.Plan) {
			t.Errorf("%+v %v", p, err)
		}
		if _, err := c.Balance(ctx, false); !IsRefused(err) || CodeOf(err) != "invalid_state" {
			t.Errorf("a second change: %v", err)
		}
		stopped, err := c.AbortChange(ctx, p.Change)
		if err != nil || stopped.State != topology.Aborted || stopped.BeganAt.IsZero() || stopped.EndedAt.IsZero() {
			t.Errorf("%+v %v", stopped, err)
		}
	}
	want := []string{"settings", "transfer 2 n3", "transfer 1 n3", "snapshot 2", "add n4 a:1", "remove n3", "balance", "rebuild 3 n2"}
	if calls := cluster.Calls(); !slices.Equal(calls, want) {
		t.Errorf("%q", calls)
	}
	if _, err := c.RemoveNode(ctx, "n/9 x", false); CodeOf(err) != "node_not_found" {
		t.Errorf("%v", err)
	}
}

// A backup comes whole or with an error, and never begins where it is refused.
func TestBackup(t *testing.T) {
	c, cluster := clustered(t)
	cluster.Archive = bytes.Repeat([]byte("backup! "), 50_000)
	var got bytes.Buffer
	if n, err := c.Backup(t.Context(), &got); err != nil || n != int64(got.Len()) || !bytes.Equal(got.Bytes(), cluster.Archive) {
		t.Errorf("%d bytes: %v", n, err)
	}
	cluster.Broken = true
	if n, err := c.Backup(t.Context(), &bytes.Buffer{}); err == nil || n >= int64(len(cluster.Archive)) {
		t.Errorf("a broken one: %d bytes: %v", n, err)
	}
	cluster.Refuse = topology.Refusal{Code: topology.NoLeader}
	if n, err := c.Backup(t.Context(), &bytes.Buffer{}); n != 0 || CodeOf(err) != "no_leader" || !IsNotExecuted(err) {
		t.Errorf("a refused one: %d bytes: %v", n, err)
	}
	nobody, err := New(Config{AdminAddr: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nobody.Backup(t.Context(), &bytes.Buffer{}); !IsUnreachable(err) || !IsNotExecuted(err) {
		t.Errorf("of nobody: %v", err)
	}
	nowhere, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nowhere.Backup(t.Context(), &bytes.Buffer{}); err == nil {
		t.Error("without an address")
	}
}
