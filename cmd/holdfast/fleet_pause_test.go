package main

import (
	"context"
	"flag"
	"sync"
	"testing"
	"time"

	"holdfast/api/client"
	"holdfast/cmd/holdfast/fleettest"
)

var fleetPause = flag.Duration("fleetpause", 3*time.Second, "how long TestLeaderStandsStill stops a leader; 10s for acceptance")

// A leader is stopped while people go on asking it, and woken after another has taken over: what it says then is true, and it changes nothing.
func TestLeaderStandsStill(t *testing.T) {
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
	awaitSales(f, skus, time.Now(), 20)
	gap := longestGap(f, led, paused)
	<-end
	told := f.Ledger().Orders()
	leader.Resume()
	woken := time.Now()
	askForOrders(t, leader, told)
	awaitSales(f, skus, woken, 20)
	impatient.Stop()
	patient.Stop()
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
