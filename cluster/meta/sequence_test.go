package meta

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"holdfast/cluster/placement"
	"holdfast/stock"
)

// writer draws commands that collide: few nodes, few keys, few addresses, and plans of the present state, right or slightly wrong.
type writer struct {
	t     *rapid.T
	state *State
	clock stock.Time
	sent  []Command
	keys  int
}

func (w *writer) roll(n int) int { return rapid.IntRange(0, n-1).Draw(w.t, "roll") }

func (w *writer) node() string { return fmt.Sprintf("n%d", 1+w.roll(5)) }

func (w *writer) head() Keyed {
	w.keys++
	h := Keyed{Caller: "ops", Key: fmt.Sprintf("k%d", w.keys), Deadline: w.clock + 5000}
	switch w.roll(40) {
	case 0:
		h.Key = fmt.Sprintf("k%d", 1+w.roll(w.keys))
	case 1:
		h.Deadline = w.clock
	case 2:
		h.Deadline = w.clock + MaxDeadlineMS + 1
	}
	return h
}

func (w *writer) addresses() Addresses {
	a := Addresses{Peer: fmt.Sprintf("h%d:1", 1+w.roll(8)), HTTP: "h:2"}
	if w.roll(20) == 0 {
		a.Peer = ""
	}
	return a
}

func (w *writer) create() Command {
	c := &Create{
		Keyed: w.head(), ClusterID: [16]byte{1}, Epoch: uint16(1 + w.roll(2)), Level: 1, Node: "n1", Incarnation: 1,
		Addresses: Addresses{Peer: "h1:1"}, Binary: Binary{"0.1.0", 1}, Shards: 2, Partitions: placement.Partitions(2), Settings: DefaultSettings(),
	}
	c.Settings.MaxNodes = 4
	if w.roll(10) == 0 {
		c.ClusterID = [16]byte{}
	}
	return c
}

func (w *writer) add() Command {
	c := &AddNode{Keyed: w.head(), Node: w.node(), Incarnation: 1, Addresses: w.addresses(), Binary: Binary{"0.1.0", 1}}
	switch w.roll(12) {
	case 0:
		c.ClusterID = [16]byte{2}
	case 1:
		c.Incarnation = 2
	case 2:
		c.Binary.Level = 0
	}
	return c
}

func (w *writer) change() ChangeID { return max(1, w.state.cluster.NextChange-ChangeID(w.roll(3))) }

// plan draws a plan as a leader would make it, if there is one, and damages some.
func (w *writer) plan() Command {
	c := w.state.Cluster()
	want := Want{Kind: ChangeKind(1 + w.roll(4)), Node: w.node(), Shard: uint32(w.roll(3))}
	view := View{Reachable: []string{"n1", "n2", "n3", "n4", "n5"}}
	for _, s := range c.Shards {
		g := Group{Shard: s.ID, Leader: s.Nodes(Voter)[0]}
		for _, r := range s.Replicas {
			g.Members = append(g.Members, GroupMember{r.Node, r.Number, r.Role, true})
		}
		view.Groups = append(view.Groups, g)
	}
	p, out := NewPlan(c, view, want)
	if out.Code != OK {
		p = Plan{Want: want, Base: c.Version, Shards: cloneShards(c.Shards)}
	}
	b := p.Begin(w.head())
	if len(b.Shards) == 0 {
		return b
	}
	b.Shards = cloneShards(b.Shards)
	switch s := &b.Shards[w.roll(len(b.Shards))]; w.roll(14) {
	case 0:
		b.Base--
	case 1:
		s.Replicas[0].Number += uint64(1 + w.roll(3))
	case 2:
		s.Replicas[0].Node = w.node()
	case 3:
		s.ID++
	case 4:
		s.Replicas = nil
	case 5:
		slices.Reverse(s.Replicas)
	case 6:
		b.Shards = b.Shards[:len(b.Shards)-1]
	}
	return b
}

func (w *writer) abort() Command {
	c := &w.state.cluster
	a := &Abort{Keyed: w.head(), Change: w.change(), Reason: "enough", Shards: cloneShards(c.Shards)}
	if r := c.UnderWay(); r != nil && w.roll(2) == 0 {
		a.Shards = cloneShards(r.Before)
	}
	if len(a.Shards) > 0 && w.roll(6) == 0 {
		a.Shards[1].Replicas[0].Number += 1000
	}
	return a
}

func (w *writer) report() Command {
	c := &Report{Keyed: w.head(), Change: w.change(), Step: Step{Promote, 1, w.node(), 2}, State: StepState(2 + w.roll(2))}
	if r := w.state.cluster.UnderWay(); r != nil && len(r.Steps) > 0 && w.roll(4) > 0 {
		c.Step = r.Steps[w.roll(len(r.Steps))].Step
	}
	return c
}

func (w *writer) any() Command {
	if !w.state.cluster.Created() && w.roll(3) > 0 {
		return w.create()
	}
	switch k := w.roll(100); {
	case k < 2:
		return w.create()
	case k < 22:
		return w.add()
	case k < 28:
		return &UpdateNode{Keyed: w.head(), Node: w.node(), Incarnation: uint64(1 + w.roll(5)/4), Addresses: w.addresses()}
	case k < 32:
		return &Adopt{Keyed: w.head(), Node: w.node(), Incarnation: uint64(1 + w.roll(5)/4), Binary: Binary{"0.2.0", uint16(w.roll(5))}}
	case k < 54:
		return w.plan()
	case k < 64:
		return w.report()
	case k < 80:
		return &Finish{Keyed: w.head(), Change: w.change()}
	case k < 86:
		return w.abort()
	case k < 90:
		n := int64(w.roll(7))
		return &SetSettings{Keyed: w.head(), Patch: SettingsPatch{MaxNodes: &n}}
	case k < 92:
		return &RaiseLevel{Keyed: w.head(), Level: uint16(w.roll(2))}
	case k < 94:
		return &RaiseEpoch{Keyed: w.head(), Epoch: uint16(w.roll(4))}
	}
	if len(w.sent) > 0 {
		return w.sent[w.roll(len(w.sent))] // a copy, late or not
	}
	return w.create()
}

// sequence draws n entries.
func sequence(t *rapid.T, n int) (entries [][]byte, commands []Command, clocks []stock.Time) {
	w := &writer{t: t, state: New(), clock: startMS}
	for range n {
		switch w.roll(8) {
		case 0:
			w.clock += 6000
		case 1:
			w.clock -= 3000 // another leader's
		}
		c := w.any()
		data := encoded(t, w.clock, c)
		if _, _, err := w.state.Apply(data); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		w.sent = append(w.sent, c)
		entries, commands, clocks = append(entries, data), append(commands, c), append(clocks, w.clock)
	}
	return entries, commands, clocks
}

// same compares the state with the oracle's, and holds the invariants.
func same(t *rapid.T, s *State, o *oracle) {
	c := s.Cluster()
	if c.Version != o.version || c.NextReplica != o.nextReplica || c.Epoch != o.epoch || c.Level != o.level || c.Settings != o.settings {
		t.Fatalf("state %+v\noracle %+v", c, o)
	}
	if len(c.Nodes) != len(o.nodes) || !slices.Equal(c.Retired, o.retired) {
		t.Fatalf("nodes %v, %v; oracle %v, %v", c.Nodes, c.Retired, o.nodes, o.retired)
	}
	for i, n := range c.Nodes {
		if o.nodes[n.ID] != n || i > 0 && c.Nodes[i-1].ID >= n.ID || n.Level < c.Level {
			t.Fatalf("node %+v, oracle %+v", n, o.nodes[n.ID])
		}
	}
	for i, sh := range c.Shards {
		if !reflect.DeepEqual(asMap([]Shard{sh})[sh.ID], o.shards[uint32(i)]) {
			t.Fatalf("shard %+v, oracle %+v", sh, o.shards[uint32(i)])
		}
		for _, r := range sh.Replicas {
			if r.Number >= c.NextReplica || c.Node(r.Node) == nil {
				t.Fatalf("replica %+v, next %d", r, c.NextReplica)
			}
		}
	}
	kept := o.changes[max(0, len(o.changes)-keptChanges):]
	if o.running() != nil && len(o.changes) > keptChanges {
		kept = o.changes[len(o.changes)-keptChanges-1:]
	}
	if len(c.Changes) != len(kept) {
		t.Fatalf("%d changes, oracle %d", len(c.Changes), len(kept))
	}
	for i := range kept {
		a, b := c.Changes[i], kept[i]
		a.Began, a.Ended, a.Before = 0, 0, nil
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("change %+v\noracle %+v", a, b)
		}
	}
}

func TestTheStateAgreesWithTheOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries, commands, clocks := sequence(t, 60)
		s, o := New(), newOracle()
		for i, data := range entries {
			before := s.Hash()
			_, got, err := s.Apply(data)
			if err != nil {
				t.Fatal(err)
			}
			want := o.apply(clocks[i], commands[i])
			if got.Code != want.Code || got.Replayed != want.Replayed || got.Change != want.Change {
				t.Fatalf("entry %d, %T %+v: %v %+v, oracle %v %+v", i, commands[i], commands[i], got.Code, got, want.Code, want)
			}
			if (got.Code == OK) != (got.WayOut() == "") || (got.Code == OK) != (got.Text() == "") {
				t.Fatalf("%v: %q, %q", got.Code, got.Text(), got.WayOut())
			}
			if got.Code == OK && !got.Replayed && s.Hash() == before {
				t.Fatalf("%T changed nothing", commands[i])
			}
			same(t, s, o)
		}
	})
}

func TestEveryCutAndReplayGivesTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries, _, _ := sequence(t, 28)
		s := New()
		var outcomes []Outcome
		var cuts [][]byte
		for _, data := range entries {
			cuts = append(cuts, s.Snapshot())
			_, out, _ := s.Apply(data)
			outcomes = append(outcomes, out)
		}
		for at, cut := range cuts {
			r, err := Restore(bytes.NewReader(cut))
			if err != nil {
				t.Fatalf("cut %d: %v", at, err)
			}
			for i := at; i < len(entries); i++ {
				if _, out, err := r.Apply(entries[i]); err != nil || out != outcomes[i] {
					t.Fatalf("cut %d, entry %d: %+v, %v; first %+v", at, i, out, err, outcomes[i])
				}
			}
			if r.Hash() != s.Hash() || !bytes.Equal(r.Snapshot(), s.Snapshot()) {
				t.Fatalf("cut %d: another state", at)
			}
		}
	})
}

// A copy of an entry that comes later, with the clock of its first coming, changes nothing but log time, as long as its deadline has not passed.
func TestDuplicatesChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries, commands, clocks := sequence(t, 40)
		s := New()
		for i, data := range entries {
			_, first, _ := s.Apply(data)
			was := s.Snapshot()
			_, again, err := s.Apply(data)
			first.Replayed = true
			switch again.Code {
			case KeyReused, DeadlineExceeded, Overloaded:
			default:
				if remembers := s.recall(commands[i].Head()) != nil; remembers && again != first || err != nil {
					t.Fatalf("entry %d at %d: %+v, then %+v, %v", i, clocks[i], first, again, err)
				}
			}
			if !bytes.Equal(s.Snapshot(), was) {
				t.Fatalf("the copy of entry %d, %T, changed something", i, commands[i])
			}
		}
	})
}

// The sequences must come to what they are for.
func TestSequencesReachEveryCode(t *testing.T) {
	reached := map[string]int{}
	drawn := rapid.Custom(func(t *rapid.T) [][]byte {
		entries, _, _ := sequence(t, 60)
		return entries
	})
	for seed := range 400 {
		s := New()
		for _, data := range drawn.Example(seed) {
			c, out, _ := s.Apply(data)
			reached[strings.TrimPrefix(fmt.Sprintf("%T ", c), "*meta.")+out.Code.String()]++
		}
	}
	for name, codes := range map[string]string{
		"Create": "ok already_created invalid_value", "RaiseLevel": "ok invalid_value", "RaiseEpoch": "ok invalid_value",
		"AddNode":    "ok not_created other_cluster node_exists node_removed duplicate_address too_many_nodes invalid_value",
		"UpdateNode": "ok node_exists node_removed unknown_node duplicate_address invalid_value",
		"Adopt":      "ok node_exists unknown_node invalid_value idempotency_key_reused",
		"Begin":      "ok change_under_way stale_plan unknown_node unknown_shard last_voter node_leaving invalid_value deadline_exceeded",
		"Report":     "ok unknown_change change_ended", "Finish": "ok unknown_change change_ended",
		"Abort": "ok unknown_change change_ended invalid_value", "SetSettings": "ok too_many_nodes invalid_value",
	} {
		for code := range strings.FieldsSeq(codes) {
			if reached[name+" "+code] < 3 {
				t.Errorf("%s %s: %d times", name, code, reached[name+" "+code])
			}
		}
	}
	if testing.Verbose() {
		t.Log(reached)
	}
}
