package cluster

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// member is one of several replicas of a group, put together by hand from the parts that a Shard is made of.
type member struct {
	name    string
	port    *peerPort
	machine *recorder
	log     *memLog
	store   *snapshotStore
	trans   *transport
	raft    *raft.Raft
}

func startMember(t *testing.T, n *memNet, name string, log *memLog, fsys FS, change ...func(*Config)) *member {
	t.Helper()
	m := &member{name: name, port: testPort(t, n, name, change...), machine: &recorder{}, log: log, store: testStore(t, fsys)}
	if _, err := reconcile(m.log, m.store); err != nil {
		t.Fatal(err)
	}
	m.trans = newTransport(testStream(t, m.port, 1), m.port.cfg, newRaftLogger(discard))
	f := &fsm{machine: m.machine, fail: func(_, _ uint64, err error) { t.Errorf("%s: %v", name, err) }}
	f.kept = func() {
		conf := m.raft.ReloadableConfig()
		conf.TrailingLogs = 0
		_ = m.raft.ReloadConfig(conf)
	}
	f.opening.Store(m.store.latest() != nil)
	m.trans.late = &lateSnapshots{
		given: func() uint64 { return max(f.given.Load(), m.store.index()) }, log: m.log, dropped: func(uint64) {},
	}
	var err error
	conf := raftConfig(m.port.cfg, raftID(name, firstReplica), newRaftLogger(discard), nil)
	if m.raft, err = raft.NewRaft(conf, f, m.log, m.log, m.store, m.trans); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *member) stop(t *testing.T) {
	t.Helper()
	stopped := m.raft.Shutdown()
	_ = m.trans.Close()
	if err := stopped.Error(); err != nil {
		t.Error(err)
	}
	if err := m.port.close(); err != nil {
		t.Error(err)
	}
}

func leaderOf(t *testing.T, members ...*member) *member {
	t.Helper()
	var leader *member
	eventually(t, "a leader", func() bool {
		for _, m := range members {
			if m.raft.State() == raft.Leader {
				leader = m
				return true
			}
		}
		return false
	})
	return leader
}

// What the many-node issue builds on: three replicas over three peer ports, a leader that dies, one that comes back behind the log and needs a
// snapshot. Real raft, real transport, real snapshot files, in virtual time.
func TestThreeReplicasOverPeerPorts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		a := startMember(t, n, "a", newMemLog(), newMemFS())
		b := startMember(t, n, "b", newMemLog(), newMemFS())
		c := startMember(t, n, "c", newMemLog(), newMemFS())
		var members raft.Configuration
		for _, m := range []*member{a, b, c} {
			members.Servers = append(members.Servers, raft.Server{ID: raftID(m.name, firstReplica), Address: raft.ServerAddress(m.name)})
		}
		if err := a.raft.BootstrapCluster(members).Error(); err != nil {
			t.Fatal(err)
		}
		propose := func(to *member, from, until int) {
			t.Helper()
			for i := from; i < until; i++ {
				future := to.raft.Apply(fmt.Append(nil, i), time.Second)
				if err := outcomeOf(future.Error(), future.Response()); err != nil {
					t.Fatalf("entry %d: %v", i, err)
				}
			}
		}
		same := func(want int, at ...*member) {
			t.Helper()
			for _, m := range at {
				eventually(t, m.name+" has all", func() bool { return len(m.machine.applied()) == want })
				if !slices.Equal(m.machine.applied(), at[0].machine.applied()) {
					t.Errorf("%s differs from %s", m.name, at[0].name)
				}
			}
		}
		leader := leaderOf(t, a, b, c)
		propose(leader, 0, 200)
		same(200, a, b, c)

		died := leader
		died.stop(t)
		rest := slices.DeleteFunc([]*member{a, b, c}, func(m *member) bool { return m == died })
		leader = leaderOf(t, rest...)
		propose(leader, 200, 400)
		if err := leader.raft.Snapshot().Error(); err != nil {
			t.Fatal(err)
		}
		propose(leader, 400, 500)
		if first, _ := leader.log.FirstIndex(); first <= 203 {
			t.Fatalf("vacuous: the leader's log begins at %d", first)
		}
		back := startMember(t, n, died.name, died.log, newMemFS())
		same(500, append(rest, back)...)
		if back.store.index() == 0 {
			t.Error("vacuous: no snapshot was installed")
		}
		for _, m := range append(rest, back) {
			m.stop(t)
		}
	})
}
