package actors

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"holdfast/stock"
)

// Replica is a shard's copy on this node: the shard's actor, the actors of its hot SKUs and its proposer. Raft hands it committed entries and
// tells it when it leads; the gateway hands it requests. It serves one life of a raft group: after Close a new one takes its place.
type Replica struct {
	shard       uint32
	cfg         ReplicaConfig
	log         Log
	logger      *slog.Logger
	metrics     *metrics
	system      *actor.ActorSystem
	clock       *clock
	incarnation uint64
	directory   *directory
	progress    *progress
	retained    *retained

	proposer  *proposer
	confirmer *confirmer
	opener    *opener
	shardBox  *mailbox
	pids      []*actor.PID

	// term is the one that admission is open for; 0 while it is not.
	term atomic.Uint64
	// tokens counts the requests in the actors' hands.
	tokens atomic.Int64
	// applying is the last entry that the shard's actor began, to name it when an actor panics.
	applying atomic.Uint64
	flushed  atomic.Uint64
	// everywhere is how far all sinks are that must have the rows, and the term in which that was found out.
	everywhere atomic.Pointer[everywhere]
	// past is what the log said when admission opened first.
	past atomic.Pointer[Past]
	// identity is what this replica and others said at hash marks; expiredAt is the last entry by which holds fell due.
	identity identity
	// settings are the shard's, as of the last applied entry.
	settings  atomic.Pointer[stock.Settings]
	expiredAt atomic.Uint64
	alarmed   sync.Map // numbers of SKUs that an alarm was raised for
	// issued is the sequence of the newest proposal that was begun.
	issued atomic.Uint64
	// opened: the clock was held against log time and found right.
	opened atomic.Bool

	faultOnce sync.Once
	closeOnce sync.Once
	closed    chan struct{}
	// stop ends what the opener asks.
	stop context.CancelFunc
}

// ReplicaConfig is what a replica needs besides its system.
type ReplicaConfig struct {
	Shard uint32
	// Log is where proposals go.
	Log Log
	// Init is proposed by the shard's very first leader.
	Init stock.Init
	// MaxTokens bounds the requests in the actors' hands; beyond, requests are refused as overloaded ("max-pending").
	MaxTokens int
	// MaxParked bounds the parked orders of a SKU ("max-parked").
	MaxParked int
	// MaxRemembered bounds the outcomes that a SKU remembers until a deadline: of retried orders, refused payments and changes of the SKU
	// ("max-remembered"). What is in flight when it is reached comes on top.
	MaxRemembered int
	// MaxOutstanding bounds the entries on their way to commit.
	MaxOutstanding int
	// MaxProposalBytes bounds an entry.
	MaxProposalBytes int
	// ApplyBacklog bounds the committed entries that wait in actors; raft's apply waits beyond it.
	ApplyBacklog int
	// MaxJournalRows bounds the notes of what changed, for storage; beyond, they are made again from the orders.
	MaxJournalRows int
	// MaxClockSkew and MaxDowntime bound how far the wall clock may be behind and ahead of the log's time at a start; AcceptClock overrides.
	MaxClockSkew, MaxDowntime time.Duration
	AcceptClock               bool
	// ClocksAgree returns nil when this machine's clock agrees, within MaxClockSkew, with those of a majority of the shard's voters. It is asked
	// before a term opens, and again while raft leads and it says no; it returns soon after ctx ends. Nil means that they always do.
	ClocksAgree func(ctx context.Context) error
	// FastRefusals lets refusals of orders leave without a leadership check. They are marked (stock.Outcome.Unconfirmed), since another replica may
	// lead by then and would have accepted.
	FastRefusals bool
	// ID is the replica's in the raft group, by which a hash mark names it.
	ID string
	// Members returns the ids of the replicas in the raft group as it is, voters and learners, in a slice of the caller's own. Asked by the leader
	// only, at most once a second; it must not wait. With nil, or fewer than two members, there are no hash marks.
	Members func() []string
	// Sinks says that sinks of other replicas must have the rows, too (rule R27): settled orders leave memory by FlushedEverywhere, not by Flushed.
	Sinks bool
	// HashEvery is the least time between two hash marks; below 0 there are none.
	HashEvery time.Duration
	// Settings returns what the shard's settings should be, given what they are, and the version of the cluster's table that says so, 0 while it is
	// not known; nil: they stay. It must not wait.
	Settings func(now stock.Settings) (want stock.Settings, version uint64)
	// FirstLevel is the level that a new shard begins with; 0: the first there is.
	FirstLevel uint16
	// Level returns the level of the rules that every member's binary knows (rule R1); nil: the shard stays at its own. It must not wait.
	Level func() uint16
	// OnFault is called once, on a goroutine of its own, when the replica cannot go on: index names the entry, err wraps ErrPanic, ErrClock,
	// ErrDiverged, ErrDamaged, or what was wrong with the entry.
	OnFault func(index uint64, err error)
}

func (c *ReplicaConfig) defaults() {
	orDefault(&c.MaxTokens, 65536)
	orDefault(&c.MaxParked, stock.DefaultMaxParked)
	orDefault(&c.MaxRemembered, stock.DefaultMaxRemembered)
	orDefault(&c.MaxOutstanding, 2)
	orDefault(&c.MaxProposalBytes, stock.MaxProposalBytes)
	orDefault(&c.ApplyBacklog, 64)
	orDefault(&c.MaxJournalRows, stock.DefaultJournalRows)
	orDefault(&c.MaxClockSkew, 500*time.Millisecond)
	orDefault(&c.MaxDowntime, 7*24*time.Hour)
	orDefault(&c.HashEvery, 10*time.Second)
}

// leastProposalBytes holds the longest command but Init, with room to spare.
const leastProposalBytes = 2048

// check refuses a bound under which the shard could never open, or an order never be written.
func (c *ReplicaConfig) check() error {
	if c.MaxProposalBytes < leastProposalBytes {
		return fmt.Errorf("%w: %d bytes, at least %d are needed", ErrProposalBytes, c.MaxProposalBytes, leastProposalBytes)
	}
	if err := stock.NewProposalWriter(c.MaxProposalBytes).Add(&c.Init); err != nil {
		return fmt.Errorf("%w for the %d partitions of shard %d: %w", ErrProposalBytes, len(c.Init.Partitions), c.Shard, err)
	}
	return nil
}

func orDefault[T int | time.Duration](v *T, to T) {
	if *v == 0 {
		*v = to
	}
}

// Shard returns the shard's id.
func (r *Replica) Shard() uint32 { return r.shard }

// Apply takes committed entries in log order (rule R13). Data nil stands for an entry of raft's own.
func (r *Replica) Apply(index, term uint64, data []byte) error {
	e := &entry{index: index, term: term, replica: r, header: stock.Header{Term: term}}
	e.holders.Store(1)
	if data != nil {
		if err := r.read(e, data); err != nil {
			return fmt.Errorf("actors: entry %d of shard %d: %w", index, r.shard, err)
		}
	}
	if e.header.Incarnation == r.incarnation && e.header.Term == term {
		r.confirmer.committed(term, e.header.Sequence)
	}
	if !r.takeSlot() {
		finishItems(e.items, stock.Outcome{Code: stock.OutcomeUnknown})
		return ErrClosed
	}
	r.progress.start(index)
	r.system.Root.Send(r.directory.shard.Load(), e)
	return nil
}

// read takes the commands from the batch this process proposed, or decodes them. The batch counts only if incarnation, sequence and checksum are
// those of the committed entry (rule R1).
func (r *Replica) read(e *entry, data []byte) error {
	h, checksum, err := stock.PeekHeader(data)
	if err != nil {
		return err
	}
	if h.Incarnation == r.incarnation {
		if b := r.retained.take(h.Sequence); b != nil {
			if b.checksum == checksum && b.term == h.Term {
				e.header, e.items = h, b.items
				return nil
			}
			r.fail(b.items, stock.Outcome{Code: stock.OutcomeUnknown})
		}
	}
	p, err := stock.DecodeProposal(data)
	if err != nil {
		return err
	}
	e.header, e.items = p.Header, make([]item, len(p.Commands))
	for i, c := range p.Commands {
		e.items[i].cmd = c
	}
	return nil
}

// Lead says that raft leads in a term.
func (r *Replica) Lead(term uint64) {
	r.opener.lead(term)
	r.proposer.box.PostUserMessage(&leading{term})
}

// Follow says that terms up to this one are over for this replica.
func (r *Replica) Follow(term uint64) {
	r.opener.close(term)
	r.confirmer.close(term)
	r.proposer.box.PostUserMessage(&closing{term})
	r.system.Root.Send(r.directory.shard.Load(), &closing{term})
}

// Term returns the raft term that admission is open for, 0 while it is closed.
func (r *Replica) Term() uint64 { return r.term.Load() }

// Applied returns the last index up to which all actors have applied.
func (r *Replica) Applied() uint64 { return r.progress.applied.Load() }

// Backlog returns how many committed entries wait in actors.
func (r *Replica) Backlog() int { return len(r.progress.slots) }

// visit calls book with the shard's state and ledger with every ledger that is away, at one place of the log.
func (r *Replica) visit(ctx context.Context, m *mark) error {
	m.done, m.replica = make(chan struct{}), r
	m.holders.Store(1)
	r.system.Root.Send(r.directory.shard.Load(), m)
	select {
	case <-m.done:
		return r.complete(m)
	case <-ctx.Done():
		return ctx.Err()
	case <-r.closed:
		return ErrClosed
	}
}

// Ping returns when the shard's actor and the actors of its hot SKUs have answered; they do after what is in their mailboxes already.
func (r *Replica) Ping(ctx context.Context) error {
	return r.visit(ctx, &mark{book: func(*stock.Book) {}, ledger: func(*stock.Ledger, uint64) {}})
}

func (r *Replica) complete(m *mark) error {
	if !m.torn.Load() {
		return nil
	}
	select {
	case <-r.closed:
		return ErrClosed
	default:
		return ErrReplaced
	}
}

// Snapshot returns the state after the last entry given to Apply, without stopping orders (rule R23).
func (r *Replica) Snapshot() (*stock.Cut, error) {
	var mu sync.Mutex
	var cut *stock.Cut
	err := r.visit(context.Background(), &mark{
		book: func(b *stock.Book) {
			mu.Lock()
			defer mu.Unlock()
			cut = b.Cut()
		},
		ledger: func(l *stock.Ledger, _ uint64) {
			part := l.Cut()
			mu.Lock()
			defer mu.Unlock()
			cut.Add(part)
		},
	})
	if err != nil {
		return nil, err
	}
	cut.OnCorrupt = r.damaged
	return cut, nil
}

// Changes returns rows for storage; see stock.Journal.Changes. Rows of different actors may stand at different places of the log; UpTo is the
// least of them. With limit 0 it returns no rows, and how far the actors have come.
func (r *Replica) Changes(ctx context.Context, since uint64, limit int) (stock.Changes, error) {
	var mu sync.Mutex
	var all stock.Changes
	span := stock.Span{Since: since, Limit: limit, Durable: r.flushed.Load()}
	err := r.visit(ctx, &mark{
		book: func(b *stock.Book) {
			mu.Lock()
			defer mu.Unlock()
			s := span
			if limit == 0 {
				s.Since = max(since, b.Index())
			}
			all = b.Changes(s)
		},
		ledger: func(l *stock.Ledger, applied uint64) {
			s := span
			if s.Applied = applied; limit == 0 {
				s.Since = max(since, applied)
			}
			part := l.Changes(s)
			mu.Lock()
			defer mu.Unlock()
			all.UpTo = min(all.UpTo, part.UpTo)
			if len(all.Orders) == 0 { // mostly there is one part with many
				all.Orders = part.Orders
			} else {
				all.Orders = append(all.Orders, part.Orders...)
			}
			all.SKUs = append(all.SKUs, part.SKUs...)
		},
	})
	if err != nil {
		return stock.Changes{}, err
	}
	return all, nil
}

// Hash returns the hash of the whole state and the last entry before the place it was taken at.
func (r *Replica) Hash(ctx context.Context) (hash, index uint64, err error) {
	var sum atomic.Uint64
	var at uint64 // an actor may still write it when the visit is given up
	err = r.visit(ctx, &mark{
		book: func(b *stock.Book) {
			at = b.Index()
			sum.Add(b.Hash())
		},
		ledger: func(l *stock.Ledger, _ uint64) { sum.Add(l.Hash()) },
	})
	if err != nil {
		return 0, 0, err
	}
	return sum.Load(), at, nil
}

// Flushed says that storage has everything up to an index.
func (r *Replica) Flushed(index uint64) { r.flushed.Store(index) }

// FlushedEverywhere says that every sink that must have the rows, those of other replicas included, has everything up to index (rule R27), as was
// found out in a term. In another term it counts for nothing: a replica may have been added meanwhile that has less.
func (r *Replica) FlushedEverywhere(term, index uint64) { r.everywhere.Store(&everywhere{term, index}) }

// everywhere is what FlushedEverywhere was told.
type everywhere struct{ term, index uint64 }

// evictTo returns the index up to which settled orders may leave memory.
func (r *Replica) evictTo() uint64 {
	if !r.cfg.Sinks {
		return r.flushed.Load()
	}
	if all := r.everywhere.Load(); all != nil && all.term == r.term.Load() {
		return all.index
	}
	return 0
}

// Past is what a replica's log held before it was first led from here.
type Past struct {
	// Mark is the newest flush mark (rule R27), Index the last entry.
	Mark, Index uint64
}

// Past returns what the log held when admission opened first; false before.
func (r *Replica) Past() (Past, bool) {
	if p := r.past.Load(); p != nil {
		return *p, true
	}
	return Past{}, false
}

// FlushMark returns the index of the newest flush mark that was applied.
func (r *Replica) FlushMark(ctx context.Context) (index uint64, err error) {
	var found uint64 // an actor may still write it when the visit is given up
	if err := r.visit(ctx, &mark{book: func(b *stock.Book) { found = b.Flushed() }, ledger: func(*stock.Ledger, uint64) {}}); err != nil {
		return 0, err
	}
	return found, nil
}

// Restore replaces the state by the one that a snapshot holds; it returns when the actors have it.
func (r *Replica) Restore(src io.Reader) error {
	book, err := stock.ReadSnapshot(src)
	if err != nil {
		return err
	}
	book.BoundJournal(r.cfg.MaxJournalRows)
	m := &restored{book: book, done: make(chan struct{})}
	r.system.Root.Send(r.directory.shard.Load(), m)
	select {
	case <-m.done:
		r.progress.restart(book.Index())
		return nil
	case <-r.closed:
		return ErrClosed
	}
}

// Availability returns the published snapshot of a SKU.
func (r *Replica) Availability(sku string) (stock.Availability, bool) {
	if l := r.directory.find(sku); l != nil {
		if a := l.published.Load(); a != nil {
			return *a, true
		}
	}
	return stock.Availability{}, false
}

// submit hands admitted commands to the proposer and returns an empty slice for the next ones.
func (r *Replica) submit(items []item) []item {
	if len(items) == 0 {
		return items
	}
	r.proposer.box.PostUserMessage(&submit{items})
	return make([]item, 0, min(len(items), turnRequests))
}

// fail brings commands back to the actors that admitted them.
func (r *Replica) fail(items []item, out stock.Outcome) {
	if len(items) > 0 {
		r.system.Root.Send(r.directory.shard.Load(), &failed{items: items, out: out, replica: r})
	}
}

func (r *Replica) checkClock(last stock.Time) error {
	if r.cfg.AcceptClock || r.opened.Load() {
		return nil
	}
	err := r.clock.agree(last, r.cfg.MaxClockSkew, r.cfg.MaxDowntime)
	r.opened.Store(err == nil)
	return err
}

// refuse stops the replica for a reason that building it again would not cure.
func (r *Replica) refuse(err error) { r.fault(r.applying.Load(), err) }

// alarm reports a SKU whose counters do not add up, once.
func (r *Replica) alarm(number uint32) {
	if _, raised := r.alarmed.LoadOrStore(number, struct{}{}); !raised {
		r.metrics.broken.Inc()
		r.logger.Error("a SKU is frozen", "shard", r.shard, "sku_number", number, "error", ErrBroken)
	}
}

func (r *Replica) fault(index uint64, err error) {
	r.faultOnce.Do(func() {
		r.metrics.faults.Inc()
		r.logger.Error("a replica cannot go on", "shard", r.shard, "index", index, "error", err)
		if r.cfg.OnFault != nil {
			go r.cfg.OnFault(index, err)
		}
	})
}
