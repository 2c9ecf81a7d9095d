package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"testing"
	"time"

	"holdfast/api/topology"
	"holdfast/cmd/holdfast/fleettest"
)

var (
	restarts  = flag.Int("restarts", 1, "how often TestRollingRestartOfProcesses restarts every node")
	idleWatch = flag.Duration("idle-watch", time.Second, "for how long TestFiveNodesSixteenShards measures idle nodes; 30s for acceptance")
)

// drainWithin is more than --drain-timeout.
const drainWithin = 40 * time.Second

// restless is how long nodes look around more often after something happened.
const restless = 6 * time.Second

// Two processes join three and leave again while callers of the first three order: nobody is even told to try again.
func TestProcessesComeAndGoUnderLoad(t *testing.T) {
	f := fleettest.Start(t, fleettest.Options{})
	f.AwaitSettled(settleWithin)
	skus := f.CreateSKUs(4, plentyOf)
	load := f.Load(fleettest.LoadConfig{SKUs: skus, Timeout: patientFor, Nodes: f.Nodes()[:3]})
	awaitSales(f, skus, time.Now(), 20)
	began := time.Now()
	f.StartAll([]*fleettest.Node{f.Add(), f.Add()})
	f.AwaitSettled(settleWithin)
	grown := time.Since(began)
	awaitSales(f, skus, time.Now(), 20)
	even(t, f, false)
	var left fleettest.Spread
	for _, n := range f.Nodes()[3:] {
		began = time.Now()
		removeNode(t, f, f.Node(1), n.ID)
		left = append(left, time.Since(began))
		n.Stop(drainWithin)
	}
	f.AwaitSettled(settleWithin)
	awaitSales(f, skus, time.Now(), 20)
	load.Stop()
	f.Audit()
	checkAnswers(t, f)
	for a, n := range f.Ledger().Answers() {
		if a.Live && a.Status == http.StatusServiceUnavailable {
			t.Errorf("callers were told %d times to try again: %+v", n, a)
		}
	}
	t.Logf("five nodes after %v, one less after %s; %s", grown.Round(time.Millisecond), left, f.Ledger().Summary())
}

// removeNode takes a node out of the cluster and waits for the change.
func removeNode(t *testing.T, f *fleettest.Fleet, via *fleettest.Node, id string) {
	t.Helper()
	plan, err := via.Client.RemoveNode(t.Context(), id, false)
	if err != nil {
		t.Fatalf("remove %s: %v", id, err)
	}
	f.Await(settleWithin, "removing "+id+" ends", func() string {
		o, err := via.Client.Cluster(context.Background())
		if err != nil {
			return err.Error()
		}
		for _, c := range o.Ended {
			if c.ID == plan.Change && c.State == topology.Completed {
				return ""
			}
		}
		return fmt.Sprintf("%+v", o.Changes)
	})
}

// Every node is stopped with SIGTERM and started again with the same command line, one after the other, while callers ask any node, also one that is on
// its way down or not there: those who send what was not executed again, under the same key, all get their orders.
func TestRollingRestartOfProcesses(t *testing.T) {
	f := fleettest.Start(t, fleettest.Options{})
	f.AwaitSettled(settleWithin)
	skus := f.CreateSKUs(4, plentyOf)
	load := f.Load(fleettest.LoadConfig{SKUs: skus, Timeout: patientFor, Blind: true})
	var drained, ready fleettest.Spread
	for range *restarts {
		for _, n := range f.Nodes() {
			awaitSales(f, skus, time.Now(), 20)
			drained = append(drained, n.Stop(drainWithin))
			awaitSales(f, skus, time.Now(), 10)
			ready = append(ready, n.Restart())
		}
	}
	f.AwaitSettled(settleWithin)
	awaitSales(f, skus, time.Now(), 20)
	load.Stop()
	// A connection that was idle may close in the moment that an order is written to it: that outcome is unknown, and Audit makes it definite.
	unknown, _ := f.Ledger().Unknown()
	f.Audit()
	checkAnswers(t, f)
	for a, n := range f.Ledger().Answers() {
		if a.Status == http.StatusGatewayTimeout {
			t.Errorf("callers were told %d times that nobody knows: %+v", n, a)
		}
	}
	t.Logf("%d restarts: drained in %s, ready after %s; %d connections lost; %s", len(drained), drained, ready, unknown, f.Ledger().Summary())
}

// Five nodes share sixteen shards evenly, and after balancing leadership too. What they cost while nothing happens is printed.
func TestFiveNodesSixteenShards(t *testing.T) {
	onceOnly(t)
	f := fleettest.Start(t, fleettest.Options{Nodes: 5, Shards: 16})
	f.AwaitSettled(settleWithin)
	even(t, f, false)
	crowdTogether(t, f)
	plan, err := f.Node(3).Client.Balance(t.Context(), false)
	if err != nil || len(plan.Plan) == 0 {
		t.Fatalf("%+v %v", plan, err)
	}
	f.AwaitSettled(settleWithin)
	f.Await(settleWithin, "leadership is even", func() string { return uneven(f, true) })
	<-time.After(min(*idleWatch, restless))
	before := make([]float64, 5)
	for i, n := range f.Nodes() {
		before[i] = gauge(t, n.Process(), "process_cpu_seconds_total")
	}
	began := time.Now()
	<-time.After(*idleWatch)
	for i, n := range f.Nodes() {
		used := gauge(t, n.Process(), "process_cpu_seconds_total") - before[i]
		t.Logf("%s, idle, takes %.1f %% of a core", n.ID, 100*used/time.Since(began).Seconds())
	}
	t.Logf("balancing took %d steps", len(plan.Plan))
}

// crowdTogether has two nodes lead all they can.
func crowdTogether(t *testing.T, f *fleettest.Fleet) {
	t.Helper()
	shards, err := f.Shards()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range shards {
		for _, r := range s.Replicas {
			if r.Node == "n1" || r.Node == "n2" {
				if _, err := f.Node(2).Client.Transfer(t.Context(), s.ID, r.Node); err != nil {
					t.Fatalf("shard %d to %s: %v", s.ID, r.Node, err)
				}
				break
			}
		}
	}
	f.Await(settleWithin, "leadership is uneven", func() string {
		if uneven(f, true) == "" {
			return "it is even"
		}
		return ""
	})
}

func even(t *testing.T, f *fleettest.Fleet, leaders bool) {
	t.Helper()
	if text := uneven(f, leaders); text != "" {
		t.Error(text)
	}
}

// uneven says of what some node has two more than another: replicas, or shards that it leads.
func uneven(f *fleettest.Fleet, leaders bool) string {
	shards, err := f.Shards()
	if err != nil {
		return err.Error()
	}
	replicas, led := make(map[string]int), make(map[string]int)
	for _, n := range f.Live() {
		replicas[n.ID], led[n.ID] = 0, 0
	}
	for _, s := range shards {
		led[s.Leader]++
		for _, r := range s.Replicas {
			replicas[r.Node]++
		}
	}
	for what, count := range map[string]map[string]int{"replicas": replicas, "leaderships": led} {
		least, most := 1<<30, 0
		for _, n := range count {
			least, most = min(least, n), max(most, n)
		}
		if most-least > 1 && (leaders || what == "replicas") {
			return fmt.Sprintf("%s: %v", what, count)
		}
	}
	return ""
}
