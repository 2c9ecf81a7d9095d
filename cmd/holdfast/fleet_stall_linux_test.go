package main

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/cmd/holdfast/fleettest"
	"holdfast/wal/fusetest"
)

// The disk of a node that leads stops answering for good: the node ends itself with exit code 4, others lead, and on a disk that works
// again it comes back.
func TestLeadersDiskStalls(t *testing.T) {
	onceOnly(t)
	t.Parallel()
	disk := fusetest.Mount(t)
	data := t.TempDir()
	f := fleettest.Start(t, fleettest.Options{ReadOrders: ordersElsewhere, DirOf: func(i int) string {
		if i == 0 {
			return filepath.Join(disk.Dir(), "data")
		}
		return filepath.Join(data, string(rune('a'+i)))
	}})
	f.AwaitSettled(settleWithin)
	skus := f.CreateSKUs(4, plentyOf)
	lead(t, f, f.Node(0))
	load := f.Load(fleettest.LoadConfig{SKUs: skus, Timeout: patientFor})
	awaitSales(f, skus, time.Now(), 20)
	node, led := f.Busiest(skus)
	if node != f.Node(0) || len(led) != len(skus) {
		t.Fatalf("%s leads %q", node.ID, led)
	}
	sound := make(chan struct{})
	mend := sync.OnceFunc(func() { close(sound) })
	t.Cleanup(mend)
	node.Lost()
	disk.SetHook(func(op fusetest.Op) fusetest.Answer {
		if op.Kind == fusetest.Sync && strings.HasSuffix(op.Name, ".wal") {
			return fusetest.Answer{Until: sound}
		}
		return fusetest.Answer{}
	})
	stalled := time.Now()
	f.Await(settleWithin, "the node says that it ends", func() string {
		if strings.Contains(node.Log(), "holdfast: wal: failed: wal: disk stalled") {
			return ""
		}
		return "it goes on"
	})
	ended := time.Since(stalled)
	others := newcomers(f, skus)
	awaitSales(f, skus, time.Now(), 20)
	gap := longestGap(f, skus, stalled)
	// The kernel lets nobody go who waits for the disk: until it answers the process is there, sockets and all, and says nothing.
	mend()
	select {
	case <-node.Process().Done():
	case <-time.After(60 * time.Second):
		t.Fatal("it goes on without a disk")
	}
	if code := node.Process().ExitCode(); code != 4 {
		t.Errorf("exit code %d", code)
	}
	disk.SetHook(nil)
	node.Restart()
	f.AwaitSettled(settleWithin)
	others.Stop()
	load.Stop()
	f.Audit()
	checkAnswers(t, f)
	t.Logf("it gave up after %s; no sale for %s; %s", ended.Round(time.Millisecond), gap.Round(time.Millisecond), f.Ledger().Summary())
}

// lead makes a node the leader of every shard.
func lead(t *testing.T, f *fleettest.Fleet, n *fleettest.Node) {
	t.Helper()
	f.Await(settleWithin, n.ID+" leads everything", func() string {
		shards, err := f.Shards()
		if err != nil {
			return err.Error()
		}
		wrong := ""
		for _, s := range shards {
			if s.Leader != n.ID {
				wrong = "shard led by " + s.Leader
				if _, err := n.Client.Transfer(t.Context(), s.ID, n.ID); err != nil {
					wrong += ": " + err.Error()
				}
			}
		}
		return wrong
	})
}

// A node that stood still in the middle of an fsync, for longer than one may take, does not take that for a stalled disk when it wakes.
func TestStandingStillIsNoStall(t *testing.T) {
	onceOnly(t)
	t.Parallel()
	disk := fusetest.Mount(t)
	f := fleettest.Start(t, fleettest.Options{Nodes: 1, Shards: 1, Args: []string{"--disk-stall-exit", "2s"},
		ReadOrders: ordersElsewhere, DirOf: func(int) string { return filepath.Join(disk.Dir(), "data") }})
	skus, node := f.CreateSKUs(1, plentyOf), f.Node(0)
	load := f.Load(fleettest.LoadConfig{SKUs: skus, Timeout: patientFor})
	awaitSales(f, skus, time.Now(), 20)
	syncing, sound := make(chan struct{}), make(chan struct{})
	begun := sync.OnceFunc(func() { close(syncing) })
	mend := sync.OnceFunc(func() { close(sound) })
	t.Cleanup(mend)
	disk.SetHook(func(op fusetest.Op) fusetest.Answer {
		if op.Kind != fusetest.Sync || !strings.HasSuffix(op.Name, ".wal") {
			return fusetest.Answer{}
		}
		begun()
		return fusetest.Answer{Until: sound}
	})
	<-syncing
	node.Pause()
	<-time.After(2500 * time.Millisecond)
	disk.SetHook(nil)
	mend()
	node.Resume()
	awaitSales(f, skus, time.Now(), 20)
	load.Stop()
	f.Audit()
	if strings.Contains(node.Log(), "disk stalled") {
		t.Error("it took its own pause for the disk's")
	}
}
