package meta

import (
	"errors"
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"holdfast/cluster/placement"
	"holdfast/stock"
)

// world is a cluster without raft: groups that do what raft does with a configuration, nodes that die, and drivers that see all of it late.
type world struct {
	t      *rapid.T
	state  *State
	groups []*fakeGroup
	up     map[string]bool
	pulse  int // counts deaths, births, elections and commands
	moved  int // counts changes of members
	keys   int
	steps  map[StepKind]int
	lost   int // changes of members that raft refused, by prevIndex or for want of a leader
}

// fakeGroup is one Raft group.
type fakeGroup struct {
	Group
	gone map[string]bool // raft ids that were removed
}

var (
	errConflict = errors.New("configuration changed since")
	errNoLeader = errors.New("no leader")
)

func newWorld(t *rapid.T, shards int) *world {
	w := &world{t: t, state: New(), up: map[string]bool{"n1": true}, steps: map[StepKind]int{}}
	w.must(&Create{
		ClusterID: [16]byte{7}, Epoch: 1, Level: 1, Node: "n1", Incarnation: 1, Addresses: Addresses{Peer: "n1:1"}, Binary: Binary{Level: 1},
		Shards: uint32(shards), Partitions: placement.Partitions(shards), Settings: DefaultSettings(),
	})
	for i := range shards + 1 {
		w.groups = append(w.groups, &fakeGroup{
			Group: Group{Shard: uint32(i), Index: 1, Leader: "n1", Members: []GroupMember{{"n1", 1, Voter, true}}}, gone: map[string]bool{},
		})
	}
	return w
}

func (w *world) roll(n int) int { return rapid.IntRange(0, n-1).Draw(w.t, "roll") }

// send applies a command, as any driver may at any time.
func (w *world) send(c Command) Outcome {
	w.keys++
	*c.Head() = Keyed{Key: fmt.Sprintf("d%d", w.keys), Deadline: startMS + stock.Time(1000*w.keys) + 5000}
	if _, report := c.(*Report); !report {
		w.pulse++
	}
	_, out, err := w.state.Apply(encoded(w.t, startMS+stock.Time(1000*w.keys), c))
	if err != nil {
		w.t.Fatalf("%+v: %v", c, err)
	}
	return out
}

func (w *world) must(c Command) Outcome {
	out := w.send(c)
	if out.Code != OK {
		w.t.Fatalf("%T: %s", c, out.Text())
	}
	return out
}

// view returns what a driver sees now.
func (w *world) view() View {
	v := View{}
	for n, up := range w.up {
		if up {
			v.Reachable = append(v.Reachable, n)
		}
	}
	for _, g := range w.groups {
		if slices.ContainsFunc(g.Members, func(m GroupMember) bool { return w.up[m.Node] }) {
			v.Groups = append(v.Groups, *g.Group.clone())
		}
	}
	return v
}

// quorum reports whether a majority of a group's voters is up.
func (w *world) quorum(g *Group) bool {
	voters, up := 0, 0
	for _, m := range g.Members {
		if m.Role == Voter {
			voters++
			if w.up[m.Node] {
				up++
			}
		}
	}
	return voters > 0 && up >= voters/2+1
}

// elect gives a group a leader if it can have one.
func (w *world) elect(g *fakeGroup) {
	if g.Leader != "" && w.up[g.Leader] && g.on(g.Leader) != nil && g.on(g.Leader).Role == Voter && w.quorum(&g.Group) {
		return
	}
	g.Leader = ""
	var can []string
	for _, m := range g.Members {
		if m.Role == Voter && w.up[m.Node] {
			can = append(can, m.Node)
		}
	}
	if len(can) > 0 && w.quorum(&g.Group) {
		g.Leader = can[w.roll(len(can))]
		w.pulse++
	}
}

// do carries out a step as raft would.
func (w *world) do(d Due, pulse, moved int) error {
	fresh := pulse == w.pulse // what the driver saw is still so, but for members
	g := w.groups[d.Step.Shard]
	if g.Leader == "" || !w.up[g.Leader] || !w.quorum(&g.Group) {
		w.lost++
		return errNoLeader
	}
	if d.Step.Kind == Transfer {
		m := g.on(d.Step.Node)
		if m == nil || m.Number != d.Step.Number || m.Role != Voter || !w.up[m.Node] {
			w.lost++
			return errConflict
		}
		w.steps[Transfer]++
		g.Leader = d.Step.Node
		w.pulse++
		return nil
	}
	if d.Index != g.Index {
		w.lost++
		return errConflict
	}
	after := g.Group.clone()
	after.carry(d.Step)
	if !w.quorum(after) {
		if fresh {
			w.t.Fatalf("%v would leave %+v without a quorum, up %v", d.Step, after.Members, w.up)
		}
		w.lost++
		return errNoLeader
	}
	w.check(g, d.Step, after, fresh)
	if moved == w.moved && fresh {
		w.checkMeta(g, d.Step)
	}
	w.moved++
	w.steps[d.Step.Kind]++
	g.Group = *after
	g.Index++
	if m := g.on(g.Leader); m == nil || m.Role != Voter { // it led when this was carried out, and steps down
		g.Leader = ""
		w.pulse++
	}
	return nil
}

// check holds what must be true of every change of members.
func (w *world) check(g *fakeGroup, s Step, after *Group, fresh bool) {
	id := RaftID(s.Node, s.Number)
	was := slices.ContainsFunc(g.Members, func(m GroupMember) bool { return m.Node == s.Node && m.Number == s.Number })
	switch {
	case !s.Kind.changesMembers():
		w.t.Fatalf("%v is not a change of members", s)
	case s.Kind != AddLearner && !was:
		w.t.Fatalf("%v, but the members are %+v", s, g.Members)
	case s.Kind == AddLearner && g.on(s.Node) != nil:
		w.t.Fatalf("%v beside %+v", s, g.Members)
	case s.Kind == AddLearner && g.gone[id]:
		w.t.Fatalf("%v: that raft id was used before", s)
	case s.Kind == AddLearner && s.Number >= w.state.cluster.NextReplica:
		w.t.Fatalf("%v: nobody gave that number", s)
	case fresh && s.Kind == Promote && !g.on(s.Node).CaughtUp:
		w.t.Fatalf("%v before it has caught up", s)
	case fresh && (s.Kind == Remove || s.Kind == Demote) && g.Leader == s.Node && g.on(s.Node).Role == Voter && g.voters() > 1:
		w.t.Fatalf("%v while it leads %+v", s, g.Members)
	}
	if s.Kind == Promote && fresh {
		for _, r := range w.state.cluster.Shards[g.Shard].Replicas {
			if m := g.on(r.Node); m != nil && r.Role == Voter && m.Role == Learner && !m.CaughtUp {
				w.t.Fatalf("%v before %s has caught up, too", s, r.RaftID())
			}
		}
	}
	if s.Kind == Remove {
		g.gone[id] = true
	}
	if after.voters() == 0 {
		w.t.Fatalf("%v leaves no voter", s)
	}
}

// checkMeta holds that a node follows the meta group for as long as it has a replica of another.
func (w *world) checkMeta(g *fakeGroup, s Step) {
	follows := w.groups[0].on(s.Node)
	if s.Kind == AddLearner && g.Shard != 0 && (follows == nil || !follows.CaughtUp) {
		w.t.Fatalf("%v, which does not follow the meta group: %+v", s, w.groups[0].Members)
	}
	wanted := w.state.cluster.Shards[0].On(s.Node) != nil
	for _, other := range w.groups[1:] {
		stays := w.state.cluster.Shards[other.Shard].On(s.Node) != nil // and is Lost to the meta group, see Remains
		if s.Kind == Remove && g.Shard == 0 && !wanted && !stays && other.on(s.Node) != nil {
			w.t.Fatalf("%v, which has a replica of shard %d", s, other.Shard)
		}
	}
}

// driver is one of those who carry changes out. What it knows is as old as its last look.
type driver struct {
	cluster *Cluster
	left    Remains
	todo    []Due
	pulse   int
	moved   int
}

func (d *driver) look(w *world) {
	v := w.view()
	if len(v.Groups) > 1 && w.roll(8) == 0 {
		v.Groups = slices.Delete(v.Groups, 0, 1+w.roll(len(v.Groups)-1)) // some group's replicas did not answer
	}
	d.cluster, d.pulse, d.moved = w.state.Cluster(), w.pulse, w.moved
	d.left = Remaining(d.cluster, v)
	d.todo = d.left.Next()
	seen := map[uint32]bool{}
	for _, due := range d.todo {
		if seen[due.Step.Shard] && due.Step.Kind != Forget {
			w.t.Fatalf("two steps of a group at a time: %+v", d.todo)
		}
		seen[due.Step.Shard] = true
	}
}

// act does one thing, from what the driver saw when it looked.
func (d *driver) act(w *world) {
	if d.cluster == nil {
		return
	}
	change := d.cluster.UnderWay()
	if change != nil && d.left.Done() {
		w.finish(change.ID)
		*d = driver{}
		return
	}
	if change != nil {
		if settled := d.left.Settled(change); len(settled) > 0 && w.roll(3) == 0 {
			w.send(&Report{Change: change.ID, Step: settled[0], State: StepDone})
		}
	}
	if len(d.todo) == 0 {
		return
	}
	due := d.todo[0]
	d.todo = d.todo[1:]
	if due.Step.Kind == Forget {
		return
	}
	if err := w.do(due, d.pulse, d.moved); err != nil && change != nil && w.roll(4) == 0 {
		w.send(&Report{Change: change.ID, Step: due.Step, State: StepFailed, Reason: err.Error()})
	}
}

// finish ends a change, and holds that it was time.
func (w *world) finish(id ChangeID) {
	if c := w.state.cluster.UnderWay(); c != nil && c.ID == id && c.Kind == RemovingNode {
		for _, g := range w.groups {
			if g.on(c.Node) != nil {
				w.t.Fatalf("%s is forgotten and has a replica of %d", c.Node, g.Shard)
			}
		}
		defer delete(w.up, c.Node)
	}
	if out := w.send(&Finish{Change: id}); out.Code != OK && out.Code != ChangeEnded {
		w.t.Fatalf("finish: %s", out.Text())
	}
}

// disturb lets something happen that nobody asked for.
func (w *world) disturb() {
	switch w.roll(6) {
	case 0:
		w.kill()
	case 1:
		for _, n := range w.state.cluster.Nodes {
			if !w.up[n.ID] {
				w.up[n.ID] = true
				w.pulse++
				break
			}
		}
	case 2, 3:
		w.elect(w.groups[w.roll(len(w.groups))])
	case 4:
		g := w.groups[w.roll(len(w.groups))]
		if w.quorum(&g.Group) { // an election for no reason
			g.Leader = ""
			w.elect(g)
		}
	default:
		w.catchUp(w.groups[w.roll(len(w.groups))])
	}
}

// kill kills a node while a majority of the nodes lives.
func (w *world) kill() {
	nodes := w.state.cluster.Nodes
	down := 0
	for _, n := range nodes {
		if !w.up[n.ID] {
			down++
		}
	}
	if 2*(down+1) >= len(nodes) {
		return
	}
	id := nodes[w.roll(len(nodes))].ID
	if !w.up[id] {
		return
	}
	w.up[id] = false
	w.pulse++
	for _, g := range w.groups {
		if m := g.on(id); m != nil && m.Role == Learner {
			m.CaughtUp = false
		}
		if g.Leader == id {
			g.Leader = ""
		}
	}
}

func (w *world) catchUp(g *fakeGroup) {
	for i := range g.Members {
		if m := &g.Members[i]; w.up[m.Node] && g.Leader != "" {
			m.CaughtUp = true
		}
	}
}

// heal lets every node live and every group have a leader and no laggards.
func (w *world) heal() {
	for _, n := range w.state.cluster.Nodes {
		w.up[n.ID] = true
	}
	w.pulse++
	for _, g := range w.groups {
		w.elect(g)
		w.catchUp(g)
	}
}
