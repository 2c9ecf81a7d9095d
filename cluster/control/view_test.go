package control

import (
	"testing"
	"time"

	"holdfast/cluster/meta"
)

// stub is a replica of which only the configuration it knows matters.
type stub struct {
	Shard
	known uint64
}

func (s stub) Group() (meta.Group, bool) { return meta.Group{Index: s.known}, true }

func newStill(t *testing.T) *Control {
	c, err := New(Config{NodeID: "n1", Incarnation: 1, ClusterID: clusterID})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// A replica is removed only on the word of its leader, in a configuration that stays and is not older than the replica's own.
func TestWhenAReplicaIsGone(t *testing.T) {
	members := func(ids ...string) (m []meta.GroupMember) {
		for _, id := range ids {
			m = append(m, meta.GroupMember{Node: id, Number: 5, Role: meta.Voter})
		}
		return m
	}
	group := func(leader string, committed bool, m []meta.GroupMember) *groupView {
		return &groupView{Group: meta.Group{Shard: 1, Index: 20, Leader: leader, Members: m}, committed: committed}
	}
	cases := []struct {
		name   string
		group  *groupView
		number uint64
		known  uint64
		gone   bool
	}{
		{"nobody says anything", nil, 5, 10, false},
		{"its leader does not name it", group("n2", true, members("n2", "n3")), 5, 10, true},
		{"as old as its own", group("n2", true, members("n2", "n3")), 5, 20, true},
		{"older than its own", group("n2", true, members("n2", "n3")), 5, 21, false},
		{"not committed", group("n2", false, members("n2", "n3")), 5, 10, false},
		{"no leader", group("", true, members("n2", "n3")), 5, 10, false},
		{"this node leads", group("n1", true, members("n2", "n3")), 5, 10, false},
		{"it is named", group("n2", true, members("n1", "n2", "n3")), 5, 10, false},
		{"its successor is named", group("n2", true, members("n1", "n2", "n3")), 4, 10, true},
	}
	h := newStill(t).here
	for _, c := range cases {
		if gone := h.gone(c.group, c.number, stub{known: c.known}); gone != c.gone {
			t.Errorf("%s: %v", c.name, gone)
		}
	}
}

// A replica has caught up when it follows the leader in its term and its actors trail the leader's by little.
func TestWhenAReplicaHasCaughtUp(t *testing.T) {
	good := ReplicaStatus{Replica: Replica{Shard: 1, Applied: 950}, Number: 5, Term: 3, Leader: "n2"}
	cases := []struct {
		name   string
		change func(r *ReplicaStatus, n *NodeStatus)
		is     bool
	}{
		{"near", func(*ReplicaStatus, *NodeStatus) {}, true},
		{"just near", func(r *ReplicaStatus, _ *NodeStatus) { r.Applied = 936 }, true},
		{"far", func(r *ReplicaStatus, _ *NodeStatus) { r.Applied = 935 }, false},
		{"raft has it, the actors do not", func(r *ReplicaStatus, _ *NodeStatus) { r.Commit, r.Applied = 1000, 0 }, false},
		{"another replica", func(r *ReplicaStatus, _ *NodeStatus) { r.Number = 4 }, false},
		{"another term", func(r *ReplicaStatus, _ *NodeStatus) { r.Term = 2 }, false},
		{"another leader", func(r *ReplicaStatus, _ *NodeStatus) { r.Leader = "n3" }, false},
		{"out of its group", func(r *ReplicaStatus, _ *NodeStatus) { r.Fault = "broken" }, false},
		{"not like the others", func(r *ReplicaStatus, _ *NodeStatus) { r.Down = "diverged" }, false},
		{"its node does not answer", func(_ *ReplicaStatus, n *NodeStatus) { n.Reachable = false }, false},
	}
	control := newStill(t)
	for _, c := range cases {
		r := good
		node := NodeStatus{Node: "n4", Reachable: true}
		c.change(&r, &node)
		node.Replicas = []ReplicaStatus{r}
		leader := NodeStatus{Node: "n2", Reachable: true, Replicas: []ReplicaStatus{{Replica: Replica{Shard: 1, Applied: 1000}, Term: 3, Leader: "n2"}}}
		g := &groupView{Group: meta.Group{Shard: 1, Leader: "n2", Members: []meta.GroupMember{{Node: "n4", Number: 5, Role: meta.Learner}}}}
		control.judge(g, []NodeStatus{leader, node})
		if g.Members[0].CaughtUp != c.is {
			t.Errorf("%s: %v", c.name, g.Members[0].CaughtUp)
		}
	}
}

// A new replica whose storage is being filled is waited for, but not for ever; one that votes was.
func TestStorageIsFilledBeforeAReplicaCounts(t *testing.T) {
	control := newStill(t)
	now := time.Unix(1_000_000, 0)
	control.cfg.Now = func() time.Time { return now }
	group := func(role meta.Role, seeding bool) bool {
		said := ReplicaStatus{Replica: Replica{Shard: 1, Applied: 1000, Seeding: seeding}, Number: 5, Term: 3, Leader: "n2"}
		node := NodeStatus{Node: "n4", Reachable: true, Replicas: []ReplicaStatus{said}}
		leader := NodeStatus{Node: "n2", Reachable: true, Replicas: []ReplicaStatus{{Replica: Replica{Shard: 1, Applied: 1000}, Term: 3, Leader: "n2"}}}
		g := &groupView{Group: meta.Group{Shard: 1, Leader: "n2", Members: []meta.GroupMember{{Node: "n4", Number: 5, Role: role}}}}
		control.judge(g, []NodeStatus{leader, node})
		return g.Members[0].CaughtUp
	}
	if group(meta.Learner, true) {
		t.Error("its storage was not waited for")
	}
	now = now.Add(2*time.Minute - time.Second)
	if !group(meta.Voter, true) || group(meta.Learner, true) {
		t.Error("the wait ended early, or a voter was waited for")
	}
	now = now.Add(time.Second)
	if !group(meta.Learner, true) {
		t.Error("storage that is not filled holds the change for ever")
	}
	if !group(meta.Learner, false) || group(meta.Learner, true) {
		t.Error("a new wait begins with what an old one took")
	}
	control.fade()
	if len(control.fillings) > 0 {
		t.Errorf("%v is remembered, and no table names it", control.fillings)
	}
}

// A group is seen as its leader in the newest term sees it, and without one as the replica with the newest configuration.
func TestWhoseViewOfAGroupCounts(t *testing.T) {
	claim := func(leader string, term, config uint64) ReplicaStatus {
		return ReplicaStatus{
			Replica: Replica{Shard: 1}, Term: term, Leader: leader, Config: config, Members: []meta.GroupMember{{Node: "n1", Number: config}},
		}
	}
	said := []struct {
		node string
		r    ReplicaStatus
	}{
		{"n1", claim("n1", 4, 10)}, {"n2", claim("n2", 5, 11)}, {"n3", claim("n2", 5, 12)}, {"n4", claim("", 9, 13)},
		{"n5", ReplicaStatus{Replica: Replica{Shard: 1}, Term: 9, Leader: "n5", Config: 14, Members: []meta.GroupMember{{}}, Fault: "broken"}},
	}
	for from := range said {
		v := &view{groups: map[uint32]*groupView{}}
		for i := range said {
			s := said[(from+i)%len(said)]
			v.consider(s.node, &s.r)
		}
		if g := v.groups[1]; g.Leader != "n2" || g.Index != 11 || g.term != 5 {
			t.Errorf("from %d: %+v", from, g)
		}
		v = &view{groups: map[uint32]*groupView{}}
		for i := range said {
			if s := said[(from+i)%len(said)]; s.r.Leader != s.node {
				v.consider(s.node, &s.r)
			}
		}
		if g := v.groups[1]; g.Leader != "" || g.Index != 13 {
			t.Errorf("without a leader, from %d: %+v", from, g)
		}
	}
}

// Of the last measurements of a clock the one with the smallest error counts, and an old one does not.
func TestClockOfANode(t *testing.T) {
	p := &peer{}
	at := time.UnixMilli(1_000_000)
	for i, c := range []struct {
		after      time.Duration
		offset, by time.Duration
		want       time.Duration
	}{
		{0, 10, 5, 10}, {1, 50, 40, 10}, {1, 12, 4, 12}, {5, 90, 80, 90}, {-30, 7, 90, 7},
	} {
		at = at.Add(c.after * time.Second)
		p.measured(clockTry{at: at, offset: c.offset * time.Millisecond, by: c.by * time.Millisecond}, 4*time.Second)
		if p.status.Clock != c.want*time.Millisecond || p.status.ClockAt != at {
			t.Errorf("%d: %v at %v", i, p.status.Clock, p.status.ClockAt)
		}
	}
}
