package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/api/topology"
	"holdfast/cmd/holdfast/fleettest"
)

var fleetJoins = flag.Int("fleetjoins", 3, "how often TestKilledWhileItJoins kills a node at a moment by chance")

// A node is killed at several moments of its way into a cluster that sells, and started again with the same command line: it is a member
// once, and whole.
func TestKilledWhileItJoins(t *testing.T) {
	onceOnly(t)
	t.Parallel()
	f := fleettest.Start(t, fleettest.Options{Nodes: 2})
	skus := f.CreateSKUs(4, plentyOf)
	load := f.Load(fleettest.LoadConfig{SKUs: skus, Timeout: patientFor})
	awaitSales(f, skus, time.Now(), 50)
	n := f.Add()
	file := func(name string) string { return filepath.Join(n.DataDir(), name) }
	for _, moment := range []struct {
		name  string
		holds func() bool
	}{
		{"it has drawn who it is", func() bool { return exists(file("node.json")) }},
		{"it is a member", func() bool { return f.Node(0).Up() && isMember(t, f.Node(0), n.ID) }},
		{"its first replica is noted", func() bool { return exists(file("replicas.json")) }},
		{"its first replica has a snapshot directory", func() bool { return exists(file("snapshots/shard-1")) }},
	} {
		began := time.Now()
		ready := n.DieWhen(30*time.Second, moment.holds)
		t.Logf("killed when %s, after %s, ready: %t", moment.name, time.Since(began).Round(time.Millisecond), ready)
		if !moment.holds() {
			t.Fatalf("%s: that moment never came\n%s", moment.name, n.Log())
		}
	}
	for range *fleetJoins {
		at := time.Now().Add(rand.N(1500 * time.Millisecond))
		ready := n.DieWhen(30*time.Second, func() bool { return time.Now().After(at) })
		t.Logf("killed by chance, ready: %t", ready)
	}
	n.Restart()
	f.AwaitSettled(settleWithin)
	awaitSales(f, skus, time.Now(), 20)
	load.Stop()
	f.Audit()
	checkAnswers(t, f)
	t.Log(f.Ledger().Summary())
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func isMember(t *testing.T, asked *fleettest.Node, id string) bool {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	o, err := asked.Client.Cluster(ctx)
	for _, n := range o.Nodes {
		if err == nil && n.ID == id {
			return true
		}
	}
	return false
}

// While a node joins three that sell, the one that drives the change, leader of the meta group, is killed, and the next one too if there is still
// something to do: whoever leads then goes on.
func TestDriverKilledWhileANodeJoins(t *testing.T) {
	t.Parallel()
	f := fleettest.Start(t, fleettest.Options{})
	f.AwaitSettled(settleWithin)
	skus := f.CreateSKUs(4, plentyOf)
	load := f.Load(fleettest.LoadConfig{SKUs: skus, Timeout: patientFor})
	awaitSales(f, skus, time.Now(), 50)
	killed := 0
	for range 3 { // a change that was over before anybody looked is one more node
		n := f.Add()
		joins := n.Begin()
		for driver := driverOf(t, f, n.ID); driver != nil && killed < 2; driver = driverOf(t, f, n.ID) {
			driver.Kill()
			killed++
			awaitSales(f, skus, time.Now(), 10)
			driver.Restart()
		}
		if err := <-joins; err != nil {
			t.Fatal(err)
		}
		if f.AwaitSettled(settleWithin); killed > 0 {
			break
		}
	}
	load.Stop()
	f.Audit()
	checkAnswers(t, f)
	if killed == 0 {
		t.Error("nobody was killed in the middle of a change")
	}
	t.Logf("%d drivers killed; %s", killed, f.Ledger().Summary())
}

// driverOf waits until the change that gives a node its replicas runs, and returns who leads the meta group then; nil when the change has ended.
func driverOf(t *testing.T, f *fleettest.Fleet, id string) (driver *fleettest.Node) {
	about := func(c topology.Change) bool { return c.Node == id }
	f.Await(settleWithin, "the change begins", func() string {
		o, err := f.Node(0).Client.Cluster(t.Context())
		driver = nil
		switch leader := f.Named(o.Meta.Leader); {
		case err == nil && slices.ContainsFunc(o.Ended, about):
			return ""
		case err == nil && slices.ContainsFunc(o.Changes, about) && leader != nil && leader.Up():
			driver = leader
			return ""
		}
		return fmt.Sprintf("%+v, %v", o, err)
	})
	return driver
}

// A node whose disk was lost is not let in under its old id: it may have acknowledged what it does not have any more. It is told what to
// do, and doing that works.
func TestLostDiskIsRefused(t *testing.T) {
	t.Parallel()
	f := fleettest.Start(t, fleettest.Options{})
	f.AwaitSettled(settleWithin)
	skus := f.CreateSKUs(4, plentyOf)
	load := f.Load(fleettest.LoadConfig{SKUs: skus, Timeout: patientFor})
	awaitSales(f, skus, time.Now(), 20)
	lost := f.Node(2)
	lost.Kill()
	if err := os.RemoveAll(lost.DataDir()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	code, said := refused(t, lost.Args()...)
	if code != 1 || !strings.Contains(said, "remove the node and join under a new id") || !strings.Contains(said, lost.ID) {
		t.Errorf("exit code %d: %s", code, said)
	}
	t.Logf("refused after %s: %s", time.Since(began).Round(time.Millisecond), said)
	if code, again := refused(t, lost.Args()...); code != 1 {
		t.Errorf("a second time: exit code %d: %s", code, again)
	}
	ctx, cancel := context.WithTimeout(t.Context(), settleWithin)
	defer cancel()
	if _, err := f.Node(0).Patient.RemoveNode(ctx, lost.ID, false); err != nil {
		t.Fatal(err)
	}
	f.Await(settleWithin, "the lost node is forgotten", func() string {
		o, err := f.Node(0).Client.Cluster(ctx)
		if err != nil || len(o.Nodes) != 2 || len(o.Changes) > 0 {
			return fmt.Sprintf("%+v, %v", o, err)
		}
		return ""
	})
	f.Add().Restart()
	f.AwaitSettled(settleWithin)
	awaitSales(f, skus, time.Now(), 20)
	load.Stop()
	f.Audit()
	checkAnswers(t, f)
	t.Log(f.Ledger().Summary())
}
