package cluster

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/cluster/placement"
)

// Cluster is a node's part of a cluster: its shards' replicas and its peer port.
type Cluster struct {
	cfg     Config
	metrics *metrics
	port    *peerPort
	peers   *Peers
	joins   *joins
	table   []uint32 // partition to shard id
	slots   []slot   // by shard id, the meta group's first

	making  sync.Mutex // one Config.NewMachine at a time
	closing atomic.Bool
	once    sync.Once
	err     error // what Close said
}

// Open opens the replicas of Config.Replicas from their snapshots and logs. It returns before leaders are elected. One that was being removed when
// the process ended is removed to its end instead, which is no error: Shard returns nil for it. When Open fails everything is closed again, the
// Listener too.
func Open(cfg Config) (*Cluster, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		if cfg.Listener != nil {
			_ = cfg.Listener.Close()
		}
		return nil, err
	}
	c := &Cluster{cfg: cfg, metrics: newMetrics(), table: placement.Partitions(cfg.Shards), slots: make([]slot, cfg.Shards+1)}
	if err := c.metrics.register(cfg.Registerer, cfg.RaftMetrics); err != nil {
		_ = cfg.Listener.Close()
		return nil, err
	}
	c.port = newPeerPort(&c.cfg, c.metrics)
	c.describeIdentity()
	if c.peers, err = newPeers(c.port); err != nil {
		return nil, errors.Join(err, c.port.close())
	}
	if c.joins, err = newJoins(c.port); err != nil {
		c.peers.close()
		return nil, errors.Join(err, c.port.close())
	}
	if err := c.openReplicas(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// newMachine calls the factory.
func (c *Cluster) newMachine(s *Shard) (Machine, error) {
	c.making.Lock()
	defer c.making.Unlock()
	m, err := c.cfg.NewMachine(s)
	if err == nil && m == nil {
		err = fmt.Errorf("%w: NewMachine returned nothing", ErrConfig)
	}
	return m, err
}

// Peers returns what asks other nodes and answers them.
func (c *Cluster) Peers() *Peers { return c.peers }

// ReloadIdentity reads this node's certificate, key and authorities again, for connections made from now on. On an error they stay as they were.
func (c *Cluster) ReloadIdentity() error {
	if c.cfg.Identity == nil {
		return nil
	}
	err := c.cfg.Identity.Reload()
	if err != nil {
		c.metrics.peerReloads.WithLabelValues("failed").Inc()
		c.cfg.Logger.Error("the files of the peer port could not be read again: what they held stays in force", "error", err)
		return fmt.Errorf("cluster: reload: %w", err)
	}
	c.metrics.peerReloads.WithLabelValues("ok").Inc()
	c.describeIdentity()
	return nil
}

// describeIdentity says which certificate is in force and what about it should be mended.
func (c *Cluster) describeIdentity() {
	id := c.cfg.Identity
	if id == nil {
		return
	}
	ends := id.NotAfter()
	c.metrics.peerCertificate.Set(float64(ends.Unix()))
	c.cfg.Logger.Info("peer certificate in force", "file", id.Path(), "node", id.Node(), "not_after", ends.UTC())
	if id.Exposed() {
		c.cfg.Logger.Warn("others may read or change the private key of the peer port: chmod 0600 it", "certificate", id.Path())
	}
	if time.Now().After(ends) {
		c.cfg.Logger.Warn("the peer certificate has expired: other nodes refuse this one", "file", id.Path(), "not_after", ends.UTC())
	}
}

// Close stops every shard, then the peer port. Proposals under way get their outcome first, for Config.StopGrace. It may be called again, and while a
// replica is being opened or removed: it waits for that.
func (c *Cluster) Close() error {
	c.once.Do(func() {
		c.closing.Store(true)
		var wg sync.WaitGroup
		errs := make([]error, len(c.slots)+1)
		for i := range c.slots {
			wg.Go(func() {
				c.slots[i].changing.Lock()
				defer c.slots[i].changing.Unlock()
				if s := c.slots[i].shard.Load(); s != nil {
					errs[i] = s.close()
				}
			})
		}
		wg.Wait()
		c.joins.close()
		c.peers.close()
		errs[len(c.slots)] = c.port.close()
		c.metrics.unregister()
		c.err = errors.Join(errs...)
	})
	return c.err
}

// Shards returns the data shards of which this node has a replica, by id. The slice is the caller's.
func (c *Cluster) Shards() []*Shard {
	var held []*Shard
	for i := range c.slots[1:] {
		if s := c.slots[i+1].shard.Load(); s != nil {
			held = append(held, s)
		}
	}
	return held
}

// Shard returns the shard of that id, 0 for the meta group; nil when this node has no replica of it.
func (c *Cluster) Shard(id uint32) *Shard {
	if uint64(id) >= uint64(len(c.slots)) {
		return nil
	}
	return c.slots[id].shard.Load()
}
