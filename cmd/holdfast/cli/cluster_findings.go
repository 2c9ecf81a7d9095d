package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"holdfast/api/topology"
)

func checkNodes(o topology.Overview) finding {
	var wrong []string
	for _, n := range o.Nodes {
		if n.State == topology.Unreachable {
			wrong = append(wrong, n.ID+" does not answer: start it, or take it out with 'holdfast cluster remove "+n.ID+"'")
		}
	}
	if len(o.Nodes) == 0 {
		wrong = append(wrong, "there is none")
	}
	return judged("nodes answer", wrong, "all %d", len(o.Nodes))
}

func checkVersions(o topology.Overview) finding {
	first, wrong := "", []string{}
	for _, n := range answering(o) {
		if first == "" {
			first = n.Version
		}
		if n.Version != first {
			wrong = append(wrong, fmt.Sprintf("%s runs %s, and not %s", n.ID, orDash(n.Version), first))
		}
	}
	return judged("versions are equal", wrong, "%s", orDash(first))
}

func checkClocks(o topology.Overview, skew time.Duration) finding {
	var wrong []string
	var low, high int64
	measured := 0
	for _, n := range answering(o) {
		if n.ClockOffsetMS == nil {
			wrong = append(wrong, n.ID+" was not measured of late")
			continue
		}
		at := *n.ClockOffsetMS
		if measured == 0 {
			low, high = at, at
		}
		low, high = min(low, at), max(high, at)
		measured++
	}
	if apart := time.Duration(high-low) * time.Millisecond; apart > skew {
		wrong = append(wrong, fmt.Sprintf("they are %v apart, more than %v", apart, skew))
	}
	return judged("clocks agree", wrong, "%d ms apart at most", high-low)
}

func checkMeta(o topology.Overview) finding {
	var wrong []string
	if o.Meta.Leader == "" {
		wrong = append(wrong, "it has no leader")
	}
	// At most five of its replicas vote, and of an even number one learns.
	if want := min(odd(len(staying(o))), 5); len(o.Meta.Voters) < want {
		wrong = append(wrong, fmt.Sprintf("it has %d voters, not %d", len(o.Meta.Voters), want))
	}
	return judged("meta group", wrong, "leader %s, %d voters", o.Meta.Leader, len(o.Meta.Voters))
}

func checkLeaders(o topology.Overview, shards []topology.Shard) finding {
	state := map[string]string{}
	for _, n := range o.Nodes {
		state[n.ID] = n.State
	}
	var wrong []string
	for _, s := range shards {
		switch {
		case s.Leader == "":
			wrong = append(wrong, fmt.Sprintf("shard %d has none", s.ID))
		case state[s.Leader] == topology.Unreachable || state[s.Leader] == "":
			wrong = append(wrong, fmt.Sprintf("%s, which leads shard %d, does not answer", s.Leader, s.ID))
		}
	}
	if len(shards) == 0 {
		wrong = append(wrong, "there is no shard")
	}
	return judged("shards have a leader", wrong, "all %d", len(shards))
}

func checkVoters(o topology.Overview, shards []topology.Shard) finding {
	want := min(odd(len(staying(o))), 3)
	var wrong []string
	for _, s := range shards {
		votes := 0
		for _, r := range s.Replicas {
			if r.Role == topology.Voter {
				votes++
			}
		}
		if votes < want {
			wrong = append(wrong, fmt.Sprintf("shard %d has %d, not %d", s.ID, votes, want))
		}
	}
	return judged("shards have their voters", wrong, "%d each", want)
}

// checkServing tells of replicas that do not serve, those of a node that have one reason in common together.
func checkServing(shards []topology.Shard) finding {
	type why struct{ node, reason string }
	var order []why
	down := map[why][]string{}
	for _, s := range shards {
		for _, r := range s.Replicas {
			if r.Down == "" {
				continue
			}
			w := why{r.Node, r.Down}
			if down[w] == nil {
				order = append(order, w)
			}
			down[w] = append(down[w], strconv.Itoa(int(s.ID)))
		}
	}
	var wrong []string
	for _, w := range order {
		name := "shard"
		if len(down[w]) > 1 {
			name = "shards"
		}
		wrong = append(wrong, fmt.Sprintf("%s %s on %s: %s", name, strings.Join(down[w], " "), w.node, w.reason))
	}
	return judged("replicas serve", wrong, "all")
}

func checkHashes(shards []topology.Shard) finding {
	var wrong []string
	compared := 0
	for _, s := range shards {
		first := map[uint64]topology.Replica{}
		for _, r := range s.Replicas {
			if r.HashIndex == 0 {
				continue
			}
			other, there := first[r.HashIndex]
			if !there {
				first[r.HashIndex] = r
				continue
			}
			if compared++; other.StateHash != r.StateHash {
				wrong = append(wrong, fmt.Sprintf("shard %d at index %d: %s on %s, %s on %s",
					s.ID, r.HashIndex, other.StateHash, other.Node, r.StateHash, r.Node))
			}
		}
	}
	return judged("replicas are identical", wrong, "%d compared with another at its index", compared)
}

func checkEvenness(o topology.Overview, shards []topology.Shard) finding {
	has := map[string]int{}
	for _, s := range shards {
		for _, r := range s.Replicas {
			has[r.Node]++
		}
	}
	return even("replicas are even", staying(o), has)
}

func checkLeaderships(o topology.Overview, shards []topology.Shard) finding {
	leads := map[string]int{}
	for _, s := range shards {
		leads[s.Leader]++
	}
	var could []topology.Node
	for _, n := range staying(o) {
		if n.State != topology.Unreachable {
			could = append(could, n) // Who does not answer leads nothing, and balancing would not help.
		}
	}
	return even("leaderships are even", could, leads)
}

// even wants the numbers of some nodes to be within one.
func even(check string, nodes []topology.Node, numbers map[string]int) finding {
	var least, most topology.Node
	for i, n := range nodes {
		if i == 0 || numbers[n.ID] < numbers[least.ID] {
			least = n
		}
		if i == 0 || numbers[n.ID] > numbers[most.ID] {
			most = n
		}
	}
	low, high := numbers[least.ID], numbers[most.ID]
	var wrong []string
	if high-low > 1 {
		wrong = append(wrong, fmt.Sprintf("%s has %d and %s has %d: 'holdfast cluster balance' evens them out", least.ID, low, most.ID, high))
	}
	return judged(check, wrong, "%d to %d a node", low, high)
}

func checkFlush(shards []topology.Shard, lag time.Duration) finding {
	var wrong []string
	var most time.Duration
	for _, s := range shards {
		for _, f := range s.Flush {
			behind := time.Duration(f.LagMS) * time.Millisecond
			if most = max(most, behind); behind > lag {
				wrong = append(wrong, fmt.Sprintf("shard %d on %s: %d orders, %v", s.ID, f.Node, f.LagOrders, behind))
			}
		}
	}
	return judged("storage keeps up", wrong, "%v behind at most", most)
}

func checkChanges(o topology.Overview, now time.Time) finding {
	var wrong []string
	going := "none is under way"
	for _, c := range o.Changes {
		going = described(c)
		for _, s := range c.Steps {
			if s.State == topology.StepFailed {
				wrong = append(wrong, fmt.Sprintf("%s: %s: %s", c.ID, s.Step, orDash(s.Reason)))
			}
		}
		if ran := now.Sub(c.BeganAt.Time); ran > stuckAfter {
			wrong = append(wrong, fmt.Sprintf("%s runs for %v", c.ID, ran.Round(time.Minute)))
		}
	}
	return judged("no change is stuck", wrong, "%s", going)
}

// staying are the nodes that do not leave, answering those that answer.
func staying(o topology.Overview) []topology.Node {
	return nodesBut(o, topology.Leaving)
}

func answering(o topology.Overview) []topology.Node {
	return nodesBut(o, topology.Unreachable)
}

func nodesBut(o topology.Overview, state string) (nodes []topology.Node) {
	for _, n := range o.Nodes {
		if n.State != state {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// odd is the largest odd number up to n: one vote more would let no more nodes fail.
func odd(n int) int {
	if n > 0 && n%2 == 0 {
		return n - 1
	}
	return n
}
