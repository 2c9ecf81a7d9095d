package cluster

import (
	"io"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// transport is raft's network transport over a stream of the peer port. It leaves out the fast path for heartbeats, says at each call which node
// it means to reach, takes no other replica's answer for its own and lets raft vote for candidates that it does not know (votes.go), counts who
// answered (contact.go), and keeps late snapshots from raft (latesnap.go).
type transport struct {
	*raft.NetworkTransport
	contacts  *contacts
	late      *lateSnapshots       // nil: nothing is late
	voter     func() raft.ServerID // one of the voters that are known here; nil: candidates are asked for their place
	addressOf func(node string) string

	rpcs    chan raft.RPC
	stop    chan struct{}
	started sync.Once
	stopped sync.Once
	wg      sync.WaitGroup
}

var (
	_ raft.Transport   = (*transport)(nil)
	_ raft.WithPreVote = (*transport)(nil)
	_ raft.WithClose   = (*transport)(nil)
)

// pooledConns is how many idle connections to one peer are kept: entries, heartbeats and votes each have one.
const pooledConns = 3

func newTransport(s *stream, cfg *Config, logger hclog.Logger) *transport {
	return &transport{
		NetworkTransport: raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			Stream: s, MaxPool: pooledConns, Timeout: cfg.RPCTimeout, Logger: logger,
			// One call in flight: with pipelining the replication to one follower can wedge while its heartbeats go on, and p99 is worse.
			MaxRPCsInFlight: 1,
		}),
		contacts: newContacts(), addressOf: cfg.AddressOf, rpcs: make(chan raft.RPC), stop: make(chan struct{}),
	}
}

// SetHeartbeatHandler does nothing (rule R19). Raft would handle heartbeats beside its main goroutine, where one that comes late can take the
// term back after a vote in a higher one; the node then acknowledges entries of the old leader, and an acknowledged order is lost.
func (t *transport) SetHeartbeatHandler(func(raft.RPC)) {}

// meaning returns the target that names the node of a raft id, at its present address: whoever answers there must be that node. A vote that another
// node gave because it has the address now would count for the one that had it before. Raft pools connections by target, so a node that moved is
// dialled anew.
func (t *transport) meaning(id raft.ServerID, configured raft.ServerAddress) raft.ServerAddress {
	node := nodeOf(id)
	address := t.addressOf(node)
	if address == "" {
		address = bareAddress(configured)
	}
	return raft.ServerAddress(targetOf(node, address))
}

// AppendEntries sends entries, or a heartbeat, and counts the answer.
func (t *transport) AppendEntries(id raft.ServerID, at raft.ServerAddress, req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	sent := t.contacts.send()
	err := answered(id, t.NetworkTransport.AppendEntries(id, t.meaning(id, at), req, resp), resp)
	if err == nil && resp.Term == req.Term {
		matched := uint64(0) // A heartbeat says nothing of the log.
		if resp.Success && (req.PrevLogEntry > 0 || len(req.Entries) > 0) {
			matched = req.PrevLogEntry + uint64(len(req.Entries))
		}
		t.contacts.answered(id, req.Term, sent, matched)
	}
	return err
}

// RequestVote asks a node for its vote.
func (t *transport) RequestVote(id raft.ServerID, at raft.ServerAddress, req *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	return answered(id, t.NetworkTransport.RequestVote(id, t.meaning(id, at), req, resp), resp)
}

// RequestPreVote asks a node whether it would vote.
func (t *transport) RequestPreVote(id raft.ServerID, at raft.ServerAddress, req *raft.RequestPreVoteRequest,
	resp *raft.RequestPreVoteResponse) error {
	return answered(id, t.NetworkTransport.RequestPreVote(id, t.meaning(id, at), req, resp), resp)
}

// InstallSnapshot sends a snapshot.
func (t *transport) InstallSnapshot(id raft.ServerID, at raft.ServerAddress, req *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse,
	state io.Reader) error {
	defer t.contacts.install(id)()
	return t.NetworkTransport.InstallSnapshot(id, t.meaning(id, at), req, resp, state)
}

// TimeoutNow tells a node to stand for election.
func (t *transport) TimeoutNow(id raft.ServerID, at raft.ServerAddress, req *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	return t.NetworkTransport.TimeoutNow(id, t.meaning(id, at), req, resp)
}

// Consumer returns what others ask, late snapshots left out.
func (t *transport) Consumer() <-chan raft.RPC {
	t.started.Do(func() { t.wg.Go(t.pass) })
	return t.rpcs
}

// pass passes on what others ask, in its order, until the transport closes.
func (t *transport) pass() {
	for {
		select {
		case rpc := <-t.NetworkTransport.Consumer():
			t.vouch(rpc)
			if req, ok := rpc.Command.(*raft.InstallSnapshotRequest); ok && t.late != nil {
				if t.late.is(req) {
					t.wg.Go(func() { t.late.drop(rpc, req) })
					continue
				}
				rpc.Reader = &judgedReader{late: t.late, req: req, from: rpc.Reader}
			}
			select {
			case t.rpcs <- rpc:
			case <-t.stop:
				return
			}
		case <-t.stop:
			return
		}
	}
}

// Close closes every connection and waits. Raft's own Close leaves the pooled ones to the other side.
func (t *transport) Close() error {
	t.CloseStreams()
	err := t.NetworkTransport.Close()
	t.started.Do(func() {}) // Nothing starts any more.
	t.stopped.Do(func() { close(t.stop) })
	t.wg.Wait()
	return err
}
