package main

import (
	"context"
	"flag"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"holdfast/api/client"
	"holdfast/cmd/holdfast/fleettest"
	"holdfast/node/historytest"
)

var historyKills = flag.Int("historykills", 2, "how often TestHistoriesOfKilledLeaders kills or stops a leader")

const (
	// readEvery is how often a witness reads, and readPatience how long it waits.
	readEvery    = 15 * time.Millisecond
	readPatience = 3 * time.Second
	// searchWithin bounds the judgement of one SKU's history.
	searchWithin = 60 * time.Second
)

// witness keeps the history of a fleet: the calls of its loads, and reads of its own through all nodes.
type witness struct {
	t        *testing.T
	recorder *historytest.Recorder
	quit     chan struct{}
	once     sync.Once
	readers  sync.WaitGroup

	mu     sync.Mutex // guards what follows
	calls  []fleettest.Op
	recent []string // ids of orders
}

func newWitness(t *testing.T) *witness {
	return &witness{t: t, recorder: historytest.NewRecorder(), quit: make(chan struct{})}
}

// observe is for fleettest.Options.
func (w *witness) observe(op fleettest.Op) {
	o := historytest.Op{
		Caller: op.Caller, SKU: op.SKU, Call: w.recorder.At(op.Begin), Return: w.recorder.At(op.End), Answer: historytest.Shows(op.Order),
	}
	switch op.Kind {
	case fleettest.Place:
		o.Kind, o.Key, o.User, o.Qty = historytest.Place, op.Key, op.Key, 1
	case fleettest.Confirm:
		o.Kind, o.OrderID, o.Payment = historytest.Confirm, op.ID, "pay-"+op.Key
	case fleettest.Cancel:
		o.Kind, o.OrderID = historytest.Cancel, op.ID
	}
	w.recorder.Ended(o, op.Err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, op)
	if op.Err == nil && op.Kind == fleettest.Place {
		w.recent = append(w.recent[max(0, len(w.recent)-50):], op.Order.ID)
	}
}

// read lets one reader for each node read orders and counters, until judge.
func (w *witness) read(f *fleettest.Fleet, skus []string) {
	for _, n := range f.Nodes() {
		c := w.recorder.Client(n.Client)
		w.readers.Go(func() {
			tick := time.NewTicker(readEvery)
			defer tick.Stop()
			for i := 0; ; i++ {
				select {
				case <-tick.C:
					w.readOne(c, skus[i%len(skus)])
				case <-w.quit:
					return
				}
			}
		})
	}
	w.t.Cleanup(w.stop)
}

func (w *witness) readOne(c *historytest.Client, sku string) {
	ctx, cancel := context.WithTimeout(context.Background(), readPatience)
	defer cancel()
	w.mu.Lock()
	id := ""
	if len(w.recent) > 0 {
		id = w.recent[rand.IntN(len(w.recent))]
	}
	w.mu.Unlock()
	// What a read finds, and whether it was answered at all, is in the history.
	if id != "" && rand.IntN(2) == 0 {
		_, _ = c.Order(ctx, id)
		return
	}
	_, _ = c.SKU(ctx, sku)
}

func (w *witness) stop() {
	w.once.Do(func() { close(w.quit) })
	w.readers.Wait()
}

// judge ends the reading, finds out what became of calls without an answer, and judges each history.
func (w *witness) judge(through *client.Client, specs []historytest.Spec) {
	w.t.Helper()
	w.stop()
	ctx, cancel := context.WithTimeout(context.Background(), searchWithin)
	defer cancel()
	doubts := w.recorder.Resolve(ctx, w.t, w.recorder.Client(through), specs...)
	w.recorder.Check(w.t, searchWithin, specs...)
	w.t.Logf("%d calls without an answer were resolved", doubts)
}

// between returns the calls of loads at a node that began and ended between two moments.
func (w *witness) between(node string, from, to time.Time) (calls []fleettest.Op) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, op := range w.calls {
		if op.Node == node && op.Begin.After(from) && op.End.Before(to) {
			calls = append(calls, op)
		}
	}
	return calls
}

// Leaders are killed, and stopped and woken, while callers order, pay, cancel and read through all nodes: one order of all calls explains every answer.
func TestHistoriesOfKilledLeaders(t *testing.T) {
	onceOnly(t)
	t.Parallel()
	seen := newWitness(t)
	f := fleettest.Start(t, fleettest.Options{Observe: seen.observe})
	f.AwaitSettled(settleWithin)
	skus := f.CreateSKUs(3, plentyOf)
	var specs []historytest.Spec
	for _, sku := range skus {
		specs = append(specs, historytest.Spec{SKU: sku, Stock: plentyOf})
	}
	f.CreateSKU(client.SKUSpec{SKU: "few", Stock: 6, HoldTTLMS: time.Hour.Milliseconds()})
	specs = append(specs, historytest.Spec{SKU: "few", Stock: 6})
	load := f.Load(fleettest.LoadConfig{SKUs: skus, Callers: 9, Pace: 20 * time.Millisecond, Timeout: readPatience})
	scarce := f.Load(fleettest.LoadConfig{SKUs: []string{"few"}, Callers: 6, Pace: 20 * time.Millisecond, Timeout: readPatience, ConfirmOf: -1, CancelOf: 98})
	seen.read(f, append([]string{"few"}, skus...))
	for round := range *historyKills {
		awaitSales(f, skus, time.Now(), 5)
		leader, _ := f.Busiest(skus)
		if leader == nil {
			t.Fatal("nobody leads")
		}
		if round%2 == 0 {
			leader.Kill()
		} else {
			leader.Pause()
		}
		awaitSales(f, skus, time.Now(), 5)
		if round%2 == 0 {
			leader.Restart()
		} else {
			leader.Resume()
		}
		f.AwaitSettled(settleWithin)
	}
	load.Stop()
	scarce.Stop()
	f.Audit()
	seen.judge(f.Node(0).Patient, specs)
	t.Logf("%s", f.Ledger().Summary())
}
