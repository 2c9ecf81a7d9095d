package main

import (
	"flag"
	"sync"
	"testing"
	"time"

	"holdfast/cmd/holdfast/fleettest"
)

var fleetCuts = flag.Int("fleetcuts", 1, "how often TestAllKilledAtOnce cuts the power of all nodes")

// The power of all nodes is cut under load, and comes back: the same command lines, and nothing is lost.
func TestAllKilledAtOnce(t *testing.T) {
	onceOnly(t)
	t.Parallel()
	f := fleettest.Start(t, fleettest.Options{Args: []string{"--snapshot-bytes", "65536"}})
	f.AwaitSettled(settleWithin)
	skus := f.CreateSKUs(4, plentyOf)
	var gaps fleettest.Spread
	for range *fleetCuts {
		load := f.Load(fleettest.LoadConfig{SKUs: skus, Patience: time.Minute})
		awaitSales(f, skus, time.Now(), 50)
		cut := time.Now()
		var wg sync.WaitGroup
		for _, n := range f.Nodes() {
			wg.Go(n.Kill)
		}
		wg.Wait()
		f.StartAll(f.Nodes())
		awaitSales(f, skus, time.Now(), 20)
		gaps = append(gaps, longestGap(f, skus, cut))
		load.Stop()
		f.AwaitSettled(settleWithin)
		f.Audit()
	}
	checkAnswers(t, f)
	t.Logf("no sale for %s; %s", gaps, f.Ledger().Summary())
}
