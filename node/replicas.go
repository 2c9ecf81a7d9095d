package node

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"holdfast/actors"
	"holdfast/cluster"
	"holdfast/cluster/control"
	"holdfast/cluster/meta"
	"holdfast/cluster/placement"
	"holdfast/stock"
	"holdfast/storage"
)

// metaGroup is the id of the group in which the cluster keeps what it knows of itself.
const metaGroup = 0

var _ control.Replicas = (*Node)(nil)

// openShards opens the replicas that the data directory holds.
func (n *Node) openShards() (err error) {
	if n.held, err = readHeld(n.cfg.DataDir, &n.id); err != nil {
		return err
	}
	n.system = actors.Start(actors.Config{Logger: n.cfg.Logger, Registerer: n.registry})
	for id := range n.id.Shards {
		n.shards = append(n.shards, &shard{id: uint32(id + 1), node: n.cfg.NodeID, restored: n.id.restored(uint32(id + 1))})
	}
	if n.table == nil {
		n.table = n.readTable()
	}
	n.control, err = control.New(control.Config{
		NodeID: n.cfg.NodeID, Incarnation: n.id.incarnation(), ClusterID: n.id.clusterID(), Addresses: n.advertised(), Binary: n.binary(),
		Create: n.creation(), Table: n.table, Seeds: n.id.Seeds, Replicas: n, Report: n.report,
		Logger: n.cfg.Logger, Registerer: n.registry, Timing: control.Timing{MaxClockSkew: n.cfg.MaxClockSkew},
	})
	if err != nil {
		return err
	}
	peer := n.listeners.peer
	n.listeners.peer = nil // the cluster closes it, also when it fails
	n.cluster, err = cluster.Open(cluster.Config{
		NodeID: n.cfg.NodeID, ClusterID: n.id.clusterID(), Dir: filepath.Join(n.cfg.DataDir, "snapshots"), Shards: n.id.Shards,
		Replicas: n.held.all(), Bootstrap: n.id.Founder, Listener: peer, Advertise: n.advertised().Peer, AddressOf: n.control.AddressOf,
		Identity:   n.identity,
		Groups:     func(id uint32) cluster.GroupLog { return n.log.Group(id) },
		NewMachine: n.newMachine, OnFault: n.shardFault, OnLeader: func(uint32) { n.control.LeaderMoved() },
		Logger: n.cfg.Logger, Registerer: n.registry,
		Timing: cluster.Timing{SnapshotAge: n.cfg.SnapshotAge}, Bounds: cluster.Bounds{SnapshotBytes: n.cfg.SnapshotBytes},
	})
	if err != nil {
		return err
	}
	return n.attachHeld()
}

// attachHeld joins the shards that are here to their groups. A replica that was being removed when the process ended is gone now.
func (n *Node) attachHeld() error {
	for id := range n.held.all() {
		group := n.cluster.Shard(id)
		if group == nil {
			if err := n.held.drop(id); err != nil {
				return err
			}
			continue
		}
		if id != metaGroup {
			n.shards[id-1].group.Store(group)
		}
	}
	return nil
}

// OpenReplica opens a new replica, empty, that waits to be added to its group.
func (n *Node) OpenReplica(id uint32, number uint64) error {
	if err := n.held.put(id, number); err != nil {
		return err
	}
	group, err := n.cluster.OpenReplica(id, number)
	if err != nil || id == metaGroup {
		return err
	}
	s := n.shards[id-1]
	s.group.Store(group)
	return n.flusher.AddShard(n.flushedShard(s))
}

// removeTimeout is how long storage may take to let go of a shard.
const removeTimeout = 5 * time.Second

// RemoveReplica closes a replica and removes its log, term, vote and snapshots. Its rows stay in storage.
func (n *Node) RemoveReplica(id uint32) error {
	if id != metaGroup {
		ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
		defer cancel()
		if err := n.flusher.RemoveShard(ctx, id); err != nil && !errors.Is(err, storage.ErrNoShard) {
			return err
		}
	}
	if err := n.cluster.RemoveReplica(id); err != nil {
		return err
	}
	if id != metaGroup {
		n.shards[id-1].detach()
	}
	return n.held.drop(id)
}

// newMachine makes the state machine of a replica; it is called again after a fault.
func (n *Node) newMachine(group *cluster.Shard) (cluster.Machine, error) {
	if group.ID() == metaGroup {
		return n.control.Machine(), nil
	}
	settings := stock.DefaultSettings()
	settings.RetentionMS = n.cfg.Retention.Milliseconds()
	id := group.ID()
	r, err := n.system.NewReplica(actors.ReplicaConfig{
		Shard: id, Log: raftLog{group}, Init: stock.Init{Epoch: n.id.Epoch, Partitions: n.partitions(id), Settings: settings},
		MaxTokens: n.cfg.MaxPending, MaxParked: n.cfg.MaxParked, MaxRemembered: n.cfg.MaxRemembered, ApplyBacklog: n.cfg.ApplyBacklog,
		MaxClockSkew: n.cfg.MaxClockSkew, MaxDowntime: n.cfg.MaxDowntime, AcceptClock: n.cfg.AcceptClock,
		ClocksAgree:  func(ctx context.Context) error { return n.clocksAgree(ctx, group) },
		FastRefusals: n.cfg.Refusals == "fast", HashEvery: n.cfg.HashEvery, Sinks: true,
		ID: meta.RaftID(n.cfg.NodeID, group.Number()), Members: func() []string { return membersOf(group) },
		Settings: n.settings, FirstLevel: stock.Level, Level: func() uint16 { return n.control.Cluster().Level },
		OnFault: func(index uint64, err error) { n.replicaFault(group, index, err) },
	})
	if err != nil {
		return nil, err
	}
	n.shards[id-1].replica.Store(r)
	m := machine{Replica: r}
	if n.cfg.flip != nil {
		m.flip = n.cfg.flip(id, group.Number())
	}
	return m, nil
}

// clocksAgree compares this machine's clock with those of the shard's other voters (rule R2).
func (n *Node) clocksAgree(ctx context.Context, group *cluster.Shard) error {
	members, known := group.Group()
	others := known && slices.ContainsFunc(members.Members, func(m meta.GroupMember) bool { return m.Role == meta.Voter && m.Node != n.cfg.NodeID })
	if known && !others {
		return nil
	}
	select {
	case <-n.met:
		return n.control.ClocksAgree(ctx, group.ID(), n.cfg.MaxClockSkew)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settings returns the shard's settings as the cluster's table wants them.
func (n *Node) settings(now stock.Settings) (want stock.Settings, version uint64) {
	table := n.control.Cluster()
	if !table.Created() {
		return now, 0
	}
	now.RetentionMS, now.MaxOpenOrders = table.Settings.RetentionMS, table.Settings.MaxOpenOrders
	return now, max(1, table.Version)
}

// membersOf returns the raft ids of a group's members.
func membersOf(group *cluster.Shard) []string {
	g, ok := group.Group()
	if !ok {
		return nil
	}
	ids := make([]string, len(g.Members))
	for i, m := range g.Members {
		ids[i] = meta.RaftID(m.Node, m.Number)
	}
	return ids
}

// replicaFault takes a replica out of its group. A clock that does not agree with the log ends the node where it is the only voter: nobody else can
// lead.
func (n *Node) replicaFault(group *cluster.Shard, index uint64, err error) {
	if errors.Is(err, actors.ErrClock) {
		n.fail(err)
		return
	}
	group.Fail(index, err)
}

// partitions returns those of a shard. They are written into the first entry of its log and never change.
func (n *Node) partitions(id uint32) (owned []stock.Partition) {
	for p, owner := range placement.Partitions(n.id.Shards) {
		if owner == id {
			owned = append(owned, stock.Partition(p))
		}
	}
	return owned
}

func (n *Node) shardFault(id uint32, err error) {
	n.cfg.Logger.Error("a replica is out of its group", "shard", id, "error", err)
}

// flushedShard is a shard as storage sees it.
func (n *Node) flushedShard(s *shard) storage.Shard {
	return storage.Shard{ID: s.id, Source: s, Partitions: n.partitions(s.id)}
}
