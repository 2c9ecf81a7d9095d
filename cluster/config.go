package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"

	"holdfast/cluster/peercert"
	"holdfast/cluster/placement"
)

const (
	// maxAppendEntries is raft's MaxAppendEntries: more is slower (measured at 1,024: 30 %).
	maxAppendEntries = 64
	// defaultRPCFrameBytes is Bounds.RPCFrameBytes.
	defaultRPCFrameBytes = 9 << 20
	// maxNodeIDBytes bounds a node's name, which travels in the head of every stream.
	maxNodeIDBytes = 64
)

// GroupLog is one group's part of the node's write-ahead log.
type GroupLog interface {
	raft.LogStore
	raft.StableStore
	// IsMonotonic is true: the log has no gaps, and raft empties it after it installed a snapshot.
	IsMonotonic() bool
	// Drop removes every entry of the group, durably. Term and vote stay.
	Drop() error
	// BytesSince returns how many bytes the entries after index take in the log.
	BytesSince(index uint64) int64
}

// Config says what a node's cluster layer works with. Zero values stand for the defaults named at the fields.
type Config struct {
	// NodeID names this node: 1 to 64 bytes without '#'.
	NodeID string
	// ClusterID is drawn once when a cluster is created; streams and snapshots of another cluster are refused.
	ClusterID [16]byte
	// Dir holds the snapshots, one directory a shard.
	Dir string
	// Shards is the number of data shards, with ids 1 to Shards; it never changes in a cluster's life. Default 4.
	Shards int
	// Replicas is what Open opens: the number of this node's replica by shard id, 0 for the meta group. What this directory holds, no more.
	Replicas map[uint32]uint64
	// Bootstrap lets those of Replicas that have number 1, and neither log nor snapshot, begin their group with this node as its only voter. Only the
	// node that creates a cluster may do that.
	Bootstrap bool
	// Listener is the peer port, already bound. Open takes it over and closes it, also when it fails.
	Listener net.Listener
	// Advertise is the address at which other nodes reach the peer port. Default: the Listener's.
	Advertise string
	// Identity is this node's certificate; nil: the peer port is plaintext, and whoever reaches it may claim to be any node.
	Identity *peercert.Identity
	// Dial connects to another node's peer port; it gives up when ctx ends. Default: TCP.
	Dial func(ctx context.Context, address string, timeout time.Duration) (net.Conn, error)
	// AddressOf returns a node's present peer address; "": unknown, and the one in raft's configuration counts. It is asked with every message to the
	// node and must not block. Default: always unknown.
	AddressOf func(node string) string
	// Groups returns the log of a shard's group, 0 for the meta group. It is called each time a replica opens and returns the same log.
	Groups func(shard uint32) GroupLog
	// NewMachine makes the state machine of a shard's replica, empty, when it opens and each time it is rebuilt; the meta group's for ID 0. Calls do
	// not overlap.
	NewMachine func(s *Shard) (Machine, error)
	// OnJoin answers nodes that are no members yet; nil: nobody does, before ServeJoin.
	OnJoin JoinHandler
	// OnFault is told of every fault that takes a replica out of its group; err is ErrDown when it stays out. May be nil; must not block.
	OnFault func(shard uint32, err error)
	// OnLeader is told when a replica here has learned that another node leads its group, or none, or the same in another term. May be nil; must not
	// block.
	OnLeader func(shard uint32)
	// Logger takes the log, raft's warnings included. Default: none.
	Logger *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer
	// RaftMetrics also registers raft's own metrics. They are one set for the whole process and cost CPU with every entry,
	// for summaries. Not for virtual time.
	RaftMetrics bool
	// FS is the file system under the snapshots. Default: the real one.
	FS FS

	Timing
	Bounds
}

// Timing holds the durations of a Config.
type Timing struct {
	// HeartbeatTimeout is how long a follower waits for its leader (up to twice that). Default 500 ms. The leader's lease is half of it.
	HeartbeatTimeout time.Duration
	// ElectionTimeout is how long a candidate waits for votes. Default HeartbeatTimeout.
	ElectionTimeout time.Duration
	// CommitTimeout is how long a leader with nothing to send waits (up to twice that) before it tells followers the commit index. Orders do not wait
	// for it: the leader knows what is committed, and followers learn it with the next entry. Default 100 ms: at 20 ms it is what an idle node does
	// most.
	CommitTimeout time.Duration
	// PollInterval is how often leadership is read although no signal came: signals may be dropped. Default 50 ms.
	PollInterval time.Duration
	// RPCTimeout bounds one call to a peer; a snapshot has that much for each 256 KiB. Default 5 s.
	RPCTimeout time.Duration
	// HandshakeTimeout is how long a new connection may take to say what it is. Default 3 s.
	HandshakeTimeout time.Duration
	// PingInterval is how often a connection for requests is tried; four without an answer end it. Default 1 s.
	PingInterval time.Duration
	// RedialDelay is the pause after a dial for requests that failed; it doubles, up to 64 times. Default 50 ms.
	RedialDelay time.Duration
	// StandstillAfter is how long a member may answer, trail, and come no further before the leader raises an alarm. Default 10 s.
	StandstillAfter time.Duration
	// StopGrace is how long a replica that stops waits for the outcome of proposals under way. Default 250 ms.
	StopGrace time.Duration
	// StopTimeout is how long a replica that stops waits for its goroutines. Default 10 s.
	StopTimeout time.Duration
	// RebuildDelay is the pause before a replica is rebuilt after a fault that named no entry; it doubles with each such fault, up to
	// 64 times. Default 100 ms.
	RebuildDelay time.Duration
	// SnapshotAge is how old the newest snapshot may grow while there is new work. Default 10 min.
	SnapshotAge time.Duration
	// SnapshotPoll is how often age and bytes are looked at. Default 1 s.
	SnapshotPoll time.Duration
	// SnapshotRetry is the pause after a snapshot that failed. Default 30 s.
	SnapshotRetry time.Duration
}

// Bounds holds the limits of a Config.
type Bounds struct {
	// SnapshotBytes is how many bytes of log a snapshot may be behind. Default 256 MiB.
	SnapshotBytes int64
	// MaxEntryBytes bounds a proposal. Default 256 KiB.
	MaxEntryBytes int
	// FrameBytes bounds one message on the peer port. It must exceed 64 times MaxEntryBytes, or a follower that lags could never catch up
	// (rule R21). Default 32 MiB.
	FrameBytes int64
	// MaxOutstanding bounds a shard's proposals that wait for their outcome, at most 64: raft's queue holds that many, so Propose never waits.
	// Default 64.
	MaxOutstanding int
	// MaxPeerConns bounds the connections that others opened to the peer port. Default 256 and 32 a group.
	MaxPeerConns int
	// MaxHandshakes bounds those of them that did not say yet who they are. Default 64.
	MaxHandshakes int
	// MaxConnsPerPeer bounds those of one node. Default 16 and 8 a group.
	MaxConnsPerPeer int
	// RPCFrameBytes bounds a request to another node and its answer. Default 9 MiB: the largest batch of orders, and room.
	RPCFrameBytes int64
	// MaxRPCBytes bounds the requests of all other nodes that are in memory. Default 64 MiB.
	MaxRPCBytes int64
	// MaxRPCOutstanding bounds the requests under way on a connection. Default 1024.
	MaxRPCOutstanding int
	// MaxRPCConns bounds the connections for requests to a node. Default 2.
	MaxRPCConns int
	// MaxJoins bounds the requests of nodes that are no members yet that are being answered. Default 4.
	MaxJoins int
	// MaxRPCPeers bounds the nodes, and addresses without one, that are asked. Default 64.
	MaxRPCPeers int
}

// withDefaults returns c with every zero field filled in, or why c cannot work.
func (c Config) withDefaults() (Config, error) {
	orDefault(&c.Shards, 4)
	orDefault(&c.HeartbeatTimeout, 500*time.Millisecond)
	orDefault(&c.ElectionTimeout, c.HeartbeatTimeout)
	orDefault(&c.CommitTimeout, 100*time.Millisecond)
	orDefault(&c.PollInterval, 50*time.Millisecond)
	orDefault(&c.RPCTimeout, 5*time.Second)
	orDefault(&c.HandshakeTimeout, 3*time.Second)
	orDefault(&c.PingInterval, time.Second)
	orDefault(&c.RedialDelay, 50*time.Millisecond)
	orDefault(&c.StandstillAfter, 10*time.Second)
	orDefault(&c.StopGrace, 250*time.Millisecond)
	orDefault(&c.StopTimeout, 10*time.Second)
	orDefault(&c.RebuildDelay, 100*time.Millisecond)
	orDefault(&c.SnapshotAge, 10*time.Minute)
	orDefault(&c.SnapshotPoll, time.Second)
	orDefault(&c.SnapshotRetry, 30*time.Second)
	orDefault(&c.SnapshotBytes, 256<<20)
	orDefault(&c.MaxEntryBytes, 256<<10)
	orDefault(&c.FrameBytes, 32<<20)
	orDefault(&c.MaxOutstanding, maxAppendEntries)
	orDefault(&c.MaxPeerConns, 256+32*(c.Shards+1))
	orDefault(&c.MaxHandshakes, 64)
	orDefault(&c.MaxConnsPerPeer, 16+8*(c.Shards+1))
	orDefault(&c.RPCFrameBytes, defaultRPCFrameBytes)
	orDefault(&c.MaxRPCBytes, 64<<20)
	orDefault(&c.MaxRPCOutstanding, 1024)
	orDefault(&c.MaxRPCConns, 2)
	orDefault(&c.MaxJoins, 4)
	orDefault(&c.MaxRPCPeers, 64)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.FS == nil {
		c.FS = OS{}
	}
	if c.Dial == nil {
		c.Dial = dialTCP
	}
	if c.AddressOf == nil {
		c.AddressOf = func(string) string { return "" }
	}
	if c.Advertise == "" && c.Listener != nil {
		c.Advertise = c.Listener.Addr().String()
	}
	return c, c.check()
}

func dialTCP(ctx context.Context, address string, timeout time.Duration) (net.Conn, error) {
	return (&net.Dialer{Timeout: timeout}).DialContext(ctx, "tcp", address)
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c *Config) check() error {
	reason := ""
	switch {
	case checkNodeID(c.NodeID) != "":
		reason = checkNodeID(c.NodeID)
	case c.Dir == "":
		reason = "Dir is empty"
	case c.Listener == nil:
		reason = "there is no Listener"
	case c.Groups == nil || c.NewMachine == nil:
		reason = "Groups and NewMachine are needed"
	case c.Shards < 1 || c.Shards > placement.MaxShards:
		reason = fmt.Sprintf("Shards must be 1 to %d", placement.MaxShards)
	case c.MaxOutstanding < 1 || c.MaxOutstanding > maxAppendEntries:
		reason = fmt.Sprintf("MaxOutstanding must be 1 to %d", maxAppendEntries)
	case c.checkReplicas() != "":
		reason = c.checkReplicas()
	case c.Identity != nil && c.Identity.Node() != c.NodeID:
		reason = fmt.Sprintf("the certificate is node %s's, this is %s", c.Identity.Node(), c.NodeID)
	case c.MaxJoins < 1 || c.StandstillAfter < 0:
		reason = "MaxJoins and StandstillAfter must be positive"
	case c.MaxPeerConns < 1 || c.MaxHandshakes < 1 || c.MaxConnsPerPeer < 1:
		reason = "a bound on connections is not positive"
	case c.RPCFrameBytes < rpcHeadBytes || c.MaxRPCBytes < c.RPCFrameBytes+rpcHeadBytes:
		reason = "MaxRPCBytes must exceed RPCFrameBytes"
	case c.MaxRPCOutstanding < 1 || c.MaxRPCConns < 1 || c.MaxRPCPeers < 1 || c.PingInterval < 0 || c.RedialDelay < 0:
		reason = "a bound on requests is not positive"
	case c.FrameBytes <= int64(maxAppendEntries)*int64(c.MaxEntryBytes):
		reason = fmt.Sprintf("FrameBytes must exceed %d times MaxEntryBytes", maxAppendEntries)
	default:
		err := raft.ValidateConfig(raftConfig(c, "check", nil, nil))
		if err != nil {
			reason = err.Error()
		}
	}
	if reason != "" {
		return fmt.Errorf("%w: %s", ErrConfig, reason)
	}
	return nil
}

func (c *Config) checkReplicas() string {
	for id, number := range c.Replicas {
		if number == 0 || uint64(id) > uint64(c.Shards) {
			return fmt.Sprintf("there is no replica %d of shard %d", number, id)
		}
	}
	return ""
}

// CheckNodeID returns ErrConfig for a name that no node may have.
func CheckNodeID(id string) error {
	if reason := checkNodeID(id); reason != "" {
		return fmt.Errorf("%w: %s", ErrConfig, reason)
	}
	return nil
}

func checkNodeID(id string) string {
	if id == "" || len(id) > maxNodeIDBytes {
		return fmt.Sprintf("NodeID must have 1 to %d bytes", maxNodeIDBytes)
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' || id[i] == '#' {
			return "NodeID must be printable ASCII without space or '#'"
		}
	}
	return ""
}
