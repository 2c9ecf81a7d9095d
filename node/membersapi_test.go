package node

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"holdfast/api/client"
	"holdfast/api/topology"
)

// refused wants a problem with a status and code, and a way out in its detail.
func refused(t *testing.T, what string, err error, status int, code, state, detail string) {
	t.Helper()
	p, ok := err.(*client.Problem)
	if !ok || p.Status != status || p.Code != code || p.State != state || !strings.Contains(p.Detail, detail) {
		t.Errorf("%s: %v (%+v)", what, err, p)
	}
}

// What members refuse, over HTTP and through any node: nothing changes, and the answer says what to do.
func TestWhatAClusterRefuses(t *testing.T) {
	t.Parallel()
	f := fleetOf(t, 3, nil)
	c, ctx := f.client("n2"), t.Context()
	version := f.node("n1").control.Cluster().Version
	for _, shard := range []uint32{0, 5} {
		_, err := c.Transfer(ctx, shard, "")
		refused(t, fmt.Sprint("transfer of shard ", shard), err, http.StatusNotFound, "shard_not_found", "", "")
		_, err = c.Snapshot(ctx, shard)
		refused(t, fmt.Sprint("snapshot of shard ", shard), err, http.StatusNotFound, "shard_not_found", "", "")
		_, err = c.Rebuild(ctx, shard, "n3", false)
		refused(t, fmt.Sprint("rebuild of shard ", shard), err, http.StatusNotFound, "shard_not_found", "", "")
	}
	_, err := c.Transfer(ctx, 1, "n9")
	refused(t, "transfer to nobody", err, http.StatusNotFound, "node_not_found", "", "n9")
	_, err = c.RemoveNode(ctx, "n9", false)
	refused(t, "remove nobody", err, http.StatusNotFound, "node_not_found", "", "n9")
	_, err = c.Rebuild(ctx, 1, "n9", false)
	refused(t, "rebuild at nobody", err, http.StatusNotFound, "node_not_found", "", "n9")
	_, err = c.AddNode(ctx, topology.NewNode{ID: "n9", Peer: "127.0.0.1:1"}, false)
	refused(t, "add a node that never joined", err, http.StatusNotFound, "node_not_found", "", "n9")
	_, err = c.AbortChange(ctx, "c999")
	refused(t, "abort nothing", err, http.StatusNotFound, "change_not_found", "", "c999")
	if now := f.node("n1").control.Cluster().Version; now != version {
		t.Errorf("the table went from %d to %d", version, now)
	}
}

// A dry run shows the plan that the change then has, and changes nothing.
func TestDryRunsChangeNothing(t *testing.T) {
	t.Parallel()
	f := fleetOf(t, 4, nil)
	c, ctx := f.client("n3"), t.Context()
	before, _ := c.Shards(ctx)
	version := f.node("n1").control.Cluster().Version
	for what, plan := range map[string]func(bool) (topology.Plan, error){
		"remove":  func(dry bool) (topology.Plan, error) { return c.RemoveNode(ctx, "n2", dry) },
		"rebuild": func(dry bool) (topology.Plan, error) { return c.Rebuild(ctx, 1, before[0].Replicas[0].Node, dry) },
		"add": func(dry bool) (topology.Plan, error) {
			return c.AddNode(ctx, topology.NewNode{ID: "n9", Peer: "127.0.0.1:1"}, dry)
		},
	} {
		p, err := plan(true)
		if err != nil || len(p.Plan) == 0 || p.Change != "" {
			t.Errorf("%s: %+v %v", what, p, err)
		}
	}
	if p, err := c.Balance(ctx, true); err != nil || p.Change != "" {
		t.Errorf("balance: %+v %v", p, err)
	}
	if now := f.node("n1").control.Cluster().Version; now != version {
		t.Errorf("the table went from %d to %d", version, now)
	}
	dry, err := c.RemoveNode(ctx, "n2", true)
	if err != nil {
		t.Fatal(err)
	}
	real, err := c.RemoveNode(ctx, "n2", false)
	if err != nil || !slices.Equal(dry.Plan, real.Plan) || real.Change == "" {
		t.Fatalf("shown %q, begun %q: %v", dry.Plan, real.Plan, err)
	}
	_, err = c.RemoveNode(ctx, "n4", false)
	if p, ok := err.(*client.Problem); !ok || p.State != "change_under_way" {
		// It may have ended already: two nodes cannot be left by it then.
		t.Logf("a second change: %v", err)
	}
	if done := f.changed("n3", real.Change); done.State != topology.Completed {
		t.Errorf("%+v", done)
	}
}

// A change of the settings is answered when every shard has taken it over, whoever leads it.
func TestSettingsReachEveryShard(t *testing.T) {
	t.Parallel()
	f := fleetOf(t, 3, nil)
	for shard, to := range map[uint32]string{1: "n1", 2: "n2", 3: "n3"} {
		if _, err := f.client("n1").Transfer(t.Context(), shard, to); err != nil {
			t.Fatal(err)
		}
	}
	want, open := int64(7_200_000), int64(3)
	got, err := f.client("n2").UpdateSettings(t.Context(), topology.SettingsPatch{RetentionMS: &want, MaxOpenOrdersPerSKU: &open})
	if err != nil || got.RetentionMS != want || got.MaxOpenOrdersPerSKU != open {
		t.Fatalf("%+v %v", got, err)
	}
	for i := range 8 {
		sku := fmt.Sprintf("sku-%d", i)
		if _, err := f.client("n1").CreateSKU(t.Context(), client.SKUSpec{SKU: sku, Stock: 10}); err != nil {
			t.Fatal(err)
		}
		for n := range 4 {
			_, err := f.client("n3").PlaceOrder(t.Context(), fmt.Sprint(n), client.NewOrder{SKU: sku, User: fmt.Sprint(n)})
			if (err == nil) != (n < 3) {
				t.Fatalf("%s, order %d of at most 3: %v", sku, n, err)
			}
		}
	}
	for _, n := range f.running() {
		for _, r := range n.Replicas() {
			if set := r.Settings(); set.RetentionMS != want || set.MaxOpenOrders != open {
				t.Errorf("%s, shard %d: %+v", n.cfg.NodeID, r.Shard(), set)
			}
		}
	}
}
