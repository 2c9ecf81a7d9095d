package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"holdfast/api/client"
	"holdfast/cmd/holdfast/fleettest"
)

var (
	fleetPause    = flag.Duration("fleetpause", 3*time.Second, "how long TestLeaderStandsStill stops a leader; 10s for acceptance")
	fleetStutters = flag.Int("fleetstutters", 3, "how often TestLeadersStutter stops a leader")
)

// A leader is stopped while people go on asking it, and woken after another has taken over: what it says then is true, and it changes
// nothing.
func TestLeaderStandsStill(t *testing.T) {
	t.Parallel()
	f := fleettest.Start(t, fleettest.Options{})
	f.AwaitSettled(settleWithin)
	skus := f.CreateSKUs(4, plentyOf)
	load := f.Load(fleettest.LoadConfig{SKUs: skus, Timeout: patientFor})
	awaitSales(f, skus, time.Now(), 20)
	leader, led := f.Busiest(skus)
	if leader == nil {
		t.Fatal("nobody leads")
	}
	paused, end := time.Now(), time.After(*fleetPause)
	leader.Pause()
	// These wait in the stopped node's sockets; some have given up when it wakes, some have not.
	impatient := f.Load(fleettest.LoadConfig{SKUs: led, Nodes: []*fleettest.Node{leader}, Blind: true, Callers: 6, Timeout: *fleetPause / 2})
	patient := f.Load(fleettest.LoadConfig{SKUs: led, Nodes: []*fleettest.Node{leader}, Blind: true, Callers: 6, Timeout: *fleetPause + 10*time.Second})
	others := newcomers(f, skus)
	awaitSales(f, skus, time.Now(), 20)
	gap := longestGap(f, led, paused)
	<-end
	impatient.End() // Of a node that is awake they would want an answer in a time that no busy machine promises; the patient ones go on.
	told := f.Ledger().Orders()
	leader.Resume()
	woken := time.Now()
	askForOrders(t, leader, told)
	awaitSales(f, skus, woken, 20)
	impatient.Stop()
	patient.Stop()
	others.Stop()
	load.Stop()
	f.AwaitSettled(settleWithin)
	f.Audit()
	checkAnswers(t, f)
	if now, _ := f.Busiest(led); now == leader {
		t.Logf("%s leads most again", leader.ID)
	}
	t.Logf("%d SKUs led there; no sale for %s; %s", len(led), gap.Round(time.Millisecond), f.Ledger().Summary())
}

// askForOrders asks a node that just woke for orders that others acknowledged while it slept: it may not know, but it may not deny them.
func askForOrders(t *testing.T, n *fleettest.Node, told map[string]fleettest.Order) {
	t.Helper()
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	asked := 0
	for key, o := range told {
		if asked++; asked > 200 {
			continue
		}
		wg.Go(func() {
			got, err := n.Client.Order(ctx, o.ID)
			if err == nil && got.User != o.User || client.IsRefused(err) {
				t.Errorf("key %s was acknowledged as %+v; the node that slept says %+v, %v", key, o, got, err)
			}
			seen, err := n.Client.Outcome(ctx, o.SKU, key)
			if err == nil && (seen.Order == nil || seen.Order.ID != o.ID) || client.IsRefused(err) {
				t.Errorf("key %s was acknowledged as %+v; the node that slept says %+v, %v", key, o, seen, err)
			}
		})
	}
}

// Leaders stand still again and again, for less than an election takes and for more, while something scarce is sold, given back and sold
// again: in the end it is sold to the last unit, and no further.
func TestLeadersStutter(t *testing.T) {
	onceOnly(t)
	t.Parallel()
	const units = 150
	f := fleettest.Start(t, fleettest.Options{})
	f.AwaitSettled(settleWithin)
	skus := f.CreateSKUs(4, units)
	load := f.Load(fleettest.LoadConfig{SKUs: skus, Timeout: patientFor, CancelOf: 60, ConfirmOf: 5})
	for range *fleetStutters {
		leader, _ := f.Busiest(skus)
		if leader == nil {
			continue
		}
		leader.Pause()
		<-time.After(rand.N(1800 * time.Millisecond))
		leader.Resume()
		<-time.After(rand.N(400 * time.Millisecond))
	}
	load.Stop()
	rest := f.Load(fleettest.LoadConfig{SKUs: skus, Timeout: patientFor, CancelOf: -1, ConfirmOf: -1})
	f.Await(settleWithin, "everything is sold", func() string {
		for _, sku := range skus {
			if s, err := f.Node(0).Client.SKU(t.Context(), sku); err != nil || s.Available > 0 {
				return fmt.Sprintf("%+v, %v", s, err)
			}
		}
		return ""
	})
	rest.Stop()
	f.AwaitSettled(settleWithin)
	f.Audit()
	for a, n := range f.Ledger().Blemishes() {
		t.Errorf("callers of a live node were told %d times: %+v", n, a)
	}
	taken := make(map[string]int)
	for _, o := range f.Ledger().Orders() {
		if o.State != "cancelled" {
			taken[o.SKU]++
		}
	}
	for _, sku := range skus {
		if taken[sku] != units {
			t.Errorf("%s: %d of %d units are held or sold", sku, taken[sku], units)
		}
	}
	t.Logf("%d pauses; %s", *fleetStutters, f.Ledger().Summary())
}
