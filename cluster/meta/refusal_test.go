package meta

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/cluster/placement"
	"holdfast/stock"
)

// town is a cluster at rest: every group is as the table says, led evenly, and every node answers.
type town struct {
	t     *testing.T
	state *State
	view  View
	keys  int
}

func newTown(t *testing.T, shards, nodes int) *town {
	t.Helper()
	w := &town{t: t, state: New()}
	w.send(&Create{
		ClusterID: [16]byte{7}, Epoch: 1, Level: 1, Node: "n1", Incarnation: 1, Addresses: Addresses{Peer: "n1:1"}, Binary: Binary{Level: 1},
		Shards: uint32(shards), Partitions: placement.Partitions(shards), Settings: DefaultSettings(),
	})
	w.see()
	for _, id := range []string{"n2", "n3", "n4", "n5", "n6", "n7"}[:nodes-1] {
		w.send(joining(id))
		w.see()
		w.change(Want{Kind: AddingNode, Node: id})
	}
	return w
}

func joining(id string) *AddNode {
	return &AddNode{Node: id, Incarnation: 1, Addresses: Addresses{Peer: id + ":1"}, Binary: Binary{Level: 1}}
}

func (w *town) send(c Command) Outcome {
	w.t.Helper()
	w.keys++
	*c.Head() = Keyed{Key: strings.Repeat("k", w.keys%7+1) + ChangeID(w.keys).String(), Deadline: startMS + 1}
	_, out, err := w.state.Apply(encoded(w.t, startMS, c))
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// see makes the view what the table says; leaders stay where they are, where they can.
func (w *town) see() {
	c := w.state.Cluster()
	led := map[uint32]string{}
	for _, g := range w.view.Groups {
		led[g.Shard] = g.Leader
	}
	w.view = View{}
	for _, n := range c.Nodes {
		w.view.Reachable = append(w.view.Reachable, n.ID)
	}
	leaders := placement.Leaders(c.table(), led)
	leaders[0] = c.Shards[0].Nodes(Voter)[0]
	for _, s := range c.Shards {
		g := Group{Shard: s.ID, Index: 1, Leader: leaders[s.ID]}
		for _, r := range s.Replicas {
			g.Members = append(g.Members, GroupMember{r.Node, r.Number, r.Role, true})
		}
		if g.on(g.Leader).Role != Voter {
			g.Leader = s.Nodes(Voter)[0]
		}
		w.view.Groups = append(w.view.Groups, g)
	}
}

// change carries a change out at once.
func (w *town) change(want Want) {
	w.t.Helper()
	p, out := NewPlan(w.state.Cluster(), w.view, want)
	if out.Code != OK {
		w.t.Fatalf("%+v: %s", want, out.Text())
	}
	if out = w.send(p.Begin(Keyed{})); out.Code == OK {
		out = w.send(&Finish{Change: out.Change})
	}
	if out.Code != OK {
		w.t.Fatalf("%+v: %s", want, out.Text())
	}
	w.see()
}

func (w *town) dies(nodes ...string) {
	w.view.Reachable = slices.DeleteFunc(w.view.Reachable, func(n string) bool { return slices.Contains(nodes, n) })
	for i := range w.view.Groups {
		g := &w.view.Groups[i]
		if slices.Contains(nodes, g.Leader) {
			g.Leader = ""
		}
		for _, m := range g.Members {
			if g.Leader == "" && g.quorate(&w.view) && m.Role == Voter && w.view.reaches(m.Node) {
				g.Leader = m.Node
			}
		}
	}
}

func TestPlansThatAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name         string
		nodes        int
		dead         []string
		unseen       bool
		want         Want
		code         Code
		text, wayOut string
	}{
		{"the only node", 1, nil, false, Want{Kind: RemovingNode, Node: "n1"}, LastVoter, "last voter of the meta group", "add a node"},
		{"an unknown node", 3, nil, false, Want{Kind: RemovingNode, Node: "n9"}, UnknownNode, "no node n9", "cluster nodes"},
		{"a live one of two", 2, []string{"n1"}, false, Want{Kind: RemovingNode, Node: "n2"}, QuorumLoss, "majority", "bring a node back"},
		{"a live one of three", 3, []string{"n2"}, false, Want{Kind: RemovingNode, Node: "n1"}, QuorumLoss, "majority", "bring a node back"},
		{"two of three are dead", 3, []string{"n1", "n2"}, false, Want{Kind: RemovingNode, Node: "n1"}, QuorumLoss, "majority", "bring a node back"},
		{"the dead one of three", 3, []string{"n2"}, false, Want{Kind: RemovingNode, Node: "n2"}, OK, "", ""},
		{"the dead one of five", 5, []string{"n2"}, false, Want{Kind: RemovingNode, Node: "n2"}, OK, "", ""},
		{"nobody tells", 3, nil, true, Want{Kind: Balancing}, ShardUnseen, "nobody who answers knows the members of shard 2", "bring a node"},
		{"rebuild nothing", 5, nil, false, Want{Kind: Rebuilding, Node: "n1", Shard: 9}, UnknownShard, "shard 9", "cluster shards"},
		{"rebuild the only one", 1, nil, false, Want{Kind: Rebuilding, Node: "n1", Shard: 1}, LastVoter, "last voter of shard 1", "add a node"},
		{"rebuild on a dead node", 3, []string{"n2"}, false, Want{Kind: Rebuilding, Node: "n2", Shard: 1}, Unreachable, "n2", "start the node"},
		{"rebuild beside a dead node", 3, []string{"n2"}, false, Want{Kind: Rebuilding, Node: "n1", Shard: 1}, QuorumLoss, "shard 1", "bring"},
		{"no kind", 3, nil, false, Want{}, InvalidValue, "kind", "correct"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newTown(t, 4, tc.nodes)
			w.dies(tc.dead...)
			if tc.unseen {
				w.view.Groups = slices.Delete(w.view.Groups, 2, 3)
			}
			_, out := NewPlan(w.state.Cluster(), w.view, tc.want)
			if out.Code != tc.code || !strings.Contains(out.Text(), tc.text) || !strings.Contains(out.WayOut(), tc.wayOut) {
				t.Errorf("%v: %q, %q; want %v", out.Code, out.Text(), out.WayOut(), tc.code)
			}
		})
	}
}

// Two dead nodes are removed one after the other, unless a shard has lost its majority with them. Nothing is placed on the one that is left.
func TestADeadNodeIsRemovedBesideAnother(t *testing.T) {
	can, cannot := 0, 0
	for _, pair := range [][2]string{{"n1", "n2"}, {"n1", "n3"}, {"n2", "n5"}, {"n3", "n7"}, {"n4", "n6"}, {"n5", "n6"}, {"n6", "n7"}} {
		w := newTown(t, 4, 7)
		w.dies(pair[:]...)
		stranded := slices.ContainsFunc(w.view.Groups, func(g Group) bool { return !g.quorate(&w.view) })
		p, out := NewPlan(w.state.Cluster(), w.view, Want{Kind: RemovingNode, Node: pair[0]})
		if stranded {
			cannot++
			if out.Code != QuorumLoss && out.Code != OK { // the stranded shard may need nothing
				t.Errorf("%v: %s", pair, out.Text())
			}
			continue
		}
		can++
		if out.Code != OK {
			t.Errorf("%v: %s", pair, out.Text())
		}
		for _, s := range p.Steps {
			if s.Kind != Remove && s.Kind != Forget && s.Kind != Demote && slices.Contains(pair[:], s.Node) {
				t.Errorf("%v: %v", pair, s)
			}
		}
	}
	if can < 2 || cannot < 1 {
		t.Errorf("%d pairs can go, %d cannot", can, cannot)
	}
}

func TestJoinsThatAreRefused(t *testing.T) {
	w := newTown(t, 4, 3)
	w.change(Want{Kind: RemovingNode, Node: "n2"})
	limit := int64(2)
	for _, tc := range []struct {
		name   string
		change func(*AddNode)
		code   Code
		wayOut string
	}{
		{"as before", func(a *AddNode) { a.Node, a.Peer = "n3", "n3:1" }, OK, ""},
		{"an empty disk under a known id", func(a *AddNode) { a.Node, a.Incarnation = "n3", 2 }, NodeExists, "join under a new id"},
		{"another cluster's disk", func(a *AddNode) { a.ClusterID = [16]byte{8} }, OtherCluster, "empty data directory"},
		{"a removed node", func(a *AddNode) { a.Node = "n2" }, NodeRemoved, "new id"},
		{"an address that is taken", func(a *AddNode) { a.Peer = "n3:1" }, DuplicateAddress, "--advertise-peer"},
		{"an id that cannot be", func(a *AddNode) { a.Node = "n#4" }, InvalidValue, "correct"},
		{"no port", func(a *AddNode) { a.Peer = "n4" }, InvalidValue, "correct"},
		{"no level", func(a *AddNode) { a.Level = 0 }, InvalidValue, "correct"},
		{"one too many", func(*AddNode) { w.send(&SetSettings{Patch: SettingsPatch{MaxNodes: &limit}}) }, TooManyNodes, "max-nodes"},
	} {
		a := joining("n4")
		tc.change(a)
		with, dry := w.state.Cluster().With(a)
		if dry.Code == OK && (dry.Replayed || with.Node(a.Node) == nil) != (tc.name == "as before") {
			t.Errorf("%s: shown as %+v", tc.name, with.Nodes)
		}
		before := len(w.state.Cluster().Nodes)
		if out := w.send(a); out.Code != tc.code || !strings.Contains(out.WayOut(), tc.wayOut) || out != dry || len(w.state.Cluster().Nodes) != before {
			t.Errorf("%s: %v %q, shown %v; want %v", tc.name, out.Code, out.WayOut(), dry.Code, tc.code)
		}
	}
}

func TestEveryRefusalNamesTheWayOut(t *testing.T) {
	for c := NotCreated; int(c) < len(codeNames); c++ {
		out := refuseWith(c, Detail{Node: "n1", Field: "f", Reason: "r"})
		if out.WayOut() == "" || out.Text() == "" || strings.Contains(c.String(), "(") || out.Text() == c.String() {
			t.Errorf("%v: %q, %q", c, out.Text(), out.WayOut())
		}
	}
	if StalePlan.Retryable() != true || LastVoter.Retryable() {
		t.Error("what may be tried again")
	}
}

// The plans that operators will see most often, word for word.
func TestPlansAsTheyAreShown(t *testing.T) {
	var b bytes.Buffer
	show := func(title string, c *Cluster, v View, want Want) {
		p, out := NewPlan(c, v, want)
		if out.Code != OK {
			t.Fatalf("%s: %s", title, out.Text())
		}
		b.WriteString("# " + title + "\n" + p.Text() + "\n")
	}
	w := newTown(t, 2, 1)
	with, _ := w.state.Cluster().With(joining("n2"))
	w.view.Reachable = append(w.view.Reachable, "n2", "n3", "n4")
	show("the second node", with, w.view, Want{Kind: AddingNode, Node: "n2"})
	w.send(joining("n2"))
	with, _ = w.state.Cluster().With(joining("n3"))
	show("two nodes at once", with, w.view, Want{Kind: AddingNode, Node: "n2"})
	w = newTown(t, 2, 3)
	with, _ = w.state.Cluster().With(joining("n4"))
	w.view.Reachable = append(w.view.Reachable, "n4")
	show("the fourth node", with, w.view, Want{Kind: AddingNode, Node: "n4"})
	show("three nodes become two", w.state.Cluster(), w.view, Want{Kind: RemovingNode, Node: "n1"})
	show("a replica is rebuilt", w.state.Cluster(), w.view, Want{Kind: Rebuilding, Node: "n3", Shard: 2})
	show("balance what is balanced", w.state.Cluster(), w.view, Want{Kind: Balancing})
	w = newTown(t, 2, 4)
	w.dies("n2")
	show("a dead node of four", w.state.Cluster(), w.view, Want{Kind: RemovingNode, Node: "n2"})

	p, _ := NewPlan(w.state.Cluster(), w.view, Want{Kind: RemovingNode, Node: "n2"})
	p.Steps = p.Steps[len(p.Steps)-2:]
	for _, id := range []ChangeID{0, 12} {
		answer, err := json.MarshalIndent(p.Answer(id), "", " ")
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(answer, '\n'))
	}
	path := filepath.Join("testdata", "plans.txt")
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("now:\n%s", b.Bytes())
	}
}

func TestFiveNodesAndSixteenShardsAreEven(t *testing.T) {
	w := newTown(t, 16, 5)
	replicas, leads := map[string]int{}, map[string]int{}
	for i := range w.view.Groups[1:] {
		g := &w.view.Groups[i+1]
		g.Leader = g.Members[0].Node // all on the first names
		for _, m := range g.Members {
			replicas[m.Node]++
		}
	}
	p, out := NewPlan(w.state.Cluster(), w.view, Want{Kind: Balancing})
	if out.Code != OK {
		t.Fatal(out.Text())
	}
	for _, s := range p.Steps {
		if s.Kind != Transfer {
			t.Fatalf("%v although replicas are even", s)
		}
		w.view.group(s.Shard).Leader = s.Node
	}
	for _, g := range w.view.Groups[1:] {
		leads[g.Leader]++
	}
	for n, k := range leads {
		if k < 3 || k > 4 || replicas[n] < 9 || replicas[n] > 10 {
			t.Errorf("%s leads %d and has %d replicas", n, k, replicas[n])
		}
	}
	if len(leads) != 5 || len(p.Steps) == 0 {
		t.Errorf("leaders %v after %d transfers", leads, len(p.Steps))
	}
}

func TestLevels(t *testing.T) {
	w := newTown(t, 1, 2)
	_, _, err := w.state.Apply(encoded(t, startMS, &RaiseLevel{Keyed: keyed("k"), Level: Level + 1}))
	if !errors.Is(err, ErrUnknownLevel) {
		t.Errorf("an unknown level: %v", err)
	}
	was := w.state.Hash()
	if _, _, err := w.state.Apply([]byte{9}); !errors.Is(err, ErrUnknownCommand) || w.state.Hash() != was {
		t.Errorf("an unknown version: %v", err)
	}
	// A cluster on a level of a later binary, as this one would see it.
	w.state.cluster.Level = Level + 1
	if out := w.send(joining("n3")); out.Code != LevelTooLow || out.Detail.Limit != 1 {
		t.Errorf("an old binary joins: %+v", out)
	}
	if out := w.send(&Adopt{Node: "n2", Incarnation: 1, Binary: Binary{Level: 1}}); out.Code != LevelTooLow {
		t.Errorf("an old binary comes back: %+v", out)
	}
	if _, err := Restore(bytes.NewReader(w.state.Snapshot())); !errors.Is(err, ErrUnknownLevel) {
		t.Errorf("a snapshot of a later level: %v", err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	w := newTown(t, 1, 1)
	for i := len(w.state.memory); i < MaxRemembered; i++ {
		w.send(&RaiseEpoch{Epoch: 1})
	}
	if out := w.send(&RaiseEpoch{Epoch: 2}); out.Code != Overloaded || w.state.cluster.Epoch != 1 {
		t.Errorf("beyond the bound: %+v", out)
	}
	late := &RaiseEpoch{Keyed: Keyed{Key: "later", Deadline: startMS + 10}, Epoch: 2}
	if _, out, err := w.state.Apply(encoded(t, startMS+2, late)); err != nil || out.Code != OK || len(w.state.memory) != 1 {
		t.Errorf("after the deadlines: %+v, %v, %d remembered", out, err, len(w.state.memory))
	}
	if w.state.Now() != startMS+2 {
		t.Errorf("log time %d", w.state.Now())
	}
}

func TestRetiredIDsAreBounded(t *testing.T) {
	s := New()
	for i := range MaxRetired + 3 {
		s.retire(ChangeID(i).String())
	}
	if len(s.cluster.Retired) != MaxRetired || s.cluster.Retired[0] != "c3" {
		t.Errorf("%d ids, the first %s", len(s.cluster.Retired), s.cluster.Retired[0])
	}
}

func TestNames(t *testing.T) {
	for _, id := range []string{"n1#1", "a-b.c#18446744073709551615"} {
		if node, n, ok := ParseRaftID(id); !ok || RaftID(node, n) != id {
			t.Errorf("%s: %s, %d, %v", id, node, n, ok)
		}
	}
	for _, id := range []string{"", "n1", "n1#", "#1", "n1#0", "n1#01", "n1#+1", "n1#1#2", "n 1#1", "n1#18446744073709551616"} {
		if _, _, ok := ParseRaftID(id); ok {
			t.Errorf("%q is taken for a raft id", id)
		}
	}
	for _, id := range []string{"", "c", "1", "c0", "c01", "c-1", "C1"} {
		if _, ok := ParseChangeID(id); ok {
			t.Errorf("%q is taken for a change", id)
		}
	}
	if id, ok := ParseChangeID("c12"); !ok || id != 12 {
		t.Errorf("c12 is %v", id)
	}
}

func TestWhatIsShownDoesNotChange(t *testing.T) {
	w := newTown(t, 2, 2)
	shown := w.state.Cluster()
	before := len(shown.Nodes)
	if w.state.Cluster() != shown {
		t.Error("another copy although nothing changed")
	}
	w.send(joining("n3"))
	now := w.state.Cluster()
	if len(shown.Nodes) != before || len(now.Nodes) != before+1 || !slices.Equal(now.Joining(), []string{"n3"}) {
		t.Errorf("shown %v, now %v", shown.Nodes, now.Nodes)
	}
	owned := 0
	for _, s := range now.Shards {
		for _, p := range now.Owned(s.ID) {
			owned++
			if now.ShardOf(p) != s.ID {
				t.Fatalf("partition %d", p)
			}
		}
	}
	if owned != stock.Partitions || now.Shard(3) != nil || now.Shard(2).ID != 2 {
		t.Errorf("%d partitions are owned", owned)
	}
}
