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
	cutTime   = flag.Duration("cuttime", 500*time.Millisecond, "how long a leader stays cut off after others sell")
)

const (
	// cutPatience is how long callers wait for an answer.
	cutPatience = 2 * time.Second
	fewUnits    = 3
)

// severed is a fleet in a network that can be cut.
type severed struct {
	t     *testing.T
	net   *network
	fleet *fleettest.Fleet
	seen  *witness
	specs []historytest.Spec
	many  []string // SKUs with plenty of stock
	few   string   // one that is sold out most of the time: units come back by cancellation
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

// round cuts the leader of the most SKUs off, sees the others sell and the leader neither sell nor refuse, and heals the cut.
func (s *severed) round(name string, cut func(leader int)) {
	s.t.Helper()
	s.fleet.AwaitSettled(settleWithin)
	awaitSales(s.fleet, s.many, time.Now(), 3)
	leader, led := s.fleet.Busiest(append([]string{s.few}, s.many...))
	if leader == nil {
		s.t.Fatal("nobody leads")
	}
	begun := time.Now()
	cut(leader.Index)
	done := time.Now()
	awaitSales(s.fleet, s.many, done, 3)
	gap := longestGap(s.fleet, slices.DeleteFunc(slices.Clone(led), func(sku string) bool { return sku == s.few }), begun)
	<-time.After(*cutTime)
	healing := time.Now()
	codes := make(map[string]int)
	for _, op := range s.seen.between(leader.ID, done, healing) {
		codes[s.judge(name, leader, op)]++
	}
	s.net.heal()
	awaitSales(s.fleet, s.many, time.Now(), 3)
	s.t.Logf("%s: %s led %d of %d SKUs; no sale of those for %s; asked in the meantime it answered %s", name, leader.ID, len(led), len(s.specs),
		gap.Round(time.Millisecond), fmt.Sprint(codes))
	if len(codes) == 0 {
		s.t.Errorf("%s: nobody asked %s while it was cut off", name, leader.ID)
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
	s := startSevered(t, 3)
	stop := s.sell()
	ways := map[string]func(leader int){
		"alone": func(leader int) { s.net.apart(leader) }, "it hears nothing": s.net.deafen, "it is not heard": s.net.silence,
	}
	for range *cutRounds {
		for _, name := range slices.Sorted(maps.Keys(ways)) {
			s.round(name, ways[name])
		}
	}
	s.end(stop)
}
