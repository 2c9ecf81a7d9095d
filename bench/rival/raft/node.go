package raft

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"holdfast/wal"
)

const (
	rpcTimeout = 10 * time.Second
	// stallExit is how long one write may take: a slow disk makes slow figures, it does not end the measurement.
	stallExit = time.Minute
	// appendEntries is how many entries go into one append; 64 is raft's default.
	appendEntries = 64
)

// node is one node: a log, a transport, a state machine, and raft over them.
type node struct {
	id        raft.ServerID
	dir       string
	log       *wal.Log
	transport *raft.NetworkTransport
	machine   *machine
	raft      *raft.Raft
}

// listen makes all of a node but raft itself, which has to know the others' addresses.
func listen(number int, dir string, fs wal.FS) (*node, error) {
	n := &node{id: raft.ServerID(fmt.Sprintf("n%d", number)), machine: &machine{wares: make(map[string]*ware)}}
	n.dir = filepath.Join(dir, string(n.id))
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	n.log, err = wal.Open(wal.Config{Dir: filepath.Join(n.dir, "wal"), FS: fs, StallExit: stallExit, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	config := raft.NetworkTransportConfig{MaxPool: 3, Timeout: rpcTimeout, Logger: hclog.NewNullLogger()}
	if n.transport, err = raft.NewTCPTransportWithConfig("127.0.0.1:0", nil, &config); err != nil {
		return nil, errors.Join(fmt.Errorf("listen: %w", err), n.log.Close())
	}
	return n, nil
}

// start starts raft with the members given.
func (n *node) start(members []raft.Server) error {
	rc := raft.DefaultConfig()
	rc.LocalID, rc.Logger = n.id, hclog.NewNullLogger()
	rc.MaxAppendEntries, rc.BatchApplyCh = appendEntries, true
	rc.SnapshotThreshold, rc.SnapshotInterval, rc.TrailingLogs = math.MaxUint64, 10_000*time.Hour, math.MaxUint64
	rc.NoLegacyTelemetry = true
	group := n.log.Group(1)
	none := raft.NewDiscardSnapshotStore()
	if err := raft.BootstrapCluster(rc, group, group, none, n.transport, raft.Configuration{Servers: members}); err != nil {
		return fmt.Errorf("bootstrap %s: %w", n.id, err)
	}
	var err error
	if n.raft, err = raft.NewRaft(rc, n.machine, group, group, none, n.transport); err != nil {
		return fmt.Errorf("start %s: %w", n.id, err)
	}
	return nil
}

// stop ends raft.
func (n *node) stop() error {
	if n.raft == nil {
		return nil
	}
	return n.raft.Shutdown().Error()
}

// close gives up what raft stood on, connections to the others included: Close of the transport alone would leave them, and who serves them there.
func (n *node) close() error {
	n.transport.CloseStreams()
	return errors.Join(n.transport.Close(), n.log.Close())
}
