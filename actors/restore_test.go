package actors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/stock"
)

// A replica's state is replaced while its actors are busy with the old one.

func (n *node) snapshot() []byte {
	n.t.Helper()
	cut, err := n.replica.Snapshot()
	if err != nil {
		n.t.Fatal(err)
	}
	var buf bytes.Buffer
	if _, err := cut.WriteTo(&buf); err != nil {
		n.t.Fatal(err)
	}
	return buf.Bytes()
}

func (n *node) restore(snapshot []byte) {
	n.t.Helper()
	if err := n.replica.Restore(bytes.NewReader(snapshot)); err != nil {
		n.t.Fatal(err)
	}
}

// The state is replaced after a term closed, while raft has not said yet what became of its proposals, and while a ledger is on its way back
// to the shard's actor.
func TestRestoreUnderWhatIsUnderWay(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			n.must(spec("shoe", 5, hot))
			n.must(place("shoe", "a", "1"))
			snapshot := n.snapshot()
			gate := make(chan struct{})
			n.log.decide(func([]byte) (bool, error) { <-gate; return false, stock.ErrUnknown })
			a := n.inOrder(context.Background(), place("shoe", "b", "2"), place("shoe", "b", "2"))
			n.depose(2)
			synctest.Wait()
			n.restore(snapshot)
			close(gate)
			for _, answer := range a {
				want(t, "in flight over a restore", <-answer, stock.OutcomeUnknown)
			}
			n.log.decide(func([]byte) (bool, error) { return true, nil })
			n.elect(3, true)
			n.eventually("it opens", func() bool { return n.replica.Term() == 3 })
			n.must(place("shoe", "b", "2"))
			if a := n.available("shoe"); a.Held != 2 {
				t.Errorf("%+v", a)
			}
		})
	})
}

// A hot SKU is asked for its ledger, and the state is replaced before it comes: it is not taken back, whatever the SKU is in the new state.
func TestLedgerOfAReplacedStateIsNotTakenBack(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			n.must(spec("shoe", 5, true))
			n.setHot("shoe", hot)
			snapshot := n.snapshot()
			n.setHot("shoe", true)
			n.must(place("shoe", "old", "1"))
			n.depose(2)
			n.settled()
			// The shard's actor finds the demotion, a stop and the new state in its mailbox; the ledger comes behind them, during the stop.
			resume, gate := n.stall(), make(chan struct{})
			cold := false
			e := &entry{index: 100, term: 2, header: stock.Header{Term: 2}, replica: n.replica}
			e.items = []item{
				{cmd: &stock.Update{SKU: "shoe", Patch: stock.Patch{Hot: &cold}}},
				{cmd: &stock.Place{Meta: stock.Meta{Key: "2"}, SKU: "shoe", User: "old", Qty: 1}},
			}
			e.holders.Store(1)
			n.replica.progress.slots <- struct{}{}
			shard := n.replica.directory.shard.Load()
			n.replica.system.Root.Send(shard, e)
			m := &mark{done: make(chan struct{}), replica: n.replica, ledger: func(*stock.Ledger, uint64) {}, book: func(*stock.Book) { <-gate }}
			m.holders.Store(1)
			n.replica.system.Root.Send(shard, m)
			restored := make(chan error, 1)
			go func() { restored <- n.replica.Restore(bytes.NewReader(snapshot)) }()
			synctest.Wait()
			resume()
			synctest.Wait()
			close(gate)
			if err := <-restored; err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if n.replica.Backlog() != 0 {
				t.Errorf("%d entries wait in actors", n.replica.Backlog())
			}
			if a := n.available("shoe"); a.Held != 0 {
				t.Errorf("the old ledger is back: %+v", a)
			}
			plain, err := stock.ReadSnapshot(bytes.NewReader(snapshot))
			if err != nil {
				t.Fatal(err)
			}
			if hash, _, err := n.replica.Hash(context.Background()); err != nil || hash != plain.Hash() {
				t.Errorf("hash %x, want that of the snapshot (%v)", hash, err)
			}
		})
	})
}

// Entries that wait in the actor of a hot SKU when the state is replaced free their places in the backlog.
func TestRestoreFreesTheBacklog(t *testing.T) {
	n := start(t, func(c *ReplicaConfig) { c.ApplyBacklog = 4 })
	defer n.close()
	n.must(spec("shoe", 500, true))
	snapshot := n.snapshot()
	var visits atomic.Int64
	for round := range 5 {
		gate, in := make(chan struct{}), make(chan struct{})
		m := &mark{done: make(chan struct{}), replica: n.replica, book: func(*stock.Book) {}, ledger: func(*stock.Ledger, uint64) {
			close(in)
			<-gate
		}}
		m.holders.Store(1)
		n.replica.system.Root.Send(n.replica.directory.shard.Load(), m)
		<-in
		for i := range 3 {
			key := fmt.Sprint(round, "-", i)
			c := &stock.Place{Meta: stock.Meta{Key: key}, SKU: "shoe", User: "u", Qty: 1}
			if err := n.log.commit(sealed(t, stock.Header{Term: 1, Incarnation: 7}, c)); err != nil {
				t.Fatal(err)
			}
		}
		// A visit that is under way ends, and says that it is not complete.
		visited := make(chan error, 1)
		go func() {
			visited <- n.replica.visit(context.Background(), &mark{
				book: func(*stock.Book) { visits.Add(1) }, ledger: func(*stock.Ledger, uint64) {},
			})
		}()
		n.eventually("the visit is on its way", func() bool { return visits.Load() == int64(round+1) })
		n.restore(snapshot)
		close(gate)
		if err := <-visited; err != nil && !errors.Is(err, ErrReplaced) {
			t.Errorf("visit: %v", err)
		}
		n.eventually("the backlog is empty", func() bool { return n.replica.Backlog() == 0 })
	}
	if a := n.available("shoe"); a.Held != 0 {
		t.Errorf("%+v", a)
	}
}

// A restored replica releases what is due, sells what is there and knows the keys it knew.
func TestRestoredReplicaServes(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			n.must(holdSpec("shoe", 5, time.Minute, hot))
			first := n.must(place("shoe", "a", "1")).Order
			snapshot := n.snapshot()
			n.depose(2)
			n.restore(snapshot)
			n.elect(3, true)
			n.eventually("it opens", func() bool { return n.replica.Term() == 3 })
			if out := n.must(place("shoe", "a", "1")); !out.Replayed || out.Order.ID != first.ID {
				t.Errorf("the key gives %+v", out)
			}
			advance(time.Until(first.ExpiresAt.Std()) + releaseLag)
			n.expired(first)
		})
	})
}
