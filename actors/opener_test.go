package actors

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/stock"
)

// Rule R2: a term opens only while this machine's clock agrees with those of a majority of the voters.

var errClocks = errors.New("2 of 3 clocks differ")

// clocks are what a leader is told of the others' clocks.
type clocks struct {
	wrong atomic.Bool
	asked atomic.Int64
	// wait, when set, is closed before there is an answer.
	wait atomic.Pointer[chan struct{}]
}

func (c *clocks) agree(ctx context.Context) error {
	c.asked.Add(1)
	if wait := c.wait.Load(); wait != nil {
		select {
		case <-*wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if c.wrong.Load() {
		return errClocks
	}
	return nil
}

func withClocks(c *clocks, p *peers) func(*ReplicaConfig) {
	return func(cfg *ReplicaConfig) {
		withPeers(p)(cfg)
		cfg.ClocksAgree = c.agree
	}
}

// A leader whose clock does not agree gives leadership away. When nobody takes it, it opens once the clocks agree.
func TestClocksDisagree(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			c, p := &clocks{}, newPeers(false)
			n := start(t, withClocks(c, p))
			defer n.close()
			n.must(spec("shoe", 1, hot))
			n.depose(2)
			c.wrong.Store(true)
			n.elect(3, true)
			advance(2500 * time.Millisecond)
			if n.replica.Term() != 0 || p.resignations() != 3 {
				t.Fatalf("open term %d, resigned %d times", n.replica.Term(), p.resignations())
			}
			want(t, "while the clocks differ", n.do(place("shoe", "a", "1")), stock.NoLeader)
			if got, _ := reading(t, n.system.metrics.clocks); got != 3 {
				t.Errorf("%v alarms", got)
			}
			c.wrong.Store(false)
			advance(time.Second)
			if n.replica.Term() != 3 {
				t.Fatalf("open term %d", n.replica.Term())
			}
			n.must(place("shoe", "a", "1"))
			n.sameAsReplay()
		})
	})
}

// While the clocks are asked for, no actor waits: what is committed is applied. A term that is over meanwhile does not open, and is not given away.
func TestAskingForClocksHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := &clocks{}, newPeers(false)
		n := start(t, withClocks(c, p))
		defer n.close()
		n.must(spec("shoe", 1, true))
		n.depose(2)
		wait := make(chan struct{})
		c.wait.Store(&wait)
		c.wrong.Store(true)
		n.elect(3, true)
		synctest.Wait()
		if n.replica.Applied() != uint64(n.log.length()) || n.replica.Term() != 0 {
			t.Fatalf("applied %d of %d, open term %d", n.replica.Applied(), n.log.length(), n.replica.Term())
		}
		if err := n.replica.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		n.depose(4)
		advance(3 * time.Second)
		if p.resignations() != 0 {
			t.Error("a term that was over was given away")
		}
		c.wrong.Store(false)
		n.elect(5, true)
		synctest.Wait()
		close(wait)
		n.eventually("the last term opens", func() bool { return n.replica.Term() == 5 })
	})
}

// A replica that closes does not wait for the clocks.
func TestCloseWhileAskingForClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := &clocks{}, newPeers(false)
		n := start(t, withClocks(c, p))
		wait := make(chan struct{})
		c.wait.Store(&wait)
		n.depose(2)
		n.elect(3, true)
		synctest.Wait()
		if c.asked.Load() != 2 {
			t.Fatalf("asked %d times", c.asked.Load())
		}
		n.shut()
		if p.resignations() != 0 {
			t.Error("it resigned")
		}
	})
}

// The clock is set between the question and the opening: what was found of it does not hold any more.
func TestClockIsSetWhileTheTermOpens(t *testing.T) {
	for _, by := range []time.Duration{0, 400 * time.Millisecond, time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			c, p := &clocks{}, newPeers(false)
			n := start(t, withClocks(c, p))
			defer n.close()
			n.depose(2)
			release, waiting := n.log.hold()
			n.elect(3, true)
			n.eventually("the opening entry is on its way", func() bool { return waiting.Load() == 1 })
			synctest.Wait()
			asked := c.asked.Load()
			o := n.replica.opener
			o.mu.Lock()
			o.wall = o.wall.Add(-by)
			o.mu.Unlock()
			release()
			n.eventually("it opens", func() bool { return n.replica.Term() == 3 })
			if again := c.asked.Load() > asked; again != (by.Abs() > n.replica.cfg.MaxClockSkew) {
				t.Errorf("set by %v: asked again: %v", by, again)
			}
		})
	}
}

// A start whose clock does not agree with log time stops the only voter; among others it is another's turn to lead.
func TestOwnClockRefuses(t *testing.T) {
	for _, alone := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			defer n.shut()
			n.must(spec("shoe", 1, false))
			n.settled()
			late := Start(Config{Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().Add(-time.Hour) }})
			log, p := newTestLog(), newPeers(false)
			log.term = 2
			if !alone {
				log.peers = p
			}
			faults := make(chan error, 1)
			cfg := n.cfg
			cfg.Log, cfg.OnFault = log, func(_ uint64, err error) { faults <- err }
			r, err := late.NewReplica(cfg)
			if err != nil {
				t.Fatal(err)
			}
			log.replica = r
			go log.run()
			defer late.Close()
			defer r.Close()
			defer log.close()
			log.mu.Lock()
			log.entries, log.terms = append(log.entries, n.log.entries...), append(log.terms, n.log.terms...)
			log.mu.Unlock()
			for i, data := range n.log.entries {
				if err := r.Apply(uint64(i+1), n.log.terms[i], data); err != nil {
					t.Fatal(err)
				}
			}
			r.Lead(2)
			synctest.Wait()
			if r.Term() != 0 {
				t.Fatalf("term %d opened", r.Term())
			}
			if alone {
				if err := <-faults; !errors.Is(err, ErrClock) {
					t.Errorf("stopped for %v", err)
				}
				return
			}
			advance(1500 * time.Millisecond)
			if p.resignations() != 2 || len(faults) != 0 {
				t.Errorf("resigned %d times, %d faults", p.resignations(), len(faults))
			}
		})
	}
}
