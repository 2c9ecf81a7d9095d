package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/actors"
	"holdfast/api"
	"holdfast/api/access"
	"holdfast/api/audit"
	"holdfast/api/tracing"
	"holdfast/cluster"
	"holdfast/cluster/backup"
	"holdfast/cluster/control"
	"holdfast/cluster/forward"
	"holdfast/cluster/meta"
	"holdfast/cluster/peercert"
	"holdfast/storage"
	"holdfast/wal"
)

// Node is one node that serves.
type Node struct {
	cfg      Config
	id       identity
	held     *held
	registry *prometheus.Registry
	// table is what the cluster was when this node joined it, just now; nil else.
	table *meta.Cluster

	listeners struct{ http, admin, peer net.Listener }
	addrs     Addrs
	log       *wal.Log
	system    *actors.System
	gateway   *actors.Gateway
	forwarder *forward.Forwarder
	cluster   *cluster.Cluster
	control   *control.Control
	shards    []*shard // by id, from 1, also those of which nothing is here
	flusher   *storage.Flusher
	upkeep    *upkeep
	backups   *backup.Backups
	// met is closed when this node follows its cluster.
	met chan struct{}
	// keys and certificate are nil without; both are read again by the server.
	keys        *access.Keys
	certificate *access.Certificate
	// identity is this node's certificate for others; nil without.
	identity *peercert.Identity
	audit    *audit.Log
	tracing  *tracing.Exporter // nil when nobody wants spans
	server   *api.Server
	served   chan error

	draining atomic.Bool
	fatal    chan error
	closing  sync.Once
	closeErr error
}

// Addrs are the addresses really bound.
type Addrs struct{ HTTP, Admin, Peer string }

// Open opens a node bottom-up and returns when it is ready: recovered, every shard led and open; or when it has heard that it was removed from its
// cluster while it was down: it is never ready then, and Ready says so. What was opened is closed again on an error; ExitCode tells what kind it is.
func Open(ctx context.Context, cfg Config) (*Node, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, registry: newRegistry(), fatal: make(chan error, 1), served: make(chan error, 1), met: make(chan struct{})}
	for _, step := range []struct {
		name string
		open func() error
	}{
		{"reading keys and certificate", n.openAccess}, {"opening the data directory", n.openDir}, {"taking the ports", n.listen},
		{"joining the cluster", func() error { return n.join(ctx) }},
		{"recovering the log", n.openLog}, {"restoring the shards", n.openShards}, {"opening storage", n.openStorage},
		{"meeting the other nodes", n.openCluster}, {"opening the audit log", n.openAudit}, {"registering the metrics", n.observe},
		{"starting to export spans", n.openTracing}, {"opening the front door", n.openAPI},
	} {
		n.opening(step.name)
		if err := step.open(); err != nil {
			return nil, errors.Join(n.noRoom(err), n.Close())
		}
	}
	if err := n.awaitReady(ctx); err != nil {
		return nil, errors.Join(n.noRoom(err), n.Close())
	}
	return n, nil
}

func (n *Node) opening(step string) {
	if n.cfg.Opening != nil {
		n.cfg.Opening(step)
	}
}

func (n *Node) openDir() (err error) {
	n.id, err = claim(&n.cfg)
	return err
}

func (n *Node) listen() error {
	for _, l := range []struct {
		flag, addr string
		to         *net.Listener
	}{
		{"http", n.cfg.HTTP, &n.listeners.http}, {"admin", n.cfg.Admin, &n.listeners.admin}, {"peer", n.cfg.Peer, &n.listeners.peer},
	} {
		ln, err := net.Listen("tcp", l.addr)
		if err != nil {
			return fmt.Errorf("%w on --%s %s: %w", ErrListen, l.flag, l.addr, err)
		}
		*l.to = ln
	}
	n.addrs = Addrs{
		HTTP: n.listeners.http.Addr().String(), Admin: n.listeners.admin.Addr().String(), Peer: n.listeners.peer.Addr().String(),
	}
	return errors.Join(n.hushed(n.cfg.HTTP, n.listeners.http), n.hushed(n.cfg.Admin, n.listeners.admin))
}

// hushed has a listener refuse connections until the node answers. A port that the kernel chose is not kept by it meanwhile, and nobody knows it yet.
func (n *Node) hushed(addr string, l net.Listener) error {
	if _, port, err := net.SplitHostPort(addr); err != nil || port == "0" {
		return nil
	}
	return hush(l)
}

func (n *Node) openLog() (err error) {
	if err := lostLog(n.cfg.DataDir); err != nil {
		return err
	}
	cfg := n.cfg.logConfig()
	cfg.ClusterID, cfg.OnFatal, cfg.Observer = n.id.clusterID(), n.fail, newLogMetrics(n.registry)
	n.log, err = wal.Open(cfg)
	return n.advise(err)
}

// advise adds the way out to an error of the log that has one.
func (n *Node) advise(err error) error {
	dir := n.cfg.DataDir
	switch {
	case errors.Is(err, wal.ErrLocked):
		return fmt.Errorf("%w %s: another process serves from it: stop that one, or choose another with --data-dir: %w", ErrDataDir, dir, err)
	case errors.Is(err, wal.ErrOtherCluster):
		return fmt.Errorf("%w %s: its log and its node.json are not of one cluster: put back the one that was replaced: %w", ErrDataDir, dir, err)
	case errors.Is(err, wal.ErrCorrupt):
		return fmt.Errorf("node: the log is damaged and nothing was changed: 'holdfast wal verify %s' shows where; restore the directory from a copy "+
			"that it calls sound: %w", dir, err)
	}
	return err
}

// fail ends the node: whoever runs it reads Fatal.
func (n *Node) fail(err error) {
	select {
	case n.fatal <- err:
	default:
	}
}

func (n *Node) openStorage() (err error) {
	var shards []storage.Shard
	for _, s := range n.shards {
		if s.group.Load() != nil {
			shards = append(shards, n.flushedShard(s))
		}
	}
	n.flusher, err = storage.Open(storage.Config{
		Sink: n.cfg.Sink, Path: filepath.Join(n.cfg.DataDir, "orders.db"), ClusterID: n.id.ClusterID, AdoptSink: n.cfg.AdoptSink,
		Epoch: n.id.Epoch, Ancestors: n.id.ancestors(),
		Shards: shards, Term: n.flushTerm, BacklogOrders: n.cfg.FlushBacklog,
		Registerer: n.registry, Logger: n.cfg.Logger,
	})
	if errors.Is(err, storage.ErrForeignFile) && n.cfg.Sink == "sqlite" {
		err = fmt.Errorf("node: nothing was changed: bring back orders.db of %s from a copy; or move it away, and the next start fills a new one "+
			"with what is in memory: %w", n.cfg.DataDir, err)
	}
	return err
}

// flushTerm returns the raft term in which this node writes a shard's rows: any for a database of its own, one that it leads in for a shared one.
func (n *Node) flushTerm(id uint32) uint64 {
	group := n.shards[id-1].group.Load()
	if group == nil {
		return 0
	}
	term := group.Term()
	if storage.SharedSink(n.cfg.Sink) && !group.Leads(term) {
		return 0
	}
	return term
}

// openCluster begins to follow and to serve the cluster.
func (n *Node) openCluster() (err error) {
	n.gateway = n.system.NewGateway(n, func() string {
		if n.log.OverSoftBound() {
			return "wal-soft-bytes"
		}
		return ""
	})
	n.forwarder, err = forward.New(forward.Config{
		Local: n.gateway, Routes: routes{n.control, n.cluster}, Peers: n.cluster.Peers(), Incarnation: n.id.incarnation(),
		MaxClockSkew: n.cfg.MaxClockSkew, Logger: n.cfg.Logger, Registerer: n.registry, Bounds: forward.Bounds{
			MaxForwarded: n.cfg.MaxForwarded, MaxForwardedBytes: n.cfg.MaxForwardedBytes, MaxLeaderless: n.cfg.MaxLeaderless,
		},
	})
	if err != nil {
		return err
	}
	for kind, h := range n.forwarder.Handlers() {
		n.cluster.Peers().Handle(kind, h)
	}
	n.cluster.Peers().Handle(cluster.KindSinkRows, rows{n})
	n.backups, err = backup.New(backup.Config{
		NodeID: n.cfg.NodeID, Version: n.cfg.Build.Version, Ancestors: n.id.ancestors(), View: n.control, Groups: backup.Of(n.cluster),
		Peers: n.cluster.Peers(), Logger: n.cfg.Logger, Registerer: n.registry,
	})
	if err != nil {
		return err
	}
	n.cluster.Peers().Handle(cluster.KindSnapshot, n.backups.Handler())
	n.cluster.Peers().Handle(cluster.KindAvailability, nearby{n})
	n.control.Start(control.Of(n.cluster))
	close(n.met)
	n.upkeep = startUpkeep(n)
	return nil
}

func (n *Node) openAPI() (err error) {
	n.server, err = api.New(api.Config{
		Core: core{n.forwarder, n}, Cluster: topologist{n}, Health: n, Registry: n.registry, Build: n.cfg.Build, Logger: n.cfg.Logger,
		MaxBodyBytes: n.cfg.MaxBodyBytes, MaxBatchBytes: n.cfg.MaxBatchBytes, MaxBodyMemoryBytes: n.cfg.MaxBodyMemoryBytes,
		BodyTimeout: n.cfg.BodyTimeout, MaxConns: n.cfg.MaxConns, MaxAdminConns: n.cfg.MaxAdminConns,
		Keys: n.keys, Certificate: n.certificate, Audit: n.audit, RequestLog: n.cfg.RequestLog, Tracer: n.tracer(),
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	public, admin := n.listeners.http, n.listeners.admin
	if err := errors.Join(speak(public), speak(admin)); err != nil {
		return err
	}
	n.listeners.http, n.listeners.admin = nil, nil // the server closes them
	go func() { n.served <- n.server.Serve(public, admin) }()
	return nil
}

// awaitReady waits until the actors of every shard have opened, which they do once all of the log is applied, and the log has its next segment.
func (n *Node) awaitReady(ctx context.Context) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	told := waitLog{logger: n.cfg.Logger}
	for {
		waiting := ""
		for _, c := range n.Ready() {
			if !c.OK && !c.Advisory {
				waiting = c.Name + ": " + c.Detail
				break
			}
		}
		if waiting == "" && !n.hasSpare() {
			waiting = "log: the segment after this one is being made"
		}
		if waiting == "" || n.table == nil && n.wasRemoved() {
			return nil
		}
		n.opening("waiting for " + waiting)
		told.note(time.Now(), waiting)
		for _, s := range n.shards {
			if group := s.group.Load(); group != nil && errors.Is(group.Fault(), cluster.ErrEntryFailed) {
				return group.Fault()
			}
		}
		select {
		case <-tick.C:
		case err := <-n.fatal:
			return err
		case <-ctx.Done():
			return fmt.Errorf("node: not ready, %s: %w", waiting, ctx.Err())
		}
	}
}

// Addrs returns the addresses really bound.
func (n *Node) Addrs() Addrs { return n.addrs }

// Fatal yields an error when the node cannot go on: the disk failed or stalled. Close it then and end the process.
func (n *Node) Fatal() <-chan error { return n.fatal }
