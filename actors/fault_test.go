package actors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/stock"
)

// Rule R17: an actor that panics takes its replica down; it never goes on with an empty state.

// poisonLedger hands the SKU's ledger a command it cannot apply, on its own actor.
func (n *node) poisonLedger(sku string) {
	number := n.replica.directory.find(sku).number
	m := &mark{done: make(chan struct{}), replica: n.replica, book: func(*stock.Book) {}, ledger: func(*stock.Ledger, uint64) {}}
	m.desk = func(d *desk) {
		if d.ledger.Number() == number {
			d.ledger.Apply(stock.Position{}, &stock.Open{})
		}
	}
	m.holders.Store(1)
	n.replica.system.Root.Send(n.replica.directory.shard.Load(), m)
}

func TestPanicTakesTheReplicaDown(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			n.must(spec("shoe", 5, hot))
			n.must(spec("hat", 5, false))
			n.must(place("shoe", "a", "1"))
			applied := n.replica.Applied()
			n.must(place("hat", "a", "1"))
			release, _ := n.log.hold()
			waiting := n.inOrder(context.Background(), place("shoe", "b", "2"))[0]
			n.poisonLedger("shoe")
			f := <-n.faults
			if !errors.Is(f.err, ErrPanic) || !strings.Contains(f.err.Error(), "stock.Open") {
				t.Errorf("fault %v", f.err)
			}
			// A hot SKU's actor names the entry it applied itself, not the one its shard has come to.
			if want := applied; hot && f.index != want {
				t.Errorf("fault at entry %d, want %d", f.index, want)
			} else if !hot && f.index != want+1 {
				t.Errorf("fault at entry %d, want %d", f.index, want+1)
			}
			release()
			begun := time.Now()
			for i := range 3 {
				code := n.within(time.Second, place("shoe", "c", fmt.Sprint("after", i))).Code
				if code == stock.OK || code.Executed() {
					t.Errorf("an order after the panic: %v", code)
				}
			}
			if waited := time.Since(begun); waited > 3*time.Second {
				t.Errorf("callers waited %v beyond their deadline", waited-3*time.Second)
			}
			n.shut()
			if out := <-waiting; out.Code != stock.OutcomeUnknown && out.Code != stock.OK {
				t.Errorf("what was in the log: %v", out.Code)
			}
			if len(n.faults) != 0 {
				t.Errorf("a second fault: %v", <-n.faults)
			}
			n.rebuild()
		})
	})
}

// rebuild gives a new replica the same log and holds it against a plain replay.
func (n *node) rebuild() {
	n.t.Helper()
	old := n.system
	n.system = Start(Config{})
	defer n.system.Close()
	cfg := n.cfg
	cfg.Log = &testLog{}
	r, err := n.system.NewReplica(cfg)
	if err != nil {
		n.t.Fatal(err)
	}
	defer r.Close()
	for i, data := range n.log.entries {
		if err := r.Apply(uint64(i+1), n.log.terms[i], data); err != nil {
			n.t.Fatal(err)
		}
	}
	hash, _, err := r.Hash(context.Background())
	if err != nil {
		n.t.Fatal(err)
	}
	if plain := n.log.replay(n.t, stock.NewBook(), 0); plain.Hash() != hash {
		n.t.Errorf("rebuilt with hash %x, want %x", hash, plain.Hash())
	}
	n.system = old
}

// An actor that panics with a crowd in its mailbox answers nobody wrongly, and Close answers everybody, long before their deadlines.
func TestCloseAnswersEverybody(t *testing.T) {
	for _, panics := range []bool{false, true} {
		t.Run(fmt.Sprintf("panics=%v", panics), func(t *testing.T) {
			eachTemperature(t, func(t *testing.T, hot bool) {
				synctest.Test(t, func(t *testing.T) {
					n := start(t, nil)
					n.must(spec("shoe", 3, hot))
					release, waiting := n.log.hold()
					var answers []<-chan stock.Outcome
					for i := range 200 {
						answers = append(answers, n.begin(context.Background(), place("shoe", fmt.Sprint(i%150), fmt.Sprint(i%150))))
					}
					synctest.Wait()
					if waiting.Load() == 0 || n.parked() == 0 {
						t.Fatal("vacuous: nothing proposed or parked")
					}
					if panics {
						n.poisonLedger("shoe")
						synctest.Wait()
					}
					begun := time.Now()
					n.replica.Close()
					if d := time.Since(begun); d > time.Second {
						t.Errorf("Close took %v", d)
					}
					for i, answer := range answers {
						switch out := <-answer; out.Code {
						case stock.NoLeader, stock.OutcomeUnknown:
						default:
							t.Errorf("order %d: %v", i, out.Code)
						}
					}
					want(t, "after Close", n.do(place("shoe", "u", "late")), stock.NoLeader)
					if _, err := n.replica.Snapshot(); !errors.Is(err, ErrClosed) {
						t.Errorf("Snapshot after Close: %v", err)
					}
					// What raft says afterwards, and what it still applies, comes to nobody.
					release()
					n.shut()
				})
			})
		})
	}
}

// Entries that this binary does not know stop the shard and are named (rule R1).
func TestUnknownEntryIsNamed(t *testing.T) {
	n := start(t, nil)
	defer n.close()
	for _, c := range []struct {
		name string
		data []byte
		want error
	}{
		{"no proposal", []byte("no proposal at all"), stock.ErrMalformed},
		{"empty", []byte{}, stock.ErrMalformed},
		{"a flipped bit", flipped(t), stock.ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := n.replica.Apply(4711, 1, c.data)
			if err == nil || !strings.Contains(err.Error(), "4711") {
				t.Fatalf("%v", err)
			}
			if !errors.Is(err, c.want) && !errors.Is(err, stock.ErrUnknownCommand) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func flipped(t *testing.T) []byte {
	data := sealed(t, stock.Header{Term: 1}, &stock.Open{Term: 1})
	data[len(data)-1] ^= 1
	return data
}

func sealed(t *testing.T, h stock.Header, cmds ...stock.Command) []byte {
	t.Helper()
	w := stock.NewProposalWriter(stock.MaxProposalBytes)
	w.Reset(h)
	for _, c := range cmds {
		if err := w.Add(c); err != nil {
			t.Fatal(err)
		}
	}
	return bytes.Clone(w.Seal(h.Clock))
}

// A clock that does not agree with the log opens nothing, and says so once.
func TestWrongClockDoesNotOpen(t *testing.T) {
	for _, c := range []struct {
		name   string
		off    time.Duration
		accept bool
		fault  bool
	}{
		{"within the skew", -400 * time.Millisecond, false, false},
		{"behind", -time.Second, false, true},
		{"behind, accepted", -time.Second, true, false},
		{"a week later", 7*24*time.Hour - time.Second, false, false},
		{"more than a week", 7*24*time.Hour + time.Second, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := start(t, nil)
				n.must(spec("shoe", 1, true))
				n.settled()
				n.shut()
				now := func() time.Time { return time.Now().Add(c.off) }
				again := restart(t, n, now, c.accept)
				if c.fault {
					if f := <-again.faults; !errors.Is(f.err, ErrClock) || again.replica.Term() != 0 {
						t.Errorf("fault %v, term %d", f.err, again.replica.Term())
					}
					again.shut()
					return
				}
				again.eventually("it opens", func() bool { return again.replica.Term() == 2 })
				again.must(place("shoe", "a", "1"))
				again.close()
			})
		})
	}
}

// A shard that nobody used for longer than a node may be down was not down: whoever leads it next opens.
func TestIdleIsNotDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(c *ReplicaConfig) { c.MaxDowntime = time.Hour })
		n.must(spec("shoe", 1, true))
		n.settled()
		before := n.log.length()
		advance(3 * time.Hour)
		if wrote := n.log.length() - before; wrote < 9 || wrote > 13 {
			t.Errorf("%d entries in three hours", wrote)
		}
		n.sameAsReplay()
		n.settled()
		n.shut()
		again := restart(t, n, time.Now, false)
		again.eventually("it opens", func() bool { return again.replica.Term() == 2 })
		again.must(place("shoe", "a", "1"))
		again.close()
	})
}

// restart starts a node over the log of another that was shut down.
func restart(t *testing.T, from *node, now func() time.Time, accept bool) *node {
	t.Helper()
	n := &node{t: t, faults: make(chan fault, 16), cfg: from.cfg, log: newTestLog()}
	n.log.entries, n.log.terms, n.log.term = from.log.entries, from.log.terms, from.log.term+1
	n.cfg.Log, n.cfg.AcceptClock = n.log, accept
	n.cfg.OnFault = func(index uint64, err error) { n.faults <- fault{index, err} }
	n.system = Start(Config{Now: now})
	var err error
	if n.replica, err = n.system.NewReplica(n.cfg); err != nil {
		t.Fatal(err)
	}
	n.log.replica = n.replica
	for i, data := range n.log.entries {
		if err := n.replica.Apply(uint64(i+1), n.log.terms[i], data); err != nil {
			t.Fatal(err)
		}
	}
	go n.log.run()
	n.gateway = n.system.NewGateway(n, nil)
	n.replica.Lead(n.log.term)
	return n
}
