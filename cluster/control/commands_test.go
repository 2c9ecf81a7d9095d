package control

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/cluster"
	"holdfast/cluster/meta"
	"holdfast/stock"
)

func setMaxNodes(n int64) *meta.SetSettings {
	return &meta.SetSettings{Patch: meta.SettingsPatch{MaxNodes: &n}}
}

// Commands given at any node, some with lost verdicts, take effect once each, and the answer is the one of the log.
func TestCommandsTakeEffectOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t, 1)
		defer w.close()
		w.set(func() { w.lossy = 30 })
		version := w.node("n1").control.Cluster().Version
		var wg sync.WaitGroup
		const each = 20
		for at, id := range w.names() {
			c := w.node(id).control
			wg.Go(func() {
				for i := range each {
					ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
					retention := int64(100_000 + 1000*at + i) // No two set the same.
					out, err := c.Do(ctx, &meta.SetSettings{Patch: meta.SettingsPatch{RetentionMS: &retention}})
					cancel()
					if err != nil || out.Code != meta.OK {
						t.Errorf("%s: %v %v", c.Self(), out.Text(), err)
					}
				}
			})
		}
		wg.Wait()
		w.set(func() { w.lossy = 0 })
		// Each command raises the version once; one that took effect again, after another, would raise it again.
		<-time.After(5 * time.Second)
		for _, id := range w.names() {
			table := w.node(id).control.Cluster()
			if n := table.Version - version; n != 3*each {
				t.Errorf("%s: %d effects of %d commands", id, n, 3*each)
			}
		}
		if w.logged() <= 3*each {
			t.Error("no command was sent twice: nothing was lost")
		}
	})
}

// A command that cannot have entered a log is not executed; one that may have is unknown, and stays so.
func TestWhatIsUnknownStaysUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t, 1)
		defer w.close()
		asks := "n1"
		if w.leader(0) == "n1" {
			asks = "n2"
		}
		c := w.node(asks).control
		w.set(func() { w.lossy = 100 })
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		cmd := setMaxNodes(20)
		if _, err := c.Do(ctx, cmd); !errors.Is(err, stock.ErrUnknown) || errors.Is(err, stock.ErrNotExecuted) {
			t.Errorf("all answers lost: %v", err)
		}
		if cmd.Key == "" || cmd.Deadline == 0 {
			t.Error("the command does not say under which key it was sent")
		}
		w.set(func() { w.lossy = 0 })
		if out, err := c.Do(t.Context(), cmd); err != nil || out.Code != meta.OK {
			t.Errorf("asked again: %v %v", out.Text(), err)
		}
		for _, id := range w.names() {
			if id != asks {
				w.node(id).crash()
			}
		}
		<-time.After(5 * time.Second)
		if _, err := c.Do(t.Context(), setMaxNodes(21)); !errors.Is(err, stock.ErrNotExecuted) || errors.Is(err, stock.ErrUnknown) {
			t.Errorf("nobody leads: %v", err)
		}
	})
}

// More commands than the bound are refused at once.
func TestCommandsAreBounded(t *testing.T) {
	w := newWaiting(2)
	first, _ := w.enter(&meta.Keyed{Key: "a"})
	second, ok := w.enter(&meta.Keyed{Key: "a"})
	if _, more := w.enter(&meta.Keyed{Key: "b"}); !ok || more {
		t.Fatalf("entered %v, and beyond the bound %v", ok, more)
	}
	w.tell(&meta.Keyed{Key: "a", Caller: "other"}, meta.Outcome{Code: meta.OK})
	w.tell(&meta.Keyed{Key: "a"}, meta.Outcome{Code: meta.StalePlan})
	w.tell(&meta.Keyed{Key: "a"}, meta.Outcome{Code: meta.OK})
	if a, b := <-first, <-second; a.Code != meta.StalePlan || b.Code != meta.StalePlan {
		t.Errorf("told %v and %v", a, b)
	}
	w.leave(&meta.Keyed{Key: "a"}, first)
	w.leave(&meta.Keyed{Key: "a"}, first)
	w.leave(&meta.Keyed{Key: "a"}, second)
	if w.count != 0 || len(w.of) != 0 {
		t.Errorf("left with %d, %v", w.count, w.of)
	}
}

// A node is refused with the way out, and the same node is taken twice as once.
func TestJoinIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t, 1)
		defer w.close()
		limit := int64(3)
		try := func(change func(*JoinConfig)) error {
			cfg := JoinConfig{
				NodeID: "n9", Incarnation: 90, Addresses: meta.Addresses{Peer: "n9:1"}, Binary: build(), Among: []string{"n3:1"},
				Timeout: 5 * time.Second,
			}
			change(&cfg)
			cfg.Ask = w.askToJoin(cfg.NodeID)
			_, err := Join(t.Context(), cfg)
			return err
		}
		if err := try(func(c *JoinConfig) { c.NodeID, c.Incarnation, c.Peer = "n2", w.node("n2").inc, "n2:1" }); err != nil {
			t.Errorf("the same node again: %v", err)
		}
		if err := try(func(c *JoinConfig) { c.Among = []string{"n7:1"} }); !errors.Is(err, ErrNobodyToJoin) {
			t.Errorf("nobody there: %v", err)
		}
		cases := []struct {
			name   string
			change func(*JoinConfig)
			code   meta.Code
			says   string
		}{
			{"a known id on an empty disk", func(c *JoinConfig) { c.NodeID = "n2" }, meta.NodeExists, "new id"},
			{"another cluster's id", func(c *JoinConfig) { c.ClusterID = [16]byte{8} }, meta.OtherCluster, "empty data directory"},
			{"an address that another has", func(c *JoinConfig) { c.Peer = "n1:1" }, meta.DuplicateAddress, "--advertise-peer"},
			{"an address that is none", func(c *JoinConfig) { c.Peer = "n9" }, meta.InvalidValue, "host:port"},
			{"too many nodes", func(*JoinConfig) {}, meta.TooManyNodes, "max_nodes"},
		}
		for i, c := range cases {
			if i == len(cases)-1 {
				limitNodes(t, w, limit)
			}
			err := try(c.change)
			var refusal *Refusal
			if !errors.As(err, &refusal) || refusal.Outcome.Code != c.code || !strings.Contains(err.Error(), c.says) || !errors.Is(err, ErrJoinRefused) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	})
}

func limitNodes(t *testing.T, w *world, limit int64) {
	t.Helper()
	if _, out, err := w.node("n2").control.SetSettings(t.Context(), meta.SettingsPatch{MaxNodes: &limit}); err != nil || out.Code != meta.OK {
		t.Fatal(out.Text(), err)
	}
}

// The machine goes on from a snapshot where the other one was; what it cannot know stops it, and the entry is named.
func TestMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t, 1)
		defer w.close()
		m := w.node("n1").machine.(*machine)
		index, term, last := m.position()
		cut, err := m.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := cut.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		cut.Release()
		other, err := New(Config{NodeID: "n1", Incarnation: 1, ClusterID: clusterID})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		again := other.Machine().(*machine)
		if err := again.Restore(bytes.NewReader(b.Bytes())); err != nil {
			t.Fatal(err)
		}
		if i, at, now := again.position(); i != index || at != term || now != last || other.Cluster().Version != m.shown.Load().Version {
			t.Errorf("restored at %d of term %d", i, at)
		}
		err = again.Apply([]cluster.Entry{{Index: index + 1, Term: term}, {Index: index + 2, Term: term, Data: []byte{9}}})
		var named interface{ EntryIndex() uint64 }
		if !errors.Is(err, meta.ErrUnknownCommand) || !errors.As(err, &named) || named.EntryIndex() != index+2 {
			t.Errorf("an unknown entry: %v", err)
		}
		for at := range b.Len() {
			if err := again.Restore(bytes.NewReader(b.Bytes()[:at])); err == nil {
				t.Fatalf("restored from %d of %d bytes", at, b.Len())
			}
		}
	})
}

// Every node says where it is reached and what it runs when the table says otherwise.
func TestNodeTellsWhereItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t, 1)
		defer w.close()
		n := w.node("n2")
		n.crash()
		w.set(func() { n.http = "h:8080" })
		n.start()
		w.reaches("the table has it", func() bool { return w.node("n3").control.Cluster().Node("n2").HTTP == "h:8080" })
		before := w.logged()
		<-time.After(time.Minute)
		if after := w.logged(); after != before {
			t.Errorf("%d entries more", after-before)
		}
	})
}

// Clocks agree when a majority's are near, and a leader of the meta group whose clock is off gives leadership away (rule R2).
func TestClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 1)
		defer w.close()
		w.node("n3").skew = 2 * time.Second
		for _, id := range []string{"n2", "n3"} {
			if err := w.join(id, "n1:1"); err != nil {
				t.Fatal(err)
			}
		}
		w.reaches("three nodes", func() bool { return w.settled(3) })
		for _, c := range []struct {
			node   string
			skew   time.Duration
			agrees bool
		}{{"n1", time.Second, true}, {"n2", 100 * time.Millisecond, true}, {"n3", time.Second, false}, {"n3", 3 * time.Second, true}} {
			if err := w.node(c.node).control.ClocksAgree(t.Context(), 1, c.skew); (err == nil) != c.agrees || err != nil && !errors.Is(err, ErrClocks) {
				t.Errorf("%s within %v: %v", c.node, c.skew, err)
			}
		}
		for _, s := range w.node("n1").control.Nodes() {
			if s.Node == "n3" && (s.Clock-2*time.Second).Abs() > s.ClockError {
				t.Errorf("n3's clock is %v ahead, %v to either side", s.Clock, s.ClockError)
			}
		}
		if _, err := w.node("n1").control.Transfer(t.Context(), 0, "n3"); err != nil {
			t.Fatal(err)
		}
		w.reaches("another leads", func() bool { return w.leader(0) != "n3" && w.leader(0) != "" })
		if out, err := w.node("n3").control.Do(t.Context(), setMaxNodes(9)); err != nil || out.Code != meta.OK {
			t.Errorf("%v %v", out.Text(), err)
		}
	})
}

// Whoever is about to lead waits for no clock that it can do without: not for that of a node that stands still while a majority agrees, and for none
// when nobody wants to know any more.
func TestClocksOfNodesThatStandStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t, 1)
		defer w.close()
		c := w.node("n2").control
		still := func(node string) {
			w.set(func() { clear(w.nodes[node].serving) }) // It is asked, and says nothing.
			<-time.After(c.cfg.ExchangeTimeout)            // What it was asked before is over.
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, id := range []string{"n1", "n3"} {
				c.peerLocked(id).tries, c.peerLocked(id).status.ClockAt = nil, time.Time{}
			}
		}
		still("n1")
		began := time.Now()
		if err := c.ClocksAgree(t.Context(), 1, time.Second); err != nil || time.Since(began) >= c.cfg.ExchangeTimeout/2 {
			t.Errorf("with one node that stands still: %v after %v", err, time.Since(began))
		}
		still("n3")
		const patience = 300 * time.Millisecond
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		began = time.Now()
		if err := c.ClocksAgree(ctx, 1, time.Second); !errors.Is(err, ErrClocks) || time.Since(began) != patience {
			t.Errorf("with two, for %v: %v after %v", patience, err, time.Since(began))
		}
	})
}

// Leadership goes where it is sent, and a snapshot is taken where the leader is.
func TestTransferAndSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t, 2)
		defer w.close()
		if err := w.join("n4", "n1:1"); err != nil {
			t.Fatal(err)
		}
		w.reaches("four nodes", func() bool { return w.settled(4) })
		c := w.node("n2").control
		for _, to := range []string{"n1", "n2", "n3"} {
			if led, err := c.Transfer(t.Context(), 0, to); err != nil || led != to || w.leader(0) != to {
				t.Errorf("transfer to %s: %s, %v", to, led, err)
			}
		}
		for to, want := range map[string]error{"n4": ErrNotEligible, "n9": ErrUnknownNode} { // a learner, and nobody
			if _, err := c.Transfer(t.Context(), 0, to); !errors.Is(err, want) || !errors.Is(err, stock.ErrNotExecuted) {
				t.Errorf("transfer to %s: %v", to, err)
			}
		}
		_, _, err := c.Snapshot(t.Context(), 9)
		if _, of := c.Transfer(t.Context(), 9, ""); !errors.Is(of, ErrUnknownShard) || !errors.Is(err, ErrUnknownShard) {
			t.Errorf("a shard that is none: %v, %v", of, err)
		}
		was := w.leader(1)
		if led, err := c.Transfer(t.Context(), 1, ""); err != nil || led == was || led == "" {
			t.Errorf("transfer to anybody: %s, %v", led, err)
		}
		for shard := range uint32(3) {
			if index, size, err := c.Snapshot(t.Context(), shard); err != nil || index == 0 || size != 100 {
				t.Errorf("snapshot of %d: %d, %d, %v", shard, index, size, err)
			}
		}
		both := w.votesInAll(1, 2)
		for _, shard := range []uint32{1, 2} {
			if _, err := c.Transfer(t.Context(), shard, both); err != nil {
				t.Fatal(err)
			}
		}
		answer, out, err := c.Balance(t.Context(), false)
		if err != nil || out.Code != meta.OK || answer.Change == "" {
			t.Fatalf("balance: %+v %v %v", answer, out, err)
		}
		w.reaches("balanced", func() bool { return w.settled(4) && w.leader(1) != w.leader(2) })
		if answer, out, err := c.Balance(t.Context(), false); err != nil || out.Code != meta.OK || answer.Change != "" || len(answer.Plan) > 0 {
			t.Errorf("balance what is even: %+v %v %v", answer, out, err)
		}
	})
}

// votesInAll returns a node that votes in all of these shards.
func (w *world) votesInAll(shards ...uint32) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	votes := map[string]int{}
	for _, shard := range shards {
		for _, m := range w.groups[shard].config.Members {
			if m.Role == meta.Voter {
				votes[m.Node]++
			}
		}
	}
	for node, n := range votes {
		if n == len(shards) {
			return node
		}
	}
	return ""
}
