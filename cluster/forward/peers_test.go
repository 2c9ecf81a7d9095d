package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"holdfast/cluster"
	"holdfast/stock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// loopback asks over real connections.
type loopback struct {
	*cluster.Peers
	addresses map[string]string
}

func (l loopback) Call(ctx context.Context, name, _ string, r cluster.Request) ([]byte, error) {
	return l.Peers.Call(ctx, name, l.addresses[name], r)
}

// overLoopback is a world of two nodes that speak to each other through real peer ports.
func overLoopback(t testing.TB, change ...func(*Config)) (*world, map[string]*cluster.Cluster) {
	t.Helper()
	ports, addresses := make(map[string]*cluster.Cluster), make(map[string]string)
	for _, name := range []string{"n1", "n2"} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addresses[name] = listener.Addr().String()
		ports[name], err = cluster.Open(cluster.Config{
			NodeID: name, ClusterID: [16]byte{1}, Dir: t.TempDir(), Listener: listener,
			Groups:     func(uint32) cluster.GroupLog { return nil },
			NewMachine: func(*cluster.Shard) (cluster.Machine, error) { return nil, errors.New("no machine") },
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t, 1, 2, append(change, func(c *Config) {
		c.Peers = loopback{ports[c.Local.(*node).name].Peers(), addresses}
	})...)
	for name, n := range w.nodes {
		for kind, h := range n.forward.Handlers() {
			ports[name].Peers().Handle(kind, h)
		}
	}
	t.Cleanup(func() {
		w.close()
		for _, c := range ports {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return w, ports
}

// Many callers at once, over one connection: every order is answered, and they travel together.
func TestManyCallersOverLoopback(t *testing.T) {
	reg := prometheus.NewRegistry()
	w, _ := overLoopback(t, func(c *Config) {
		if c.Incarnation == 1 {
			c.Registerer, c.MaxFrames = reg, 1
		}
	})
	const callers = 200
	w.create("shoe", callers)
	w.lead(w.shardOfSKU("shoe"), "n2")
	var wg sync.WaitGroup
	outs := make([]stock.Outcome, callers)
	for i := range callers {
		wg.Go(func() { outs[i] = w.nodes["n1"].ask(time.Minute, order(fmt.Sprint(i), 1)) })
	}
	wg.Wait()
	for i, out := range outs {
		if out.Code != stock.OK || out.Order.User != fmt.Sprint(i) {
			t.Fatalf("%d: %+v", i, out)
		}
	}
	frames := 0.0
	families, err := reg.Gather()
	for _, f := range families {
		if f.GetName() == "holdfast_forward_frames_total" {
			frames = f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	if err != nil || frames == 0 || frames >= callers {
		t.Errorf("%v frames for %d callers, %v", frames, callers, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	w.lead(3-w.shardOfSKU("shoe"), "n1")
	if skus, more, err := w.nodes["n1"].forward.SKUs(ctx, "", 10); err != nil || more || len(skus) != 1 || skus[0].Held != callers {
		t.Errorf("%+v, %v", skus, err)
	}
}

// What is not exactly a frame of this node's is refused, and nothing of it is executed.
func TestFramesAreHeldAgainstTheirCaller(t *testing.T) {
	w, _ := overLoopback(t)
	w.create("shoe", 5)
	id := w.shardOfSKU("shoe")
	w.lead(id, "n2")
	good := order("k", 1)
	good.Deadline = stock.TimeOf(time.Now().Add(time.Minute))
	unkeyed, undated, query := *good, *good, &stock.GetOutcome{SKU: "shoe", Caller: "other", Key: "k"}
	unkeyed.Key, undated.Deadline = "", 0
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	send := func(kind cluster.RequestKind, by string, body []byte) ([]byte, error) {
		return w.nodes["n1"].forward.cfg.Peers.Call(ctx, "n2", "", cluster.Request{Kind: kind, Caller: by, Attempt: 1, Body: body})
	}
	for name, row := range map[string]struct {
		by string
		q  requests
	}{
		"another caller": {"other", requests{id, []stock.Request{good}}}, "a query of another caller": {caller1, requests{id, []stock.Request{query}}},
		"another shard": {caller1, requests{3 - id, []stock.Request{good}}}, "no key": {caller1, requests{id, []stock.Request{&unkeyed}}},
		"no deadline": {caller1, requests{id, []stock.Request{&undated}}}, "nothing": {caller1, requests{id, nil}},
	} {
		if _, err := send(cluster.KindRequests, row.by, row.q.encoded(t)); !errors.Is(err, stock.ErrNotExecuted) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, kind := range []cluster.RequestKind{cluster.KindRequests, cluster.KindListing} {
		if _, err := send(kind, caller1, []byte("noise")); !errors.Is(err, stock.ErrNotExecuted) {
			t.Error(err)
		}
	}
	if w.entries["k"] != 0 {
		t.Error("something was executed")
	}
	w.lead(id, "n1")
	q := requests{id, []stock.Request{good}}
	body, err := send(cluster.KindRequests, caller1, q.encoded(t))
	if err != nil {
		t.Fatal(err)
	}
	if a, err := readAnswer(body); err != nil || a.verdict != verdictNoLeader || a.leader.node != "n1" || a.leader.term != 2 {
		t.Errorf("%+v, %v", a, err)
	}
	if w.nodes["n1"].asked != 0 {
		t.Error("the request went on to a second node")
	}
}

// A leader's node that goes away in the middle: what was with it goes to the next leader and is answered once.
func TestLeaderGoesAwayOverLoopback(t *testing.T) {
	w, ports := overLoopback(t)
	const callers = 50
	w.create("shoe", callers)
	id := w.shardOfSKU("shoe")
	w.lead(id, "n2")
	w.nodes["n2"].stop()
	outs := make(chan stock.Outcome, callers)
	for i := range callers {
		go func() { outs <- w.nodes["n1"].ask(time.Minute, order(fmt.Sprint(i), 1)) }()
	}
	if err := ports["n2"].Close(); err != nil {
		t.Fatal(err)
	}
	w.lead(id, "n1")
	for range callers {
		if out := <-outs; out.Code != stock.OK || out.Replayed {
			t.Errorf("%+v", out)
		}
	}
}

// idle is a gateway that leads everything and does nothing.
type idle struct{ *node }

func (idle) Leads(stock.Partition) bool { return true }

func (idle) Do(context.Context, stock.Request) stock.Outcome { return stock.Outcome{Code: stock.OK} }

func (idle) DoAll(_ context.Context, rs []stock.Request) []stock.Outcome {
	return repeated(len(rs), stock.Outcome{Code: stock.OK})
}

// All is led here: what a Forwarder adds to a call of the gateway, beside the gateway alone.
func BenchmarkAllHere(b *testing.B) {
	w := newWorld(b, 1, 1, func(c *Config) { c.Local = idle{c.Local.(*node)} })
	defer w.close()
	f := w.nodes["n1"].forward
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	for _, n := range []int{1, 100} {
		rs := make([]stock.Request, n)
		for i := range rs {
			rs[i] = order(fmt.Sprint(i), 1)
		}
		b.Run(fmt.Sprintf("via=gateway/requests=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f.cfg.Local.DoAll(ctx, rs)
			}
		})
		b.Run(fmt.Sprintf("via=forwarder/requests=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f.DoAll(ctx, rs)
			}
		})
	}
}

// A call whose requests are all led here allocates no more than the gateway does.
func TestAllHereAllocatesNothing(t *testing.T) {
	w := newWorld(t, 1, 1, func(c *Config) { c.Local = idle{c.Local.(*node)} })
	defer w.close()
	f := w.nodes["n1"].forward
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	rs := []stock.Request{order("a", 1), order("b", 1)}
	alone := testing.AllocsPerRun(100, func() { f.cfg.Local.DoAll(ctx, rs) })
	if got := testing.AllocsPerRun(100, func() { f.DoAll(ctx, rs) }); got != alone {
		t.Errorf("%v allocations, the gateway alone %v", got, alone)
	}
	if got := testing.AllocsPerRun(100, func() { f.Do(ctx, rs[0]) }); got != 0 {
		t.Errorf("%v allocations for one request", got)
	}
}
