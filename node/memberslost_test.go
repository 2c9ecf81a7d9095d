package node

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"holdfast/api/topology"
	"holdfast/cluster/meta"
)

// unreachable waits until a node no longer counts as answering.
func (f *fleet) unreachable(via, id string) {
	f.t.Helper()
	await(f.t, id+" is missed", func() bool { return !f.node(via).reaches(id) })
}

// fails opens a node that must not open, and returns why.
func (f *fleet) fails(id string, change func(*Config)) error {
	f.t.Helper()
	c := f.config(id)
	c.JoinTimeout = 20 * time.Second
	if change != nil {
		change(&c)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	n, err := Open(ctx, c)
	if err == nil {
		f.t.Fatalf("%s opened: %v", id, n.Close())
	}
	return err
}

// A node whose disk is gone is not let in under its name; a new one takes its place, the dead one is removed, and its name is never used again. Nobody's
// order fails for it.
func TestADeadNodeIsReplaced(t *testing.T) {
	t.Parallel()
	f := fleetOf(t, 3, nil)
	c := f.buyers(3, 8, false, "n1", "n2")
	c.more(50)
	f.kill("n3")
	if err := os.RemoveAll(f.dir + "/n3"); err != nil {
		t.Fatal(err)
	}
	c.more(50)
	f.unreachable("n1", "n3")
	if err := f.fails("n3", nil); !strings.Contains(err.Error(), "n3") || ExitCode(err) != 1 {
		t.Errorf("an empty disk under a known name: exit code %d, %v", ExitCode(err), err)
	}
	f.start("n4")
	f.settle()
	// Nothing needs a vote of the dead node any more, and it may go although it does not answer.
	f.remove("n4", "n3")
	f.settle()
	c.more(50)
	f.even(4)
	if err := os.RemoveAll(f.dir + "/n3"); err != nil {
		t.Fatal(err)
	}
	if err := f.fails("n3", nil); !strings.Contains(err.Error(), "removed") || ExitCode(err) != 1 {
		t.Errorf("a name that was removed: exit code %d, %v", ExitCode(err), err)
	}
	c.leave()
}

// A node that was removed while it was down learns that when it comes back, says so and leaves the others alone.
func TestANodeRemovedWhileItWasDownComesBack(t *testing.T) {
	t.Parallel()
	f := fleetOf(t, 4, nil)
	f.kill("n4")
	f.unreachable("n2", "n4")
	f.remove("n2", "n4")
	f.settle()
	version := f.node("n1").control.Cluster().Version
	n := f.start("n4")
	await(t, "it says that it was removed", func() bool {
		for _, c := range n.Ready() {
			if c.Name == "cluster" {
				return !c.OK && strings.Contains(c.Detail, "removed from the cluster")
			}
		}
		return false
	})
	await(t, "its replicas go", func() bool { return len(n.held.all()) == 0 })
	if now := f.node("n1").control.Cluster(); now.Version != version || now.Node("n4") != nil {
		t.Errorf("the table went from %d to %d", version, now.Version)
	}
}

// Without a majority no change is begun; the last voter stays; each refusal names the way out.
func TestAClusterKeepsItsQuorum(t *testing.T) {
	t.Parallel()
	f := fleetOf(t, 1, nil)
	_, err := f.client("n1").RemoveNode(t.Context(), "n1", false)
	refused(t, "the last node", err, http.StatusConflict, "invalid_state", "last_voter", "Add a node")
	f.start("n2")
	f.start("n3")
	f.settle()
	f.kill("n3")
	f.unreachable("n1", "n3")
	f.unreachable("n2", "n3")
	_, err = f.client("n1").RemoveNode(t.Context(), "n2", false)
	refused(t, "one of two that answer", err, http.StatusConflict, "invalid_state", "quorum_loss", "")
	t.Log(err)
	_, err = f.client("n2").Rebuild(t.Context(), 1, "n3", false)
	refused(t, "rebuild at a node that does not answer", err, http.StatusConflict, "invalid_state", "unreachable", "")
	f.start("n3")
	f.settle()
}

// A node that has a cluster of its own stays in it, whomever its command line names.
func TestANodeOfAnotherClusterStaysThere(t *testing.T) {
	t.Parallel()
	f := fleetOf(t, 1, nil)
	other := fleetOf(t, 1, func(c *Config) { c.NodeID = "x1" })
	addrs := other.node("n1").Addrs()
	other.stop("n1")
	c := other.configs["n1"]
	c.Join = []string{f.node("n1").Addrs().Peer}
	n := open(t, c)
	defer drain(t, n)
	if n.Addrs() != addrs || n.id.ClusterID == f.node("n1").id.ClusterID || len(f.node("n1").control.Cluster().Nodes) != 1 {
		t.Errorf("%+v", n.id)
	}
	// Its peer port lets nobody of the other cluster in.
	_, err := f.client("n1").AddNode(t.Context(), topology.NewNode{ID: "x1", Peer: addrs.Peer}, false)
	refused(t, "another cluster's node", err, http.StatusNotFound, "node_not_found", "", "--join")
}

// Whoever leads the meta group may be removed like any other, also in the middle of other work.
func TestTheLeaderOfTheMetaGroupIsRemoved(t *testing.T) {
	t.Parallel()
	f := fleetOf(t, 4, nil)
	leader, _, _ := f.node("n1").control.Leader(metaGroup)
	via := "n1"
	if leader == via {
		via = "n2"
	}
	c := f.buyers(3, 8, false, via)
	c.more(20)
	f.remove(via, leader)
	f.stop(leader)
	f.settle()
	c.more(20)
	if next, _, _ := f.node(via).control.Leader(metaGroup); next == leader || next == "" {
		t.Errorf("%q leads the meta group after %s was removed", next, leader)
	}
	f.even(4)
	c.leave()
}

// A change that waits for a node is aborted: what was moved stays moved, the node that was to leave stays, and the next change goes its way.
func TestAChangeIsAborted(t *testing.T) {
	t.Parallel()
	f := fleetOf(t, 4, nil)
	var plan topology.Plan
	var err error
	for range 10 {
		f.kill("n4") // so lately that the plan still counts on it
		if plan, err = f.client("n1").RemoveNode(t.Context(), "n2", false); err == nil {
			break
		}
		f.start("n4") // it was missed already: the machine is busy
		f.settle()
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.client("n1").Balance(t.Context(), false)
	refused(t, "a second change", err, http.StatusConflict, "invalid_state", "change_under_way", plan.Change)
	stopped, err := f.client("n3").AbortChange(t.Context(), plan.Change)
	if err != nil || stopped.State != topology.Aborted || stopped.ID != plan.Change || stopped.Reason == "" {
		t.Fatalf("%+v %v", stopped, err)
	}
	if again, err := f.client("n1").AbortChange(t.Context(), plan.Change); err != nil || again.State != topology.Aborted {
		t.Errorf("aborted again: %+v %v", again, err)
	}
	if n := f.node("n1").control.Cluster().Node("n2"); n == nil || n.State == meta.Leaving {
		t.Errorf("%+v", n)
	}
	f.start("n4")
	f.settle()
	f.remove("n1", "n2")
	f.stop("n2")
	f.settle()
	f.even(4)
}
