package main

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"holdfast/api"
	"holdfast/api/apitest"
	"holdfast/api/client"
	"holdfast/api/topology"
	"holdfast/node"
	"holdfast/stock"
)

// trouble is what can be wrong with the cluster of a script.
var trouble = map[string]func(c *apitest.Cluster, o *topology.Overview, shards []topology.Shard){
	"dead": func(_ *apitest.Cluster, o *topology.Overview, shards []topology.Shard) {
		o.Nodes[2].State, o.Nodes[2].ClockOffsetMS = topology.Unreachable, nil
		shards[0].Replicas[2].Down = "its node does not answer"
	},
	"stalled": func(c *apitest.Cluster, _ *topology.Overview, _ []topology.Shard) { c.Stalled = true },
	"broken":  func(c *apitest.Cluster, _ *topology.Overview, _ []topology.Shard) { c.Broken = true },
	"cut": func(c *apitest.Cluster, _ *topology.Overview, _ []topology.Shard) {
		c.Archive = c.Archive[:len(c.Archive)-512]
	},
	"odd": func(c *apitest.Cluster, _ *topology.Overview, _ []topology.Shard) {
		c.Archive = c.Archive[1024:] // without its manifest
	},
	"last_voter": func(c *apitest.Cluster, _ *topology.Overview, _ []topology.Shard) {
		c.Refuse = topology.Refusal{Code: topology.LastVoter, Text: "that is the last voter of shard 1",
			WayOut: "add a node and wait for its change to end, then try again"}
	},
	"leaderless": func(c *apitest.Cluster, _ *topology.Overview, _ []topology.Shard) { c.Refuse.Code = topology.NoLeader },
	"unknown": func(c *apitest.Cluster, _ *topology.Overview, _ []topology.Shard) {
		c.Refuse.Code = topology.OutcomeUnknown
	},
}

// fakecluster [TROUBLE...] starts a server with a cluster of three nodes, and points --admin-addr at it.
func fakeCluster(ts *testscript.TestScript, _ bool, args []string) {
	now := func() topology.Moment { return topology.Moment{Time: time.Now().Truncate(time.Millisecond)} }
	cluster := apitest.NewCluster(now)
	whole, err := realArchive()
	ts.Check(err)
	cluster.Archive = whole
	for _, name := range args {
		change := trouble[name]
		if change == nil {
			ts.Fatalf("there is no trouble %q", name)
		}
		cluster.Change(func(o *topology.Overview, shards []topology.Shard) { change(cluster, o, shards) })
	}
	core := apitest.NewCore(func() stock.Time { return stock.TimeOf(time.Now()) })
	server, err := api.New(api.Config{Core: core, Cluster: cluster, Health: noHealth{}})
	ts.Check(err)
	listening := httptest.NewServer(server.Admin())
	ts.Defer(listening.Close)
	ts.Setenv("HOLDFAST_ADMIN_ADDR", listening.URL)
	ts.Value(runningKey{}).(*running).cluster = cluster
}

// realArchive is the backup of a node with two shards and one SKU, of which a unit is held.
var realArchive = sync.OnceValues(func() (archive []byte, err error) {
	dir, err := os.MkdirTemp("", "holdfast-backup-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cfg := node.DefaultConfig()
	cfg.DataDir, cfg.HTTP, cfg.Admin, cfg.Peer, cfg.Shards, cfg.WALSegmentBytes = dir, "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", 2, 4<<20
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n, err := node.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	c, err := client.New(client.Config{Addr: "http://" + n.Addrs().HTTP, AdminAddr: "http://" + n.Addrs().Admin})
	if err != nil {
		return nil, err
	}
	if _, err := c.CreateSKU(ctx, client.SKUSpec{SKU: "cup", Stock: 5}); err != nil {
		return nil, err
	}
	if _, err := c.PlaceOrder(ctx, "k1", client.NewOrder{SKU: "cup", User: "ada"}); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	_, err = c.Backup(ctx, &out)
	return out.Bytes(), err
})

type noHealth struct{}

func (noHealth) Ready() []api.Check { return nil }

// wasasked CALL... wants the cluster of the script to have been asked for exactly these changes.
func wasAsked(ts *testscript.TestScript, _ bool, args []string) {
	if got := ts.Value(runningKey{}).(*running).cluster.Calls(); !slices.Equal(got, args) {
		ts.Fatalf("it was asked for %q", got)
	}
}

// nothingin DIR wants a directory to be empty.
func nothingIn(ts *testscript.TestScript, _ bool, args []string) {
	left, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(left) > 0 {
		ts.Fatalf("there is %q", left[0].Name())
	}
}
