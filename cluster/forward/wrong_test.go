package forward

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/stock"
)

// altered returns a request, a command with another head.
func altered(r stock.Request, change func(m *stock.Meta)) stock.Request {
	if _, ok := r.(stock.Command); !ok {
		return r
	}
	r = cloned(r)
	change(r.(stock.Command).Head())
	return r
}

// The checks of the random worlds find what is wrong: each row is a way to break rule R18, R4 or R5, and what it must be found by.
func TestRandomWorldsFindWhatIsWrong(t *testing.T) {
	for name, row := range map[string]struct {
		broken func(w *world, n *int) func(stock.Request) stock.Request
		found  string
	}{
		"a key for each copy": {func(_ *world, n *int) func(stock.Request) stock.Request {
			return func(r stock.Request) stock.Request {
				return altered(r, func(m *stock.Meta) {
					if *n++; m.Retry {
						m.Key += fmt.Sprintf("+%d", *n)
					}
				})
			}
		}, "accepted, and nothing happened"},
		"no mark on a second copy": {func(*world, *int) func(stock.Request) stock.Request {
			return func(r stock.Request) stock.Request { return altered(r, func(m *stock.Meta) { m.Retry = false }) }
		}, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := uint64(1); seed <= 400; seed++ {
				n := 0
				wrong, _ := live(t, seed, func(w *world) { w.broken = row.broken(w, &n) })
				for _, what := range wrong {
					if strings.Contains(what, row.found) {
						t.Logf("seed %d: %s", seed, what)
						return
					}
				}
			}
			t.Error("nothing was found")
		})
	}
}

// The checks of a history reject each kind of history that cannot be.
func TestVerdictsRejectWrongHistories(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := time.Now()
		one := func(c stock.Code, replayed bool) []call {
			return []call{{stock.KindPlace, "k", at, at, stock.Outcome{Code: c, Replayed: replayed}}}
		}
		for _, row := range []struct {
			effects int
			calls   []call
			want    string
		}{
			{2, one(stock.OK, false), "2 effects"},
			{1, one(stock.NoLeader, false), "told not executed"},
			{1, one(stock.SoldOut, false), "refused"},
			{0, one(stock.OK, false), "nothing happened"},
			{1, one(stock.OK, true), "sent once"},
			{1, append(one(stock.OutcomeUnknown, false), one(stock.SoldOut, false)...), "last refused"},
			{1, append(one(stock.OK, false), call{stock.KindPlace, "k", at.Add(time.Hour), at, stock.Outcome{Code: stock.OK}}), "not told so"},
			{1, one(stock.OK, false), ""},
			{1, one(stock.OutcomeUnknown, false), ""},
			{0, one(stock.SoldOut, false), ""},
		} {
			w := newWorld(t, 1, 1)
			for range row.effects {
				w.effects[effect{stock.KindPlace, caller1, "k"}] = append(w.effects[effect{stock.KindPlace, caller1, "k"}], stock.TimeOf(at))
				w.entries["k"]++
			}
			h := &history{calls: map[string][]call{"k": row.calls}}
			switch wrong := h.verdicts(w); {
			case row.want == "" && wrong != nil:
				t.Errorf("%v", wrong)
			case row.want != "" && (len(wrong) != 1 || !strings.Contains(wrong[0], row.want)):
				t.Errorf("%v, want %q", wrong, row.want)
			}
			w.close()
		}
	})
}

// ask sends one request through a node.
func (n *node) ask(within time.Duration, r stock.Request) stock.Outcome {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return n.forward.Do(ctx, r)
}

func order(key string, qty int64) *stock.Place {
	return &stock.Place{Meta: stock.Meta{Caller: caller1, Key: key}, SKU: "shoe", User: key, Qty: qty}
}

// Attempt 1 lies unread in a leader that stands still; attempt 2 is refused by the next; a unit comes back; the first leads again and reads it. The
// refusal holds because all copies have one deadline, made by the first node. Were it made by each leader that reads a copy, it would not.
func TestCopyThatLiesUnread(t *testing.T) {
	for _, row := range []struct {
		skew  time.Duration
		wrong bool
	}{{500 * time.Millisecond, false}, {10 * time.Second, false}, {10 * time.Second, true}} {
		wrong := row.wrong
		t.Run(fmt.Sprintf("skew=%v/each leader makes the deadline=%v", row.skew, wrong), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, 3, func(c *Config) { c.MaxClockSkew = row.skew })
				defer w.close()
				w.create("shoe", 1)
				id := w.shardOfSKU("shoe")
				w.lead(id, "n2")
				first := w.nodes["n1"].ask(time.Second, order("first", 1))
				if first.Code != stock.OK {
					t.Fatal(first.Code)
				}
				if wrong {
					w.broken = func(r stock.Request) stock.Request {
						return altered(r, func(m *stock.Meta) { m.Deadline = stock.TimeOf(time.Now().Add(2 * time.Second)) })
					}
				}
				w.nodes["n2"].stop()
				answer := make(chan stock.Outcome, 1)
				go func() { answer <- w.nodes["n1"].ask(2*time.Second, order("second", 1)) }()
				pass(100 * time.Millisecond)
				w.lead(id, "n3")
				if out := <-answer; out.Code != stock.SoldOutPending {
					t.Fatal(out.Code)
				}
				pass(3 * time.Second)
				if out := w.nodes["n1"].ask(time.Second, &stock.Cancel{Order: first.Order.ID}); out.Code != stock.OK {
					t.Fatal(out.Code)
				}
				w.lead(id, "n2")
				w.nodes["n2"].resume()
				pass(5 * time.Second)
				did := len(w.effects[effect{stock.KindPlace, caller1, "second"}])
				if took := did > 0; took != wrong {
					t.Errorf("the refused order took effect: %v", took)
				}
			})
		})
	}
}

// Attempt 2 gets a refusal that says "not executed" while attempt 1 is undecided: the caller is not told that.
func TestOverloadedBesideAnUndecidedCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 3, func(c *Config) { c.MaxForwarded = 1 })
		defer w.close()
		w.create("shoe", 5)
		id := w.shardOfSKU("shoe")
		w.lead(id, "n2")
		w.nodes["n2"].stop()
		answer := make(chan stock.Outcome, 1)
		go func() { answer <- w.nodes["n1"].ask(2*time.Second, order("k", 1)) }()
		pass(10 * time.Millisecond)
		go w.nodes["n1"].ask(time.Second, &stock.GetSKU{SKU: "shoe"})
		if out := w.nodes["n1"].ask(time.Second, order("other", 1)); out.Code != stock.Overloaded || out.Detail.Bound != boundForwarded {
			t.Errorf("%+v", out)
		}
		if w.entries["other"] != 0 {
			t.Error("told overloaded, and it is in the log")
		}
		if out := <-answer; out.Code != stock.OutcomeUnknown {
			t.Errorf("%+v", out)
		}
	})
}

// A leader that stands still is not waited for once another leads; the acceptance of the first copy is the answer when it comes.
func TestAnswersOfEarlierCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 3)
		defer w.close()
		w.create("shoe", 5)
		id := w.shardOfSKU("shoe")
		w.lead(id, "n2")
		w.nodes["n2"].stop()
		answer := make(chan stock.Outcome, 1)
		go func() { answer <- w.nodes["n1"].ask(5*time.Second, order("k", 1)) }()
		pass(50 * time.Millisecond)
		w.lead(id, "n3")
		w.nodes["n3"].stop()
		pass(50 * time.Millisecond)
		w.lead(id, "n2")
		w.nodes["n2"].resume()
		out := <-answer
		if out.Code != stock.OK || out.Replayed || out.Order.User != "k" {
			t.Errorf("%+v", out)
		}
		if again := w.nodes["n3"].ask(time.Second, order("k", 1)); again.Code != stock.OK || !again.Replayed {
			t.Errorf("again: %+v", again)
		}
	})
}

// A node whose clock is wrong by hours forwards as well as any: the leader says what it reads, and the deadline is made anew.
func TestForwardingWithAWrongClock(t *testing.T) {
	for _, ahead := range []time.Duration{-8 * time.Hour, -3 * time.Second, 0, 3 * time.Second, 366 * 24 * time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, 2)
				defer w.close()
				w.create("shoe", 5)
				w.lead(w.shardOfSKU("shoe"), "n2")
				w.nodes["n1"].ahead = ahead
				for i := range 3 {
					if out := w.nodes["n1"].ask(time.Second, order(fmt.Sprint(i), 1)); out.Code != stock.OK || out.Replayed {
						t.Fatalf("%d: %+v", i, out)
					}
				}
				if frames := w.nodes["n2"].asked; frames > 4 {
					t.Errorf("%d frames for three orders", frames)
				}
			})
		})
	}
}

// Without a leader a request waits for one until its time is up, and is then told that nothing happened; beyond the bound it does not wait.
func TestWaitingForALeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 2, func(c *Config) { c.MaxLeaderless = 1 })
		defer w.close()
		w.create("shoe", 5)
		n := w.nodes["n1"]
		began := time.Now()
		if out := n.ask(time.Second, order("a", 1)); out.Code != stock.DeadlineExceeded && out.Code != stock.NoLeader || time.Since(began) != time.Second {
			t.Errorf("%v after %v", out.Code, time.Since(began))
		}
		answer := make(chan stock.Outcome, 1)
		go func() { answer <- n.ask(time.Minute, order("b", 1)) }()
		synctest.Wait()
		if out := n.ask(time.Minute, order("c", 1)); out.Code != stock.Overloaded || out.Detail.Bound != boundLeaderless {
			t.Errorf("%+v", out)
		}
		w.lead(w.shardOfSKU("shoe"), "n2")
		if out := <-answer; out.Code != stock.OK {
			t.Errorf("%+v", out)
		}
		if w.entries["a"]+w.entries["c"] != 0 || n.forward.leaderless.Load() != 0 {
			t.Error("what was not executed is in the log, or counted for ever")
		}
	})
}

// Commands to which the caller gives no key get one that stays with them.
func TestKeysAreMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 3)
		defer w.close()
		w.create("shoe", 5)
		id := w.shardOfSKU("shoe")
		w.lead(id, "n2")
		w.nodes["n2"].stop()
		answer := make(chan stock.Outcome, 1)
		go func() { answer <- w.nodes["n1"].ask(5*time.Second, &stock.Freeze{SKU: "shoe", Frozen: true}) }()
		pass(50 * time.Millisecond)
		w.lead(id, "n3")
		if out := <-answer; out.Code != stock.OK {
			t.Fatal(out.Code)
		}
		if out := w.nodes["n2"].ask(time.Second, &stock.Freeze{SKU: "shoe"}); out.Code != stock.OK {
			t.Fatal(out.Code)
		}
		w.lead(id, "n2")
		w.nodes["n2"].resume()
		pass(time.Second)
		if out := w.nodes["n1"].ask(time.Second, &stock.GetSKU{SKU: "shoe"}); out.Code != stock.OK || out.SKU.Frozen {
			t.Errorf("a late copy stopped the sale again: %+v", out)
		}
	})
}

// A listing is of all shards, in byte order, or none.
func TestListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 3)
		defer w.close()
		for i := range 25 {
			w.create(fmt.Sprintf("sku-%02d", i), 1)
		}
		w.lead(1, "n2")
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if skus, _, err := w.nodes["n1"].forward.SKUs(ctx, "", 10); err == nil {
			t.Errorf("%d SKUs of one shard", len(skus))
		}
		w.lead(2, "n3")
		var names []string
		for after, more := "", true; more; {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			skus, rest, err := w.nodes["n1"].forward.SKUs(ctx, after, 10)
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range skus {
				names = append(names, k.SKU)
			}
			after, more = names[len(names)-1], rest
		}
		for i, name := range names {
			if name != fmt.Sprintf("sku-%02d", i) || len(names) != 25 {
				t.Fatal(names)
			}
		}
	})
}
