package node

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"holdfast/api/client"
	"holdfast/node/historytest"
)

var (
	historyTime = flag.Duration("historytime", 3*time.Second, "how long TestHistoriesAreLinearizable trades")
	historySeed = flag.Uint64("historyseed", 0, "seed of TestHistoriesAreLinearizable; 0: a fresh one")
)

// unrest disturbs the shards of some SKUs: leadership is handed over, and replicas, of leaders and followers, leave their groups and are rebuilt.
type unrest struct {
	t                 *testing.T
	nodes             []*Node
	dice              *rand.Rand
	transfers, faults int
}

func (u *unrest) disturb(ctx context.Context, sku string) {
	shard, leader := core{n: u.nodes[0]}.Locate(sku)
	switch u.dice.IntN(3) {
	case 0:
		_, refused := topologist{u.nodes[u.dice.IntN(3)]}.Transfer(ctx, "", shard, "")
		if !refused.Refused() {
			u.transfers++
		}
	case 1:
		for _, n := range u.nodes {
			if n.cfg.NodeID == leader {
				n.cluster.Shard(shard).Fail(0, errors.New("the leader's, for the test"))
				u.faults++
			}
		}
	default:
		u.nodes[u.dice.IntN(3)].cluster.Shard(shard).Fail(0, errors.New("for the test"))
		u.faults++
	}
}

// Whatever callers of three nodes see while leadership moves and replicas fail, one order of their calls explains all of it: nothing oversold or lost, no
// read, refusal or outcome that was out of date, no key that counted twice.
func TestHistoriesAreLinearizable(t *testing.T) {
	seed := *historySeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("run it again: go test ./node -run %s -args -historytime %s -historyseed %d", t.Name(), *historyTime, seed)
	nodes := three(t)
	defer func() {
		for i := len(nodes) - 1; i >= 0; i-- {
			drain(t, nodes[i])
		}
	}()
	settled(t, nodes[0])
	specs := []historytest.Spec{
		{SKU: "many", Stock: 100_000}, {SKU: "few", Stock: 15}, {SKU: "each", Stock: 40, LimitPerUser: 3}, {SKU: "at-once", Stock: 60, Mode: "on_order"},
	}
	r := historytest.NewRecorder()
	traders := historytest.Traders{Specs: specs, Workers: 8, Pace: 4 * time.Millisecond, Patience: 4 * time.Second, Seed: seed, Prefix: "t"}
	for _, n := range nodes {
		c := n.client(t)
		defer c.Close()
		traders.Clients = append(traders.Clients, r.Client(c), r.Client(c.Retrying(client.Policy{AttemptTimeout: time.Second})))
	}
	for _, s := range specs {
		spec := client.SKUSpec{SKU: s.SKU, Stock: s.Stock, Mode: s.Mode, LimitPerUser: s.LimitPerUser, HoldTTLMS: time.Hour.Milliseconds()}
		if _, err := nodes[0].client(t).CreateSKU(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	u := &unrest{t: t, nodes: nodes, dice: rand.New(rand.NewPCG(seed, 9))}
	ctx, cancel := context.WithTimeout(t.Context(), *historyTime)
	defer cancel()
	trading, stopTrading := context.WithCancel(t.Context())
	defer stopTrading()
	over := make(chan struct{})
	go func() {
		defer close(over)
		traders.Run(trading)
	}()
	tick := time.NewTicker(350 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ctx.Err() == nil; i++ {
		u.disturb(ctx, specs[i%len(specs)].SKU)
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	await(t, "there is something to judge", func() bool {
		calls, _ := traders.Refused()
		return calls >= 100
	})
	stopTrading()
	<-over
	settled(t, nodes[0])
	end, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	r.Resolve(end, t, r.Client(nodes[0].client(t).Retrying(client.Policy{})), specs...)
	r.Check(t, 30*time.Second, specs...)
	if u.transfers+u.faults == 0 {
		t.Error("no leader was disturbed")
	}
	calls, codes := traders.Refused()
	t.Logf("%d transfers, %d replicas failed; of %d calls %s", u.transfers, u.faults, calls, fmt.Sprint(codes))
}
