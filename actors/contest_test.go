package actors

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/stock"
)

// contest is a raft group of three replicas in memory whose leaders change. A leader that was replaced learns so late; until then it goes on as before, answers to what it
// sent in its term still arrive, and nothing that it proposes is committed.
type contest struct {
	t       *testing.T
	system  *System
	dice    *rand.Rand // of the test's goroutine
	members [3]*member

	mu      sync.Mutex // guards what follows, and the members
	term    uint64
	leader  *member
	entries [][]byte
	terms   []uint64
}

// member is one of them, as its actors see it.
type member struct {
	g       *contest
	replica *Replica
	gateway *Gateway
	feed    chan struct{}
	done    chan struct{}

	believes uint64 // the term it takes itself for the leader of; 0 for none
	cut      bool   // it gets no entries
	closed   bool
	given    int                    // entries it was given
	mine     map[uint64]func(error) // what it proposed, by index, until it is given it
	stuck    []func(error)          // what it proposed when it was leader no more
	sent     uint64
	answered map[uint64]uint64
	news     chan struct{}
	// lying: it takes itself for confirmed at all times.
	lying bool
}

var _ Log = (*member)(nil)

func newContest(t *testing.T, seed uint64, lying bool) *contest {
	g := &contest{t: t, dice: rand.New(rand.NewPCG(seed, 3)), system: Start(Config{Logger: slog.New(slog.DiscardHandler)})}
	for i := range g.members {
		m := &member{
			g: g, feed: make(chan struct{}, 1), done: make(chan struct{}), mine: make(map[uint64]func(error)), answered: make(map[uint64]uint64), news: make(chan struct{}), lying: lying,
		}
		var err error
		m.replica, err = g.system.NewReplica(ReplicaConfig{
			Shard: uint32(i + 1), Log: m, Init: stock.Init{Partitions: allPartitions(), Settings: stock.DefaultSettings()},
		})
		if err != nil {
			t.Fatal(err)
		}
		m.gateway = g.system.NewGateway(m, nil)
		g.members[i] = m
		go m.run()
	}
	g.elect(g.members[0])
	return g
}

func (g *contest) close() {
	for _, m := range g.members {
		g.mu.Lock()
		m.closed, m.cut = true, false
		g.mu.Unlock()
		m.poke()
		<-m.done
		m.replica.Close()
	}
	g.system.Close()
	<-time.After(time.Second) // what is under way arrives
}

// elect makes a member leader of a new term. It knows at once; the one before is told by tell.
func (g *contest) elect(m *member) {
	g.tell(m)
	g.mu.Lock()
	g.term++
	if g.leader != nil && g.leader != m {
		g.leader.cut = true
	}
	g.leader, m.believes = m, g.term
	g.mu.Unlock()
	m.replica.Lead(m.believes)
}

// tell lets a member know that its term is over, and gives it the entries since.
func (g *contest) tell(m *member) {
	g.mu.Lock()
	was, stuck := m.believes, m.stuck
	m.believes, m.stuck, m.cut = 0, nil, false
	g.mu.Unlock()
	if was != 0 {
		m.replica.Follow(was)
	}
	for _, done := range stuck {
		done(stock.ErrUnknown)
	}
	m.poke()
}

func (m *member) poke() {
	select {
	case m.feed <- struct{}{}:
	default:
	}
}

// run gives entries to the replica.
func (m *member) run() {
	defer close(m.done)
	for range m.feed {
		for {
			m.g.mu.Lock()
			over, more := m.closed, m.given < len(m.g.entries) && !m.cut
			var data []byte
			var term uint64
			if more {
				data, term = m.g.entries[m.given], m.g.terms[m.given]
				m.given++
			}
			index := uint64(m.given)
			done := m.mine[index]
			if more {
				delete(m.mine, index)
			}
			m.g.mu.Unlock()
			if over {
				return
			}
			if !more {
				break
			}
			if err := m.replica.Apply(index, term, data); err != nil {
				m.g.t.Error(err)
			}
			if done != nil {
				done(nil)
			}
		}
	}
}

// Propose commits what the leader proposes.
func (m *member) Propose(data []byte, done func(error)) {
	g := m.g
	g.mu.Lock()
	switch {
	case g.leader == m && m.believes == g.term:
		g.entries, g.terms = append(g.entries, data), append(g.terms, g.term)
		m.mine[uint64(len(g.entries))] = done
		defer func() {
			for _, other := range g.members {
				other.poke()
			}
		}()
	case m.believes != 0:
		m.stuck = append(m.stuck, done)
	default:
		go done(stock.ErrNotExecuted)
	}
	g.mu.Unlock()
}

func (m *member) Leads(term uint64) bool {
	m.g.mu.Lock()
	defer m.g.mu.Unlock()
	return m.believes == term
}

func (m *member) Sent() uint64 {
	m.g.mu.Lock()
	defer m.g.mu.Unlock()
	return m.sent
}

func (m *member) Confirmed(mark, term uint64) bool {
	m.g.mu.Lock()
	defer m.g.mu.Unlock()
	return m.lying || m.answered[term] > mark
}

func (m *member) Heard() <-chan struct{} {
	m.g.mu.Lock()
	defer m.g.mu.Unlock()
	return m.news
}

func (m *member) Resign() {}

// Prompt sends a heartbeat. It arrives in a millisecond; who is in the term then answers, and that answer may take long.
func (m *member) Prompt() {
	g := m.g
	g.mu.Lock()
	defer g.mu.Unlock()
	term := m.believes
	m.sent++
	number := m.sent
	back := time.Millisecond
	if number%3 == 0 {
		back = 15 * time.Millisecond
	}
	time.AfterFunc(time.Millisecond, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if term == 0 || g.term != term {
			return
		}
		time.AfterFunc(back, func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			m.answered[term] = max(m.answered[term], number)
			close(m.news)
			m.news = make(chan struct{})
		})
	})
}

// Locate returns the replica while it takes itself for open.
func (m *member) Locate(stock.Partition) *Replica {
	if m.replica.Term() == 0 {
		return nil
	}
	return m.replica
}

func (m *member) Replicas() []*Replica { return []*Replica{m.replica} }

// buyer asks one thing after the other, of any member, and knows what must be answered: one who asks alone sees one history. Everything that was
// answered otherwise is wrong.
type buyer struct {
	g     *contest
	round int
	// held is the order that has the only unit; nil while it is available.
	held, last *stock.Order
	wrong      []string
	// asked counts what was asked of a leader that had been replaced, withdrawn what it then said it could not confirm.
	asked, withdrawn, refused, read int
}

func (b *buyer) do(m *member, r stock.Request) stock.Outcome {
	g := b.g
	g.mu.Lock()
	stale := m.believes != 0 && m.believes != g.term
	g.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	out := m.gateway.Do(ctx, r)
	if stale {
		b.asked++
		if out.Code >= stock.Overloaded {
			b.withdrawn++
		}
	}
	return out
}

func (b *buyer) expect(what string, out stock.Outcome, ok bool) {
	if out.Code < stock.Overloaded && !ok {
		b.wrong = append(b.wrong, fmt.Sprintf("round %d, %s: %v with %v held", b.round, what, out.Code, b.held != nil))
	}
}

// act asks a member for something.
func (b *buyer) act(m *member) {
	b.round++
	switch b.g.dice.IntN(5) {
	case 0, 1:
		b.place(m)
	case 2:
		b.cancel(m)
	case 3:
		out := b.do(m, &stock.GetSKU{SKU: "shoe"})
		b.expect("a SKU", out, out.Code == stock.OK && (out.SKU.Available == 0) == (b.held != nil))
		b.read++
	case 4:
		if b.last == nil {
			return
		}
		out := b.do(m, &stock.GetOrder{Order: b.last.ID})
		b.expect("an order", out, out.Code == stock.OK && (out.Order.State == stock.StateHeld) == (b.held != nil))
		b.read++
	}
}

func (b *buyer) place(m *member) {
	key := fmt.Sprint("k", b.round)
	out := b.do(m, place("shoe", "u", key))
	if out.Code == stock.OutcomeUnknown {
		out = b.resolve(&stock.GetOutcome{SKU: "shoe", Key: key})
		if out.Code == stock.OutcomeNotSeen {
			return
		}
	}
	b.expect("an order placed", out, (out.Code == stock.OK) == (b.held == nil))
	switch out.Code {
	case stock.OK:
		b.held, b.last = out.Order, out.Order
	case stock.SoldOutPending:
		b.refused++
	}
}

func (b *buyer) cancel(m *member) {
	if b.held == nil {
		return
	}
	out := b.do(m, &stock.Cancel{Order: b.held.ID})
	if out.Code == stock.OutcomeUnknown {
		out = b.resolve(&stock.GetOrder{Order: b.held.ID})
		if out.Code == stock.OK && out.Order.State == stock.StateHeld {
			return
		}
	}
	b.expect("a cancellation", out, out.Code == stock.OK)
	if out.Code == stock.OK {
		b.held = nil
	}
}

// resolve asks the leader until it knows: nothing of the ones before is committed any more.
func (b *buyer) resolve(q stock.Request) stock.Outcome {
	for range 1000 {
		b.g.mu.Lock()
		leader := b.g.leader
		b.g.mu.Unlock()
		if out := b.do(leader, q); out.Code < stock.Overloaded {
			return out
		}
		<-time.After(time.Millisecond)
	}
	b.g.t.Fatal("nobody knows")
	return stock.Outcome{}
}

// changes moves leadership about, back and forth at times, while the buyer asks; who led before learns it late.
func (b *buyer) changes(rounds int) {
	g := b.g
	var late []*member
	for range rounds {
		switch g.dice.IntN(8) {
		case 0:
			late = append(late, g.leader)
			g.elect(g.members[g.dice.IntN(3)])
			if g.dice.IntN(3) == 0 {
				late = append(late, g.leader)
				g.elect(late[0])
			}
		case 1:
			for _, m := range late {
				if m != g.leader {
					g.tell(m)
				}
			}
			late = nil
		}
		switch g.dice.IntN(3) {
		case 0:
			b.act(g.leader)
		default:
			b.act(g.members[g.dice.IntN(3)])
		}
		<-time.After(time.Duration(g.dice.IntN(4)) * time.Millisecond)
	}
}

// history lets a buyer ask a group whose leaders change, and returns what was told wrongly.
func history(t *testing.T, seed uint64, hot, lying bool) (b *buyer) {
	synctest.Test(t, func(t *testing.T) {
		g := newContest(t, seed, lying)
		defer g.close()
		b = &buyer{g: g}
		for range 100 {
			if g.members[0].gateway.Do(context.Background(), spec("shoe", 1, hot)).Code == stock.OK {
				break
			}
			<-time.After(time.Millisecond)
		}
		b.changes(300)
	})
	return b
}

// A leader that was replaced and does not know refuses nobody and reads nothing to anybody: what a lone buyer is told, by whomever, is always what
// happened. Without the check it is not.
func TestReplacedLeaderSaysNothing(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		var asked, withdrawn, refused, read, caught int
		for i := range uint64(*seeds) {
			b := history(t, *from+i, hot, false)
			if len(b.wrong) > 0 {
				t.Errorf("seed %d: %q", *from+i, b.wrong)
			}
			asked, withdrawn, refused, read = asked+b.asked, withdrawn+b.withdrawn, refused+b.refused, read+b.read
			if lied := history(t, *from+i, hot, true); len(lied.wrong) > 0 {
				caught++
			}
		}
		t.Logf("%d seeds: %d asked of replaced leaders, %d withdrawn; %d refused, %d read; without the check %d of the histories are wrong",
			*seeds, asked, withdrawn, refused, read, caught)
		if asked == 0 || withdrawn == 0 || refused == 0 || read == 0 || caught == 0 {
			t.Error("vacuous")
		}
	})
}
