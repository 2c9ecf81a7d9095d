package main

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"holdfast/api/client"
	"holdfast/cmd/holdfast/fleettest"
	"holdfast/node/historytest"
)

var (
	cutRounds = flag.Int("cutrounds", 1, "how often each way to cut a leader off is tried")
	cutTime   = flag.Duration("cuttime", 1200*time.Millisecond, "how long a leader stays cut off after others sell")
)

const (
	// cutPatience is how long callers wait for an answer.
	cutPatience = time.Second
	fewUnits    = 6
)

// severed is a fleet in a network that can be cut.
type severed struct {
	t     *testing.T
	net   *network
	fleet *fleettest.Fleet
	seen  *witness
	specs []historytest.Spec
	many  []string // SKUs with plenty of stock
	// few is scarce: it sells out, and units come back by cancellation, unless that got lost in a cut.
	few string
}

func startSevered(t *testing.T, nodes int) *severed {
	s := &severed{t: t, net: newNetwork(t, nodes), seen: newWitness(t)}
	s.fleet = fleettest.Start(t, fleettest.Options{
		Nodes: nodes, Args: []string{"--insecure"}, AddrsOf: s.net.addrs, Prefix: s.net.prefix, Observe: s.seen.observe,
	})
	s.fleet.AwaitSettled(settleWithin)
	s.many = s.fleet.CreateSKUs(4, plentyOf)
	for _, sku := range s.many {
		s.specs = append(s.specs, historytest.Spec{SKU: sku, Stock: plentyOf})
	}
	s.few = "few"
	s.fleet.CreateSKU(client.SKUSpec{SKU: s.few, Stock: fewUnits, HoldTTLMS: time.Hour.Milliseconds()})
	s.specs = append(s.specs, historytest.Spec{SKU: s.few, Stock: fewUnits})
	return s
}

// sell begins to order and to read through all nodes; the loads end with stop.
func (s *severed) sell() (stop func()) {
	load := s.fleet.Load(fleettest.LoadConfig{SKUs: s.many, Callers: 12, Pace: 20 * time.Millisecond, Timeout: cutPatience})
	scarce := s.fleet.Load(fleettest.LoadConfig{SKUs: []string{s.few}, Callers: 6, Pace: 20 * time.Millisecond, Timeout: cutPatience, ConfirmOf: -1, CancelOf: 98})
	s.seen.read(s.fleet, append([]string{s.few}, s.many...))
	return func() {
		load.Stop()
		scarce.Stop()
	}
}

// cut is a way to part nodes from a majority.
type cut struct {
	name string
	make func()
	// off are the nodes that have no majority behind them for the SKUs about; led are those of these that one of them leads.
	off        []*fleettest.Node
	about, led []string
}

// leader returns the node that leads most SKUs, and those, in a cluster that is whole and sells.
func (s *severed) leader() (*fleettest.Node, []string) {
	s.t.Helper()
	s.fleet.AwaitSettled(settleWithin)
	awaitSales(s.fleet, s.many, time.Now(), 3)
	leader, led := s.fleet.Busiest(s.many)
	if leader == nil {
		s.t.Fatal("nobody leads")
	}
	return leader, led
}

func (s *severed) isFew(sku string) bool { return sku == s.few }

func (s *severed) all() []string { return append([]string{s.few}, s.many...) }

// endure cuts, sees the majority sell and those who are cut off neither sell nor refuse, and heals.
func (s *severed) endure(c cut) {
	s.t.Helper()
	begun := time.Now()
	c.make()
	done := time.Now()
	awaitSales(s.fleet, slices.DeleteFunc(slices.Clone(c.about), s.isFew), done, 3)
	gap := longestGap(s.fleet, slices.DeleteFunc(slices.Clone(c.led), s.isFew), begun)
	// These ask nobody else, so that there is something to judge.
	insisting := s.fleet.Load(fleettest.LoadConfig{SKUs: c.about, Nodes: c.off, Callers: 2 * len(c.about), Timeout: cutPatience / 2})
	<-time.After(*cutTime)
	insisting.Stop()
	healing := time.Now()
	codes := make(map[string]int)
	for _, n := range c.off {
		for _, op := range s.seen.between(n.ID, done, healing) {
			if slices.Contains(c.about, op.SKU) {
				codes[s.judge(c.name, n, op)]++
			}
		}
	}
	s.net.heal()
	awaitSales(s.fleet, s.many, time.Now(), 3)
	s.t.Logf("%s: %s led %d of %d SKUs; no sale of those for %s; asked in the meantime it answered %s", c.name, c.off[0].ID, len(c.led), len(s.many),
		gap.Round(time.Millisecond), fmt.Sprint(codes))
	if len(codes) == 0 {
		s.t.Errorf("%s: nobody asked %s while it was cut off", c.name, c.off[0].ID)
	}
}

// judge looks at what a node said that has no majority behind it.
func (s *severed) judge(name string, n *fleettest.Node, op fleettest.Op) (code string) {
	if op.Err == nil || client.IsRefused(op.Err) {
		s.t.Errorf("%s: %s was cut off, and told a caller: %+v", name, n.ID, op)
	}
	if code = client.CodeOf(op.Err); code == "" {
		return "no answer"
	}
	return code
}

// end stops the loads and holds everything against what callers were told.
func (s *severed) end(stop func()) {
	s.t.Helper()
	stop()
	s.fleet.AwaitSettled(settleWithin)
	s.fleet.Audit()
	s.seen.judge(s.fleet.Node(0).Patient, s.specs)
	s.t.Logf("%s", s.fleet.Ledger().Summary())
}

// A leader that the other nodes cannot hear, that cannot hear them, or both, sells nothing and refuses nothing while another leads; when the cut is
// healed every node has the same, and one order of all calls explains what callers were told.
func TestLeaderIsCutOff(t *testing.T) {
	t.Parallel()
	s := startSevered(t, 3)
	stop := s.sell()
	ways := map[string]func(leader int){
		"alone": func(leader int) { s.net.apart(leader) }, "it hears nothing": s.net.deafen, "it is not heard": s.net.silence,
	}
	for range *cutRounds {
		for _, name := range slices.Sorted(maps.Keys(ways)) {
			leader, led := s.leader()
			s.endure(cut{name: name, make: func() { ways[name](leader.Index) }, off: []*fleettest.Node{leader}, about: s.all(), led: led})
		}
	}
	s.end(stop)
}

// Of five nodes two are cut off together: one that leads a shard, and one without a replica of it. That shard's SKUs are sold by the other three only;
// shards of which the two have two replicas may go on with them, but never on both sides.
func TestLeaderIsCutOffWithAMinority(t *testing.T) {
	onceOnly(t)
	t.Parallel()
	s := startSevered(t, 5)
	stop := s.sell()
	for range *cutRounds {
		leader, _ := s.leader()
		shard, held := s.shardLedBy(leader)
		other := s.fleet.Nodes()[slices.IndexFunc(s.fleet.Nodes(), func(n *fleettest.Node) bool { return !held[n.ID] })]
		about := slices.DeleteFunc(s.all(), func(sku string) bool { return s.fleet.ShardOf(sku) != shard })
		s.endure(cut{
			name: "with a minority", make: func() { s.net.apart(leader.Index, other.Index) }, off: []*fleettest.Node{leader, other}, about: about, led: about,
		})
	}
	s.end(stop)
}

// shardLedBy returns a shard with SKUs that a node leads, and which nodes have replicas of it.
func (s *severed) shardLedBy(n *fleettest.Node) (shard uint32, held map[string]bool) {
	s.t.Helper()
	shards, err := s.fleet.Shards()
	if err != nil {
		s.t.Fatal(err)
	}
	held = make(map[string]bool)
	for _, sh := range shards {
		if sh.Leader != n.ID || !slices.ContainsFunc(s.many, func(sku string) bool { return s.fleet.ShardOf(sku) == sh.ID }) {
			continue
		}
		for _, r := range sh.Replicas {
			held[r.Node] = true
		}
		return sh.ID, held
	}
	s.t.Fatalf("%s leads nothing any more", n.ID)
	return 0, nil
}
