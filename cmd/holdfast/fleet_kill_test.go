package main

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"holdfast/cmd/holdfast/fleettest"
)

var (
	fleetKills   = flag.Int("fleetkills", 2, "how often TestLeadersKilledUnderLoad kills a leader; 20 for acceptance")
	fleetCallers = flag.Int("fleetcallers", 3, "how many callers order each SKU in TestLeadersKilledUnderLoad")
)

const (
	// settleWithin bounds what a cluster needs until all its replicas are where they should be.
	settleWithin = 60 * time.Second
	// plentyOf is stock that no test sells.
	plentyOf = 10_000_000
	// sellWithin bounds the wait for the next accepted order, on a machine that does other things too; what it took is reported.
	sellWithin = 20 * time.Second
	// patientFor is how long a caller waits, so that a machine that stands still for a while makes no failures; the longest wait is reported.
	patientFor = 20 * time.Second
)

// The busiest leader is killed and started again, under load through all nodes, again and again: after others took over, at once, and at
// once with the next one killed as soon as it is ready.
func TestLeadersKilledUnderLoad(t *testing.T) {
	t.Parallel()
	f := fleettest.Start(t, fleettest.Options{})
	f.AwaitSettled(settleWithin)
	skus := f.CreateSKUs(4, plentyOf)
	load := f.Load(fleettest.LoadConfig{SKUs: skus, Timeout: patientFor, Callers: *fleetCallers * len(skus)})
	var gaps, starts fleettest.Spread
	for round := range *fleetKills {
		awaitSales(f, skus, time.Now(), 20)
		leader, led := f.Busiest(skus)
		if leader == nil {
			t.Fatal("nobody leads")
		}
		killed := time.Now()
		leader.Kill()
		if round%3 != 0 {
			starts = append(starts, leader.Restart())
		}
		awaitSales(f, skus, time.Now(), 20)
		gaps = append(gaps, longestGap(f, led, killed))
		if round%3 == 0 {
			starts = append(starts, leader.Restart())
		}
		if round%3 != 2 {
			f.AwaitSettled(settleWithin)
		}
	}
	load.Stop()
	f.AwaitSettled(settleWithin)
	f.Audit()
	checkAnswers(t, f)
	t.Logf("%d kills: no sale for %s; ready again after %s; %s", *fleetKills, gaps, starts, f.Ledger().Summary())
}

// newcomers lets more people order than those who may all wait, for as long as they are patient, for a node that stands still: it has their requests in
// its sockets, and no other node knows of them. Who comes now asks the nodes that are up.
func newcomers(f *fleettest.Fleet, skus []string) *fleettest.Load {
	return f.Load(fleettest.LoadConfig{SKUs: skus, Timeout: patientFor})
}

// awaitSales waits until so many orders of each SKU were accepted since a moment.
func awaitSales(f *fleettest.Fleet, skus []string, since time.Time, orders int) {
	f.Await(sellWithin, "every SKU sells", func() string {
		for _, sku := range skus {
			if n := f.Ledger().AcceptedSince(sku, since); n < orders {
				return fmt.Sprintf("%d orders of %s; %s", n, sku, f.Ledger().Waiting(sku))
			}
		}
		return ""
	})
}

// longestGap is the longest time without a sale since a moment, of the SKUs that were led there.
func longestGap(f *fleettest.Fleet, skus []string, since time.Time) (longest time.Duration) {
	for _, sku := range skus {
		longest = max(longest, f.Ledger().Gap(sku, since, time.Now()))
	}
	return longest
}

// checkAnswers wants that callers of live nodes were told nothing worse than to try again.
func checkAnswers(t *testing.T, f *fleettest.Fleet) {
	t.Helper()
	for a, n := range f.Ledger().Blemishes() {
		t.Errorf("callers of a live node were told %d times: %+v", n, a)
	}
	if n := f.Ledger().Failed(); n > 0 {
		t.Errorf("%d orders were given up", n)
	}
}
