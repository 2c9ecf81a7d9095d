package cluster

import (
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// transport is raft's network transport over a stream of the peer port, without its fast path for heartbeats.
type transport struct {
	*raft.NetworkTransport
}

var (
	_ raft.Transport   = (*transport)(nil)
	_ raft.WithPreVote = (*transport)(nil)
	_ raft.WithClose   = (*transport)(nil)
)

// pooledConns is how many idle connections to one peer are kept: entries, heartbeats and votes each have one.
const pooledConns = 3

func newTransport(s *stream, cfg *Config, logger hclog.Logger) *transport {
	return &transport{raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: s, MaxPool: pooledConns, Timeout: cfg.RPCTimeout, Logger: logger,
		// One call in flight: with pipelining the replication to one follower can wedge while its heartbeats go on, and p99 is worse.
		MaxRPCsInFlight: 1,
	})}
}

// SetHeartbeatHandler does nothing (rule R19). Raft would handle heartbeats beside its main goroutine, where one that comes late can take the
// term back after a vote in a higher one; the node then acknowledges entries of the old leader, and an acknowledged order is lost.
func (t *transport) SetHeartbeatHandler(func(raft.RPC)) {}

// Close closes every connection. Raft's own Close leaves the pooled ones to the other side.
func (t *transport) Close() error {
	t.CloseStreams()
	return t.NetworkTransport.Close()
}
