package actors

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"

	"holdfast/stock"
)

// recorder is an actor whose turns a test looks at.
type recorder struct {
	box     *mailbox
	entered atomic.Int64 // turns that are running
	onTurn  func(*turn)
}

func (r *recorder) InvokeSystemMessage(any) {}

func (r *recorder) InvokeUserMessage(m any) {
	if r.entered.Add(1) != 1 {
		panic("two turns at once")
	}
	defer r.entered.Add(-1)
	r.onTurn(m.(*turn))
}

func (r *recorder) EscalateFailure(reason, _ any) { panic(reason) }

func record(onTurn func(*turn), lost func(any)) *recorder {
	r := &recorder{box: newMailbox(lost), onTurn: onTurn}
	r.box.RegisterHandlers(r, actor.NewDefaultDispatcher(1))
	return r
}

func TestCommittedGoBeforeRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var order []string
		r := record(func(turn *turn) {
			if len(turn.requests) > turnRequests {
				t.Errorf("%d requests in a turn", len(turn.requests))
			}
			for _, m := range turn.committed {
				order = append(order, m.(string))
			}
			order = append(order, fmt.Sprint(len(turn.requests)))
			<-gate
		}, nil)
		r.box.PostUserMessage("first")
		synctest.Wait()
		for range 2*turnRequests + 1 {
			r.box.PostUserMessage(&pending{})
		}
		r.box.PostUserMessage("behind the crowd")
		gate <- struct{}{}
		synctest.Wait()
		r.box.PostUserMessage("in the crowd")
		if n := r.box.UserMessageCount(); n != turnRequests+2 {
			t.Errorf("%d messages wait", n)
		}
		close(gate)
		synctest.Wait()
		want := "[first 0 behind the crowd 1024 in the crowd 1024 1]"
		if got := fmt.Sprint(order); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

// Many goroutines post at once. Each message arrives once, those of one goroutine in their order, and none lies there unseen.
func TestNoWakeIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const posters, messages = 16, 2000
		next := make([]int, posters)
		requests := 0
		r := record(func(turn *turn) {
			for _, m := range turn.committed {
				at := m.([2]int)
				if next[at[0]] != at[1] {
					t.Errorf("goroutine %d: message %d where %d belongs", at[0], at[1], next[at[0]])
				}
				next[at[0]]++
			}
			requests += len(turn.requests)
		}, nil)
		var wg sync.WaitGroup
		for p := range posters {
			wg.Go(func() {
				for i := range messages {
					r.box.PostUserMessage([2]int{p, i})
					r.box.PostUserMessage(&pending{})
					if i%100 == 0 {
						r.box.PostSystemMessage(i)
					}
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		for p, n := range next {
			if n != messages {
				t.Errorf("goroutine %d: %d messages came", p, n)
			}
		}
		if requests != posters*messages || r.box.running.Load() {
			t.Errorf("%d requests came", requests)
		}
	})
}

func TestSuspendedMailboxTakesSystemMessagesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		came := 0
		r := record(func(turn *turn) { came += len(turn.committed) }, nil)
		r.box.PostSystemMessage(&actor.SuspendMailbox{})
		r.box.PostUserMessage("kept")
		synctest.Wait()
		if came != 0 || r.box.running.Load() {
			t.Fatalf("%d came, running %v", came, r.box.running.Load())
		}
		r.box.PostSystemMessage(&actor.ResumeMailbox{})
		synctest.Wait()
		if came != 1 {
			t.Errorf("%d came after it was resumed", came)
		}
	})
}

// A closed mailbox hands back what it held, and what comes later goes to whoever answers for it: nothing twice, nothing never.
func TestClosedMailboxLosesNothing(t *testing.T) {
	const posters, messages = 8, 500
	var lost, came atomic.Int64
	r := record(func(turn *turn) { came.Add(int64(len(turn.committed) + len(turn.requests))) }, func(any) { lost.Add(1) })
	var wg sync.WaitGroup
	for range posters {
		wg.Go(func() {
			for i := range messages {
				if i%2 == 0 {
					r.box.PostUserMessage(i)
				} else {
					r.box.PostUserMessage(&pending{})
				}
			}
		})
	}
	committed, requests := r.box.close()
	wg.Wait()
	r.box.PostUserMessage("late")
	if lost.Load() == 0 {
		t.Error("vacuous: nothing came after the close")
	}
	// The turn that ran during the close may still be counting.
	n := &node{t: t}
	n.eventually("every message is accounted for", func() bool {
		return came.Load()+lost.Load()+int64(len(committed)+len(requests)) == posters*messages+1
	})
}

// A snapshot and the acknowledgement of an order in the log do not wait behind 50,000 requests (rule R15).
func TestMarkDoesNotWaitBehindACrowd(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		n := start(t, nil)
		defer n.close()
		n.must(spec("shoe", 10, hot))
		const crowd = 50_000
		resume := n.stallAll()
		reqs := make([]stock.Request, crowd)
		for i := range reqs {
			reqs[i] = place("shoe", "u", fmt.Sprint("k", i))
		}
		answers := make(chan []stock.Outcome, 1)
		go func() { answers <- n.gateway.DoAll(context.Background(), reqs) }()
		n.eventually("the crowd is there", func() bool { return n.gateway.Pending() == crowd })
		// The mark is sent when the crowd is in the mailboxes already.
		waited := make(chan int64, 10)
		m := &mark{done: make(chan struct{}), replica: n.replica, book: func(*stock.Book) {}, ledger: func(*stock.Ledger, uint64) {}}
		m.desk = func(*desk) { waited <- n.gateway.Pending() }
		m.holders.Store(1)
		n.replica.system.Root.Send(n.replica.directory.shard.Load(), m)
		resume()
		if left := <-waited; left < crowd*3/4 {
			t.Errorf("the mark came when %d of %d requests were left", left, crowd)
		}
		for _, out := range <-answers {
			if out.Code != stock.OK && out.Code != stock.SoldOutPending {
				t.Fatalf("%v", out.Code)
			}
		}
	})
}

// stallAll makes the shard's actor and those of its hot SKUs stay in one message each.
func (n *node) stallAll() (resume func()) {
	gate := make(chan struct{})
	var in sync.WaitGroup
	n.desks(func(*desk) {}) // a SKU is answered for just before its actor is published
	hot := 0
	n.replica.directory.byNumber.Range(func(_, l any) bool {
		if l.(*listing).pid.Load() != nil {
			hot++
		}
		return true
	})
	in.Add(1 + hot)
	m := &mark{done: make(chan struct{}), replica: n.replica, ledger: func(*stock.Ledger, uint64) {
		in.Done()
		<-gate
	}}
	// The hot ones are stalled by the mark; the shard's own by a second one, which carries nothing to them that matters.
	m.book = func(*stock.Book) {}
	m.holders.Store(1)
	n.replica.system.Root.Send(n.replica.directory.shard.Load(), m)
	shard := n.stall()
	in.Done()
	in.Wait()
	return func() { close(gate); shard() }
}
