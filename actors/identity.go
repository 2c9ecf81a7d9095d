package actors

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"holdfast/stock"
)

// Replicas that have applied the same entries have the same state. Whether they do is asked at hash marks (rule R24): every replica notes the hash
// of its state there, whoever collects the notes gives them to the leader (ReportHash), and the next mark carries them through the log, so that
// every replica comes to the same verdict. One that it condemns stops, the leader too.

// identity is what a replica knows of its own state and of the others'.
type identity struct {
	mu sync.Mutex // guards what follows; never held for long, nor twice an entry
	// index and hash are of the newest mark that all actors have passed; 0 when there is none.
	index, hash uint64
	// others holds the newest report of each other replica.
	others map[string]report
}

type report struct{ index, hash uint64 }

// maxReporters bounds the replicas whose reports are kept; a shard has a handful.
const maxReporters = 64

// Identity returns the hash of this replica's state at the newest hash mark that it has passed, and the mark's index; 0 when it has passed none
// since it was opened or its state was replaced.
func (r *Replica) Identity() (index, hash uint64) {
	r.identity.mu.Lock()
	defer r.identity.mu.Unlock()
	return r.identity.index, r.identity.hash
}

// ReportHash takes what another replica of the shard, named by its id in the raft group, says of its state: what its Identity returned. It may be
// called on every replica, as often as one likes: whoever leads when the next mark is due tells what it has heard.
func (r *Replica) ReportHash(replica string, index, hash uint64) {
	id := &r.identity
	id.mu.Lock()
	defer id.mu.Unlock()
	was, seen := id.others[replica]
	switch {
	case replica == r.cfg.ID, index == 0, index <= was.index, !seen && len(id.others) >= maxReporters:
		return
	case id.others == nil:
		id.others = make(map[string]report)
	}
	id.others[replica] = report{index, hash}
}

// note keeps the hash of the state at a mark.
func (id *identity) note(index, hash uint64) {
	id.mu.Lock()
	defer id.mu.Unlock()
	if index > id.index {
		id.index, id.hash = index, hash
	}
}

// forget drops what was noted: the state is another one.
func (id *identity) forget() {
	id.mu.Lock()
	defer id.mu.Unlock()
	id.index, id.hash = 0, 0
}

// told returns the verdict on the newest mark as far as members have reported on it, this replica first of all. Those that are no members any more
// are forgotten.
func (id *identity) told(self string, members []string) (m *stock.HashMark, missing int) {
	id.mu.Lock()
	defer id.mu.Unlock()
	m = &stock.HashMark{}
	for name := range id.others {
		if !slices.Contains(members, name) {
			delete(id.others, name)
		}
	}
	if id.index == 0 {
		return m, len(members)
	}
	m.Index = id.index
	slices.Sort(members)
	for _, name := range slices.Compact(members) {
		said := id.others[name]
		if name == self {
			said = report{id.index, id.hash}
		}
		if said.index != id.index || len(m.Reports) == stock.MaxHashReports {
			missing++
			continue
		}
		m.Reports = append(m.Reports, stock.HashReport{Replica: name, Hash: said.hash})
	}
	return m, missing
}

// marker follows, for the actor of a shard, when a hash mark is due. Every replica does, so that a new leader knows.
type marker struct {
	// worked is the last entry that changed something worth comparing, marked the last with a hash mark.
	worked, marked uint64
	// dueAt is when the leader may propose a mark, and lateAt when it no longer waits for reports.
	dueAt, lateAt stock.Time
	// condemned: this replica's state is not that of the others. It applies nothing any more.
	condemned bool
}

// patience is how many times HashEvery a leader waits for reports without which a verdict would stop more replicas than it needs to.
const patience = 3

func (m *marker) arm(now stock.Time, every time.Duration) {
	m.dueAt, m.lateAt = now.Add(every.Milliseconds()), now.Add(patience*every.Milliseconds())
}

// due reports whether a mark is to be proposed now: at once when all members have reported and are not alike.
func (m *marker) due(now stock.Time, odd bool, missing int, noted, expired uint64) bool {
	switch {
	case odd && missing == 0:
		return true
	case now < m.dueAt:
		return false
	case odd, noted != m.marked:
		// Who has not reported yet may be all that tells the odd one from the others, and the actors of hot SKUs may not have passed the mark yet.
		return now >= m.lateAt
	}
	return max(m.worked, expired) > m.marked
}

// note looks whether an entry asks for a mark. What leaders propose by themselves does not, or an idle shard would write for ever; that holds fell
// due is told by count.
func (m *marker) note(e *entry) {
	for i := range e.items {
		switch e.items[i].cmd.(type) {
		case *stock.Init, *stock.Open, *stock.Expire, *stock.FlushMark, *stock.FlushSpan, *stock.RaiseLevel, *stock.HashMark:
		default:
			m.worked = e.index
			return
		}
	}
}

// expired notes an entry by which holds fell due: that is work, too.
func (r *Replica) expired(index uint64) {
	for was := r.expiredAt.Load(); was < index && !r.expiredAt.CompareAndSwap(was, index); was = r.expiredAt.Load() {
	}
}

// identify proposes, on the leader, a hash mark when there was work since the last one, or replicas disagree about it. It is called about once a
// second.
func (s *shardActor) identify(now stock.Time) {
	cfg := &s.r.cfg
	if cfg.HashEvery < 0 || cfg.Members == nil || s.book.Level() < stock.LevelHashMarks {
		return
	}
	members := cfg.Members()
	if len(members) < 2 {
		return // there is nothing to compare with
	}
	verdict, missing := s.r.identity.told(cfg.ID, members)
	if !s.marker.due(now, len(verdict.Odd()) > 0, missing, verdict.Index, s.r.expiredAt.Load()) {
		return
	}
	s.tray.items = append(s.tray.items, item{cmd: verdict, term: s.term})
	s.marker.arm(now, cfg.HashEvery)
}

// hashMark takes a mark's verdict, and sees to it that the state is noted after its entry.
func (s *shardActor) hashMark(ctx actor.Context, e *entry, m *stock.HashMark) {
	s.r.metrics.hashMarks.Inc()
	s.marker.marked = e.index
	odd := m.Odd()
	if len(odd) == 0 {
		return
	}
	s.r.metrics.disagreements.Inc()
	s.r.logger.Error("replicas disagree about their state", "shard", s.r.shard, "index", m.Index, "stopped", odd)
	if !slices.Contains(odd, s.r.cfg.ID) {
		return
	}
	s.marker.condemned = true
	// Terms are over for good: nothing that this state says may leave any more.
	over := &closing{math.MaxUint64}
	s.r.proposer.box.PostUserMessage(over)
	s.close(ctx, over)
	s.r.fault(e.index, fmt.Errorf("%w: entry %d stops %v for their states at entry %d", ErrDiverged, e.index, odd, m.Index))
}

// noteIdentity notes the hash of the state after an entry, once the actors of hot SKUs have come to the same place.
func (s *shardActor) noteIdentity(ctx actor.Context, index uint64) {
	var sum atomic.Uint64
	m := &mark{
		book: func(b *stock.Book) { sum.Add(b.Hash()) }, ledger: func(l *stock.Ledger, _ uint64) { sum.Add(l.Hash()) },
		then: func() { s.r.identity.note(index, sum.Load()) }, replica: s.r,
	}
	m.holders.Store(1)
	s.mark(ctx, m)
}

// damaged stops a replica whose state is not what was kept up with its changes. Snapshot and log on this disk are from before, so it is built
// again from them.
func (r *Replica) damaged(err error) { r.fault(0, fmt.Errorf("%w: %w", ErrDamaged, err)) }
