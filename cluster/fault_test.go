package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

var errBroken = errors.New("counter does not add up")

// Raft answers the future of an entry whose FSM panicked with no error and no response, and goes on without the entry.
func TestAPanicInTheMachineIsUnknownAndTheReplicaIsRebuilt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		var panicked atomic.Bool
		g.setup = func(m *recorder) {
			m.onApply = func(entries []Entry) error {
				if string(entries[0].Data) == "bad" && !panicked.Swap(true) {
					panic("bug")
				}
				return nil
			}
		}
		c := g.open()
		defer g.close()
		s := c.Shard(1)
		g.mustPropose(s, "a")
		first, term := g.machine(1), s.Term()
		if err := g.propose(s, "bad"); !isUnknown(err) {
			t.Errorf("outcome %v", err)
		}
		eventually(t, "another machine leads", func() bool { return g.made(1) == 2 && g.machine(1).leads() })
		g.mustPropose(s, "b")
		if got := g.machine(1).applied(); !slices.Equal(got, []string{"a", "bad", "b"}) {
			t.Errorf("state after the rebuild: %v", got)
		}
		if first.closed != 1 || s.Leads(term) || s.Fault() != nil {
			t.Errorf("old machine closed %d times, leads the old term: %v, fault %v", first.closed, s.Leads(term), s.Fault())
		}
		if told := first.told(); told[len(told)-1] != fmt.Sprint("follow ", term) {
			t.Errorf("the old machine was told %v", told)
		}
		if len(g.faults) != 1 || !strings.Contains(g.faults[0].Error(), "bug") {
			t.Errorf("faults: %v", g.faults)
		}
	})
}

func TestTheSameEntryFailingTwiceKeepsTheReplicaDown(t *testing.T) {
	for _, named := range []bool{true, false} {
		t.Run(fmt.Sprint("named=", named), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t)
				g.setup = func(m *recorder) {
					m.onApply = func(entries []Entry) error {
						for _, e := range entries {
							if string(e.Data) == "bad" && named {
								return &namedFault{e.Index}
							} else if string(e.Data) == "bad" {
								return errBroken
							}
						}
						return nil
					}
				}
				c := g.open()
				defer g.close()
				s := c.Shard(1)
				g.mustPropose(s, "a", "b", "c")
				index := s.CommitIndex() + 1
				if err := g.propose(s, "bad"); !isUnknown(err) {
					t.Errorf("outcome %v", err)
				}
				eventually(t, "it stays down", func() bool { return errors.Is(s.Fault(), ErrEntryFailed) })
				err := s.Fault()
				if !errors.Is(err, ErrDown) || !errors.Is(err, errBroken) || !strings.Contains(err.Error(), fmt.Sprint(index)) {
					t.Errorf("Fault: %v", err)
				}
				if err := g.propose(s, "later"); !isNotExecuted(err) || !errors.Is(err, ErrDown) {
					t.Errorf("a proposal to a replica that is down: %v", err)
				}
				if s.Term() != 0 || s.Leader() != "" || s.CommitIndex() != 0 || g.made(1) != 2 {
					t.Errorf("term %d, leader %q, %d machines", s.Term(), s.Leader(), g.made(1))
				}
				if _, _, err := s.Snapshot(t.Context()); !errors.Is(err, ErrDown) {
					t.Errorf("Snapshot: %v", err)
				}
			})
		})
	}
}

type namedFault struct{ index uint64 }

func (f *namedFault) Error() string      { return "named" }
func (f *namedFault) EntryIndex() uint64 { return f.index }
func (f *namedFault) Unwrap() error      { return errBroken }

// A fault that no entry is to blame for may come again and again; each rebuild waits longer.
func TestFaultsWithoutAnEntryAreRetriedEverMoreSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		c := g.open()
		defer g.close()
		s := c.Shard(1)
		var took []time.Duration
		for i := range 9 {
			start := time.Now()
			s.Fail(0, errBroken)
			s.Fail(7, errBroken) // While one is handled others are ignored.
			if s.Fault() == nil {
				t.Fatal("no fault after Fail")
			}
			eventually(t, "another machine leads", func() bool { return g.made(1) == i+2 && g.machine(1).leads() })
			took = append(took, time.Since(start))
		}
		if took[0] > time.Second || took[7] < 6*time.Second || took[8] > 8*time.Second {
			t.Errorf("rebuilds took %v", took)
		}
		g.mustPropose(s, "a")
	})
}

// A machine whose actors are gone takes no entries: raft's goroutine hangs in Apply until the machine is closed.
func TestAMachineThatBlocksIsClosed(t *testing.T) {
	for _, how := range []string{"fail", "close"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t)
				g.setup = func(m *recorder) {
					gone := make(chan struct{})
					var once sync.Once
					m.onClose = func() { once.Do(func() { close(gone) }) }
					if len(g.machines[1]) > 0 {
						return // Only the first one blocks.
					}
					m.onApply = func(entries []Entry) error {
						if string(entries[0].Data) == "block" {
							<-gone
							return errors.New("closed")
						}
						return nil
					}
				}
				c := g.open()
				s, outcome := c.Shard(1), make(chan error, 2)
				s.Propose([]byte("block"), func(err error) { outcome <- err })
				synctest.Wait()
				if how == "fail" {
					s.Fail(3, errBroken)
					eventually(t, "another machine leads", func() bool { return g.made(1) == 2 && g.machine(1).leads() })
				}
				g.close()
				if err := <-outcome; !isUnknown(err) {
					t.Errorf("outcome %v", err)
				}
				if len(outcome) != 0 {
					t.Error("done was called twice")
				}
			})
		})
	}
}

// Raft answers no future that still lies in its queue when it is shut down (raft#498). The first proposal hangs in the log here, the second and
// third in that queue.
func TestProposalsThatRaftForgetsAreUnknown(t *testing.T) {
	g := newRig(t)
	c := g.open(func(c *Config) { c.StopGrace = 20 * time.Millisecond })
	s, log := c.Shard(1), g.logs[1]
	release := log.hold()
	outcomes := make(chan error, 10)
	for i := range 3 {
		s.Propose([]byte{byte(i)}, func(err error) { outcomes <- err })
		if i == 0 {
			eventually(t, "the log hangs", func() bool { return log.writers() == 1 })
		}
	}
	closed := make(chan error, 1)
	go func() { closed <- c.Close() }()
	for range 3 {
		select {
		case err := <-outcomes:
			if !isUnknown(err) {
				t.Errorf("outcome %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("a proposal waits for ever")
		}
	}
	release()
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
	if len(outcomes) != 0 {
		t.Errorf("%d outcomes too many", len(outcomes))
	}
}

// A graceful Close lets what is under way get its outcome, and leaves no goroutine.
func TestCloseUnderLoadLeavesNothing(t *testing.T) {
	// In real time: under a load that never pauses virtual time stands still.
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	g := newRig(t)
	c := g.open()
	s := c.Shard(1)
	var proposed, told, committed atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				proposed.Add(1)
				answered := make(chan struct{})
				s.Propose([]byte("x"), func(err error) {
					told.Add(1)
					if err == nil {
						committed.Add(1)
					} else if !isUnknown(err) && !isNotExecuted(err) {
						t.Errorf("outcome %v", err)
					}
					close(answered)
				})
				<-answered
			}
		})
	}
	eventually(t, "some are committed", func() bool { return committed.Load() > 100 })
	g.close()
	close(stop)
	wg.Wait()
	if proposed.Load() != told.Load() {
		t.Errorf("%d proposed, %d told", proposed.Load(), told.Load())
	}
	if n := int64(len(g.machine(1).applied())); n < committed.Load() {
		t.Errorf("%d committed, the machine has %d", committed.Load(), n)
	}
}

func TestBoundsOfProposals(t *testing.T) {
	g := newRig(t)
	c := g.open(func(c *Config) { c.MaxOutstanding, c.MaxEntryBytes = 2, 10 })
	defer g.close()
	s, log := c.Shard(1), g.logs[1]
	if err := g.propose(s, "12345678901"); !isNotExecuted(err) || !errors.Is(err, ErrEntryTooLarge) {
		t.Errorf("too large: %v", err)
	}
	release := log.hold()
	outcomes := make(chan error, 2)
	for range 2 {
		s.Propose([]byte("x"), func(err error) { outcomes <- err })
	}
	if err := g.propose(s, "y"); !isNotExecuted(err) || !errors.Is(err, ErrOutstanding) {
		t.Errorf("one too many: %v", err)
	}
	release()
	for range 2 {
		if err := <-outcomes; err != nil {
			t.Error(err)
		}
	}
	g.mustPropose(s, "z")
}

// Every signal of raft is lost: first leadership is won, then lost and won again within one look. What counts is the term that is read.
func TestLeadershipSignalsMayBeDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		c := g.open(func(c *Config) { c.PollInterval = 10 * time.Minute })
		defer g.close()
		s := newShard(c, 2, firstReplica)
		s.bootstraps = true
		r, err := s.openReplica()
		if err != nil {
			t.Fatal(err)
		}
		signals := r.notify
		r.notify = make(chan bool) // Nobody writes to this one.
		s.install(r)
		defer func() {
			if err := r.close(); err != nil {
				t.Error(err)
			}
		}()
		start := time.Now()
		eventually(t, "it leads", func() bool { return s.Leads(s.Term()) })
		pass(11 * time.Minute) // Virtual: one look of the ticker.
		term, m := s.Term(), g.machine(2)
		if told := m.told(); !slices.Equal(told, []string{fmt.Sprint("lead ", term)}) {
			t.Fatalf("after %v of polling the machine was told %v", time.Since(start), told)
		}
		// A log that fails once makes raft step down; the only voter then elects itself again, in a higher term.
		g.logs[2].failNext(errors.New("no space"))
		if err := g.propose(s, "x"); !isUnknown(err) {
			t.Errorf("outcome of a proposal that the log refused: %v", err)
		}
		eventually(t, "another term", func() bool { return s.Term() > term && s.Leads(s.Term()) })
		pass(11 * time.Minute)
		want := []string{fmt.Sprint("lead ", term), fmt.Sprint("follow ", term), fmt.Sprint("lead ", s.Term())}
		if told := m.told(); !slices.Equal(told, want) {
			t.Errorf("the machine was told %v, want %v", told, want)
		}
		if len(signals) != 3 {
			t.Errorf("vacuous: %d signals were lost", len(signals))
		}
	})
}

// A machine that is gone reports an entry that the one after it has not seen: not a second failure.
func TestALateFaultIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		c := g.open()
		defer g.close()
		s := c.Shard(1)
		g.mustPropose(s, "a")
		s.Fail(s.CommitIndex()+1, errBroken)
		if err := s.Fault(); err != nil || g.made(1) != 1 {
			t.Errorf("fault %v, %d machines", err, g.made(1))
		}
		g.mustPropose(s, "b")
	})
}

func TestSnapshotGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		release := make(chan struct{})
		g.setup = func(m *recorder) { m.onSnapshot = func() error { <-release; return nil } }
		c := g.open()
		defer g.close()
		g.mustPropose(c.Shard(1), "a")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := c.Shard(1).Snapshot(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Snapshot: %v", err)
		}
		close(release)
	})
}
