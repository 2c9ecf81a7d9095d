package control

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/cluster"
	"holdfast/cluster/meta"
	"holdfast/stock"
)

// A transfer that is asked for between two leaders, or of a node that does not know yet who leads, is carried out: the one asked for leads when it is
// answered.
func TestTransferBetweenTwoLeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t, 1)
		defer w.close()
		if err := w.join("n4", "n1:1"); err != nil {
			t.Fatal(err)
		}
		w.reaches("four nodes", func() bool { return w.settled(4) })
		voters, outside := w.votersAndOther(1)
		for _, row := range []struct {
			what    string
			through string
			between func(g *fakeGroup)
		}{
			{"nobody leads", voters[1], func(g *fakeGroup) { g.leader = "" }},
			{"nobody leads, and who is asked has no replica", outside, func(g *fakeGroup) { g.leader = "" }},
			{"another leads by now", outside, func(g *fakeGroup) { g.leader, g.term = voters[1], g.term+1 }},
			{"who led until now is asked for", outside, func(g *fakeGroup) { g.leader, g.term = voters[1], g.term+1 }},
			{"it comes to another", outside, func(g *fakeGroup) { g.astray = voters[1] }},
		} {
			to := voters[2]
			if row.what == "who led until now is asked for" {
				to = voters[0]
			}
			if _, err := w.node(outside).control.Transfer(t.Context(), 1, voters[0]); err != nil {
				t.Fatal(err)
			}
			w.mu.Lock()
			row.between(w.groups[1])
			w.mu.Unlock()
			led, err := w.node(row.through).control.Transfer(t.Context(), 1, to)
			if err != nil || led != to || w.leader(1) != to {
				t.Errorf("%s: %q %v, and %s leads", row.what, led, err, w.leader(1))
			}
		}
	})
}

// votersAndOther returns the nodes that vote in a shard, and one that has no replica of it.
func (w *world) votersAndOther(shard uint32) (voters []string, other string) {
	names := w.names()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range names {
		if w.groups[shard].member(id) == nil {
			other = id
		} else {
			voters = append(voters, id)
		}
	}
	return voters, other
}

// A transfer that failed because the heir's election took too long is followed until it leads; when it never does, the outcome is unknown.
func TestTransferWhoseHeirIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t, 1)
		defer w.close()
		for _, row := range []struct {
			late time.Duration
			want error
		}{{movesWithin / 2, nil}, {time.Hour, stock.ErrUnknown}} {
			w.mu.Lock()
			was := w.groups[1].leader
			w.groups[1].late = row.late
			w.mu.Unlock()
			to := map[string]string{"n1": "n2", "n2": "n3", "n3": "n1"}[was]
			led, err := w.node(to).control.Transfer(t.Context(), 1, to)
			if !errors.Is(err, row.want) || err == nil && (led != to || w.leader(1) != to) {
				t.Errorf("elected after %v: %q %v, and %s leads", row.late, led, err, w.leader(1))
			}
		}
	})
}

// A shard without a majority has no leader: whoever asks for a transfer, or a snapshot, learns that when the time is up, and that nothing was done.
func TestTransferWithoutALeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t, 1)
		defer w.close()
		<-time.After(time.Minute) // Everybody has heard who votes.
		w.node("n1").crash()
		w.node("n2").crash()
		c := w.node("n3").control
		for what, ask := range map[string]func(context.Context) error{
			"transfer": func(ctx context.Context) error { _, err := c.Transfer(ctx, 1, "n3"); return err },
			"snapshot": func(ctx context.Context) error { _, _, err := c.Snapshot(ctx, 1); return err },
		} {
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
			err := ask(ctx)
			cancel()
			if took := time.Since(began); !errors.Is(err, ErrNoLeader) || !errors.Is(err, stock.ErrNotExecuted) || took != 6*time.Second {
				t.Errorf("%s: %v after %v", what, err, took)
			}
		}
	})
}

// A transfer of which nobody knows how it ended is not asked of the same leader again, in whatever term that leads by now: raft may refuse everything
// after the second that fails (raft#696). And its caller is never told that nothing was done, whatever came after it.
func TestATransferOfUnknownOutcome(t *testing.T) {
	for _, row := range []struct {
		what string
		// stale is how many terms behind the one who asks is; then is what happened to the transfer of each time, asked how often.
		stale uint64
		then  func(g *fakeGroup, other string)
		asked int
	}{
		{"it failed", 0, func(*fakeGroup, string) {}, 1},
		{"it failed, and who asks knew of an earlier term of the leader's", 2, func(*fakeGroup, string) {}, 1},
		{"its leader leads again", 0, func(g *fakeGroup, _ string) { g.term += 2 }, 1},
		{"another came to lead, and then nobody", 0, func(g *fakeGroup, other string) {
			if g.leader == other {
				other = ""
			}
			g.leader, g.term = other, g.term+1
		}, 2},
	} {
		t.Run(row.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := three(t, 1)
				defer w.close()
				if err := w.join("n4", "n1:1"); err != nil {
					t.Fatal(err)
				}
				w.reaches("four nodes", func() bool { return w.settled(4) })
				voters, outside := w.votersAndOther(1)
				c := w.node(outside).control
				if _, err := c.Transfer(t.Context(), 1, voters[0]); err != nil {
					t.Fatal(err)
				}
				asked := 0
				ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
				defer cancel()
				w.set(func() {
					g := w.groups[1]
					g.term += row.stale
					g.failing = func() error {
						asked++
						if row.then(g, voters[1]); g.leader == "" {
							cancel()
							return fmt.Errorf("%w: %w", stock.ErrNotExecuted, cluster.ErrNotLeader)
						}
						return fmt.Errorf("%w: it ended somehow", stock.ErrUnknown)
					}
				})
				led, err := c.Transfer(ctx, 1, voters[2])
				if !errors.Is(err, stock.ErrUnknown) || errors.Is(err, stock.ErrNotExecuted) || asked != row.asked {
					t.Errorf("%q %v, asked %d times", led, err, asked)
				}
			})
		})
	}
}

// What another node refused is told apart here as it is there, though only its text travels.
func TestRefusalsOfOthersAreRecognized(t *testing.T) {
	for _, of := range refusedThere {
		there := fmt.Errorf("%w: %w: here", stock.ErrNotExecuted, of)
		came := fmt.Errorf("%w: %w: not executed: %s", stock.ErrNotExecuted, cluster.ErrNotTaken, there)
		err := recognized(came)
		if !errors.Is(err, of) || !errors.Is(err, stock.ErrNotExecuted) || err.Error() != came.Error() {
			t.Errorf("%v", err)
		}
		if passes(err) == errors.Is(err, cluster.ErrNoHeir) {
			t.Errorf("%v passes: %v", err, passes(err))
		}
	}
	for _, err := range []error{
		fmt.Errorf("%w: %w: not executed: another reason", stock.ErrNotExecuted, cluster.ErrNotTaken),
		fmt.Errorf("%w: %w: failed: %w", stock.ErrUnknown, cluster.ErrPeerFailed, ErrClosed),
	} {
		if recognized(err) != err || passes(err) {
			t.Errorf("%v is taken for something else", err)
		}
	}
}

// Who waits for a leader does not wait for the next look around, neither where a replica has learned of it nor where none is.
func TestANewLeaderIsKnownAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t, 1)
		defer w.close()
		if err := w.join("n4", "n1:1"); err != nil {
			t.Fatal(err)
		}
		w.reaches("four nodes", func() bool { return w.settled(4) })
		<-time.After(time.Minute)
		voters, outside := w.votersAndOther(1)
		for i := range 10 {
			to := voters[i%len(voters)]
			<-time.After(time.Duration(i) * 331 * time.Millisecond)
			began := time.Now()
			w.mu.Lock()
			w.groups[1].leader, w.groups[1].term = to, w.groups[1].term+1
			w.mu.Unlock()
			for _, id := range voters {
				w.node(id).control.LeaderMoved()
			}
			for _, id := range append([]string{outside}, voters...) {
				c := w.node(id).control
				for changed := c.Changed(); ; changed = c.Changed() {
					if now, _, _ := c.Leader(1); now == to {
						break
					}
					<-changed
				}
			}
			if took := time.Since(began); took > 20*time.Millisecond {
				t.Errorf("that %s leads was known everywhere after %v", to, took)
			}
		}
	})
}

// A change that is asked for while another one is about to end is carried out after that, and one that waits in vain is refused with the other's name.
func TestAChangeAwaitsTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t, 2)
		defer w.close()
		if err := w.join("n4", "n1:1"); err != nil {
			t.Fatal(err)
		}
		c := w.node("n2").control
		w.reaches("a change is under way", func() bool { return c.Cluster().UnderWay() != nil })
		adding := c.Cluster().UnderWay().ID
		if answer, out, err := c.RemoveNode(t.Context(), "n4", true); err != nil || out.Code != meta.ChangeUnderWay || answer.Change != "" {
			t.Errorf("a dry run beside a change: %+v %v %v", answer, out, err)
		}
		answer, out, err := c.RemoveNode(t.Context(), "n4", false)
		if err != nil || out.Code != meta.OK || answer.Change == "" || c.Cluster().Change(adding).State != meta.Completed {
			t.Fatalf("beside a change: %+v %v %v", answer, out, err)
		}
		w.reaches("three nodes", func() bool { return w.settled(3) })
		if err := w.join("n5", "n1:1"); err != nil {
			t.Fatal(err)
		}
		w.reaches("another change is under way", func() bool { return c.Cluster().UnderWay() != nil })
		w.node("n5").crash()
		began := time.Now()
		_, out, err = c.Balance(t.Context(), false)
		if took := time.Since(began); err != nil || out.Code != meta.ChangeUnderWay || out.Detail.Change == 0 || took > 6*time.Second {
			t.Errorf("beside a change that waits for a node that just died: %v %v after %v", out, err, took)
		}
		<-time.After(10 * time.Second)
		began = time.Now()
		if _, out, err = c.Balance(t.Context(), false); err != nil || out.Code != meta.ChangeUnderWay || time.Since(began) > time.Second {
			t.Errorf("a while after that: %v %v after %v", out, err, time.Since(began))
		}
	})
}
