package actors

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"
)

// Config is what the actors of a node share.
type Config struct {
	// Logger takes the actors' and the library's messages; nil means slog's default.
	Logger *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer
	// Now is the wall clock; nil means time.Now.
	Now func() time.Time
}

// System is the actor system of a node.
type System struct {
	actors      *actor.ActorSystem
	logger      *slog.Logger
	metrics     *metrics
	now         func() time.Time
	incarnation uint64
}

// Start returns the actor system of a node.
func Start(cfg Config) *System {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	quiet := slog.New(atLeast{cfg.Logger.Handler(), slog.LevelWarn})
	s := &System{
		logger: cfg.Logger, now: cfg.Now, incarnation: draw(), metrics: newMetrics(cfg.Registerer),
		actors: actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet }),
			// The library counts dead letters on a goroutine that nobody stops and that lives as long as this; its count is not shown.
			actor.WithDeadLetterThrottleInterval(time.Millisecond)),
	}
	// Messages to actors that are gone come here; whoever waits for them is answered (rule R16).
	s.actors.EventStream.Subscribe(func(event any) {
		dead, ok := event.(*actor.DeadLetterEvent)
		if !ok {
			return
		}
		if l, ok := dead.Message.(loser); ok {
			l.owner().lost(dead.Message)
		}
	})
	return s
}

// loser is a message that somebody waits for.
type loser interface{ owner() *Replica }

func (p *pending) owner() *Replica { return p.group.replica }
func (b *bundle) owner() *Replica  { return b.requests[0].group.replica }
func (e *entry) owner() *Replica   { return e.replica }
func (m *portion) owner() *Replica { return m.entry.replica }
func (m *handBack) owner() *Replica {
	return m.desk.r
}
func (m *failed) owner() *Replica { return m.replica }
func (m *mark) owner() *Replica   { return m.replica }

// draw returns the number that tells this start of the process from every other.
func draw() uint64 {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(fmt.Sprintf("actors: no randomness: %v", err)) // crypto/rand never fails on the systems Go supports
	}
	return binary.LittleEndian.Uint64(b[:])
}

// NewReplica starts the actors of a shard's replica, with the state of an empty log.
func (s *System) NewReplica(cfg ReplicaConfig) (*Replica, error) {
	cfg.defaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	r := &Replica{
		shard: cfg.Shard, cfg: cfg, log: cfg.Log, logger: s.logger, metrics: s.metrics, system: s.actors, clock: newClock(s.now),
		incarnation: draw(), directory: &directory{}, progress: newProgress(cfg.ApplyBacklog),
		retained: &retained{batches: make(map[uint64]*batch)}, closed: make(chan struct{}),
	}
	r.confirmer, r.opener = newConfirmer(r), newOpener(r)
	if err := r.start(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go r.confirmer.run()
	go r.opener.run(ctx)
	s.metrics.watch(r)
	return r, nil
}

// Close ends the actor system; the replicas are closed before.
func (s *System) Close() { s.actors.Shutdown() }
