package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"holdfast/cluster"
	"holdfast/cluster/control"
	"holdfast/cluster/meta"
	"holdfast/cluster/placement"
	"holdfast/stock"
)

// join asks the cluster's nodes to take this one in, when its directory says that it has not been. The incarnation was written before, so asking
// again after a crash is asking for the same node.
func (n *Node) join(ctx context.Context) error {
	if !n.id.joining() {
		if len(n.cfg.Join) > 0 {
			n.cfg.Logger.Info("the data directory holds a node already: --join is not looked at", "cluster", n.id.ClusterID)
		}
		return nil
	}
	among := n.others()
	if len(among) == 0 {
		return fmt.Errorf("%w: --join names nobody but this node: name a node that runs, or start without it for a cluster of its own", ErrJoin)
	}
	welcome, err := control.Join(ctx, control.JoinConfig{
		NodeID: n.cfg.NodeID, Incarnation: n.id.incarnation(), Addresses: n.advertised(), Binary: n.binary(),
		Ask: func(ctx context.Context, address string, body []byte) ([]byte, error) {
			return cluster.AskToJoin(ctx, cluster.JoinConfig{NodeID: n.cfg.NodeID, Identity: n.identity, Logger: n.cfg.Logger}, address, body)
		},
		Among: among, Timeout: n.cfg.JoinTimeout, Logger: n.cfg.Logger,
	})
	switch {
	case errors.Is(err, control.ErrNobodyToJoin):
		return fmt.Errorf("%w: nobody took this node in within %v: start a node at one of %s first, or mend the addresses: %w",
			ErrJoin, n.cfg.JoinTimeout, strings.Join(among, ", "), control.Plain(err))
	case err != nil:
		return fmt.Errorf("%w: %w", ErrDataDir, err)
	}
	n.id.take(welcome)
	n.table = welcome.Table
	n.cfg.Logger.Info("joined a cluster: its replicas follow", "cluster", n.id.ClusterID, "nodes", len(welcome.Table.Nodes), "shards", welcome.Shards)
	return n.id.write(n.cfg.DataDir)
}

// others are the addresses to ask. All nodes may be started with one line that names each of them: this one would wait for its own answer.
func (n *Node) others() []string {
	among := append(slices.Clone(n.cfg.Join), n.id.Seeds...)
	own := []string{n.advertised().Peer, n.addrs.Peer, n.cfg.Peer}
	return slices.DeleteFunc(among, func(address string) bool { return slices.Contains(own, address) })
}

// take makes the identity that of a member.
func (id *identity) take(w control.Welcome) {
	id.ClusterID, id.Shards, id.Epoch = fmt.Sprintf("%x", w.ClusterID), w.Shards, w.Epoch
	id.Seeds = nil
	for i := range w.Table.Nodes {
		if member := &w.Table.Nodes[i]; member.ID != id.NodeID {
			id.Seeds = append(id.Seeds, member.Peer)
		}
	}
}

// advertised are the addresses under which others reach this node.
func (n *Node) advertised() meta.Addresses {
	pick := func(told, bound string) string {
		if told != "" {
			return told
		}
		return bound
	}
	return meta.Addresses{
		Peer: pick(n.cfg.AdvertisePeer, n.addrs.Peer), HTTP: pick(n.cfg.AdvertiseHTTP, n.addrs.HTTP),
		Admin: pick(n.cfg.AdvertiseAdmin, n.addrs.Admin),
	}
}

// binary is what this process runs: its version and the highest level of the rules that it knows.
func (n *Node) binary() meta.Binary {
	return meta.Binary{Version: n.cfg.Build.Version, Level: stock.Level}
}

// creation is the command that begins the cluster, nil for a node that joined one.
func (n *Node) creation() *meta.Create {
	if !n.id.Founder {
		return nil
	}
	settings := meta.DefaultSettings()
	settings.RetentionMS = n.cfg.Retention.Milliseconds()
	if o := n.id.Origin; o != nil {
		settings = meta.Settings{RetentionMS: o.RetentionMS, MaxOpenOrders: o.MaxOpenOrders, MaxNodes: o.MaxNodes}
	}
	return &meta.Create{
		ClusterID: n.id.clusterID(), Epoch: n.id.Epoch, Level: stock.Level, Node: n.cfg.NodeID, Incarnation: n.id.incarnation(),
		Addresses: n.advertised(), Binary: n.binary(), Shards: uint32(n.id.Shards), Partitions: placement.Partitions(n.id.Shards), Settings: settings,
	}
}
