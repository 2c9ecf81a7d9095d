package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast/api"
	"holdfast/api/topology"
	"holdfast/cluster"
	"holdfast/cluster/control"
	"holdfast/cluster/meta"
	"holdfast/stock"
)

// topologist answers for the cluster at the front door.
type topologist struct{ n *Node }

var _ api.Cluster = topologist{}

// Overview shows the cluster's nodes and what is being changed.
func (t topologist) Overview(context.Context) (topology.Overview, topology.Refusal) {
	table, nodes := t.n.control.Cluster(), t.n.control.Nodes()
	o := topology.Overview{
		ClusterID: t.n.id.ClusterID, Node: t.n.cfg.NodeID, Epoch: table.Epoch, Level: table.Level, Settings: settingsOf(table.Settings),
	}
	o.Meta.Leader, _, o.Meta.Term = t.n.control.Leader(metaGroup)
	if shard := table.Shard(metaGroup); shard != nil {
		o.Meta.Voters = shard.Nodes(meta.Voter)
	}
	led := make(map[string]int)
	for _, s := range t.n.shards {
		leader, _, _ := t.n.control.Leader(s.id)
		led[leader]++
	}
	for i := range nodes {
		o.Nodes = append(o.Nodes, nodeView(&nodes[i], led[nodes[i].Node]))
	}
	for i := range table.Changes {
		if c := &table.Changes[i]; c.State == meta.Running {
			o.Changes = append(o.Changes, changeView(c, true))
		} else {
			o.Ended = append(o.Ended, changeView(c, false))
		}
	}
	return o, topology.Refusal{}
}

func nodeView(s *control.NodeStatus, led int) topology.Node {
	v := topology.Node{
		ID: s.Node, Peer: s.Peer, HTTP: s.HTTP, Admin: s.Admin, State: s.State.String(), ShardsLed: led, Version: s.Version,
	}
	if s.Reachable && !s.ClockAt.IsZero() {
		ahead := s.Clock.Milliseconds()
		v.ClockOffsetMS = &ahead
	}
	return v
}

func changeView(c *meta.Change, steps bool) topology.Change {
	v := topology.Change{
		ID: c.ID.String(), Kind: changeKinds[c.Kind], Node: c.Node, Shard: c.Shard, State: changeStates[c.State], Reason: c.Reason,
		BeganAt: moment(c.Began), StepsDone: c.Done(), StepsTotal: len(c.Steps),
	}
	if c.Ended != 0 {
		v.EndedAt = moment(c.Ended)
	}
	for i := range c.Steps {
		if steps {
			v.Steps = append(v.Steps, topology.Step{Step: c.Steps[i].Step.String(), State: stepStates[c.Steps[i].State], Reason: c.Steps[i].Reason})
		}
	}
	return v
}

var (
	changeKinds = map[meta.ChangeKind]string{
		meta.AddingNode: topology.KindAdd, meta.RemovingNode: topology.KindRemove, meta.Balancing: topology.KindBalance,
		meta.Rebuilding: topology.KindRebuild,
	}
	changeStates = map[meta.ChangeState]string{
		meta.Running: topology.Running, meta.Completed: topology.Completed, meta.Aborted: topology.Aborted,
	}
	stepStates = map[meta.StepState]string{meta.StepOpen: topology.StepOpen, meta.StepDone: topology.StepDone, meta.StepFailed: topology.StepFailed}
)

func moment(at stock.Time) topology.Moment { return topology.Moment{Time: time.UnixMilli(int64(at))} }

func settingsOf(s meta.Settings) topology.Settings {
	return topology.Settings{RetentionMS: s.RetentionMS, MaxOpenOrdersPerSKU: s.MaxOpenOrders, MaxNodes: s.MaxNodes}
}

// Shards shows every data shard: its members as its leader sees them, and what each of their nodes says of its replica.
func (t topologist) Shards(context.Context) ([]topology.Shard, topology.Refusal) {
	nodes := t.n.control.Nodes()
	out := make([]topology.Shard, 0, len(t.n.shards))
	for _, s := range t.n.shards {
		v := topology.Shard{ID: s.id}
		v.Leader, _, v.Term = t.n.control.Leader(s.id)
		members := t.members(s.id, v.Leader, nodes)
		for _, m := range members {
			if r := replicaOf(nodes, m, s.id); r != nil {
				v.CommitIndex = max(v.CommitIndex, r.Commit)
			}
		}
		for _, m := range members {
			r := replicaOf(nodes, m, s.id)
			v.Replicas = append(v.Replicas, replicaView(m, r, v.CommitIndex, nodes))
			if r != nil && r.Sink != "" {
				v.Flush = append(v.Flush, topology.Flush{
					Node: m.Node, Sink: r.Sink, Index: r.Flushed, LagOrders: r.LagOrders, LagMS: r.LagMS, Seeding: r.Seeding,
				})
			}
		}
		out = append(out, v)
	}
	return out, topology.Refusal{}
}

// members returns a shard's members as its leader's replica knows them, else as the replica with the newest configuration.
func (t topologist) members(shard uint32, leader string, nodes []control.NodeStatus) []meta.GroupMember {
	var newest *control.ReplicaStatus
	for i := range nodes {
		r := nodes[i].Replica(shard)
		switch {
		case r == nil:
		case nodes[i].Node == leader:
			return r.Members
		case newest == nil || r.Config > newest.Config:
			newest = r
		}
	}
	if newest == nil {
		return nil
	}
	return newest.Members
}

func replicaView(m meta.GroupMember, r *control.ReplicaStatus, commit uint64, nodes []control.NodeStatus) topology.Replica {
	v := topology.Replica{Node: m.Node, Role: topology.Learner}
	if m.Role == meta.Voter {
		v.Role = topology.Voter
	}
	if r == nil {
		v.Down = "its node has not told of it"
		return v
	}
	v.AppliedIndex, v.Trailing, v.HashIndex = r.Applied, commit-min(commit, r.Applied), r.HashIndex
	if r.HashIndex > 0 {
		v.StateHash = fmt.Sprintf("%016x", r.Hash)
	}
	switch {
	case r.Down != "":
		v.Down = r.Down
	case r.Fault != "":
		v.Down = r.Fault
	case !reachable(nodes, m.Node):
		v.Down = "its node does not answer"
	}
	return v
}

func reachable(nodes []control.NodeStatus, node string) bool {
	for i := range nodes {
		if nodes[i].Node == node {
			return nodes[i].Reachable
		}
	}
	return false
}

// AddNode plans or begins the change that gives a node its replicas.
func (t topologist) AddNode(ctx context.Context, _ string, node topology.NewNode, dryRun bool) (topology.Plan, topology.Refusal) {
	return planned(t.n.control.AddNode(ctx, node.ID, node.Peer, dryRun))
}

// RemoveNode plans or begins the change that takes a node's replicas away, and then the node.
func (t topologist) RemoveNode(ctx context.Context, _, node string, dryRun bool) (topology.Plan, topology.Refusal) {
	return planned(t.n.control.RemoveNode(ctx, node, dryRun))
}

// Balance evens replicas and leaderships out.
func (t topologist) Balance(ctx context.Context, _ string, dryRun bool) (topology.Plan, topology.Refusal) {
	return planned(t.n.control.Balance(ctx, dryRun))
}

// Rebuild replaces a replica by a new one.
func (t topologist) Rebuild(ctx context.Context, _ string, shard uint32, node string, dryRun bool) (topology.Plan, topology.Refusal) {
	if r := t.unknown(shard); r.Refused() {
		return topology.Plan{}, r
	}
	return planned(t.n.control.Rebuild(ctx, shard, node, dryRun))
}

// unknown refuses what is no data shard. The meta group is none: it is looked after by itself.
func (t topologist) unknown(shard uint32) topology.Refusal {
	if shard >= 1 && int(shard) <= len(t.n.shards) {
		return topology.Refusal{}
	}
	return topology.Refusal{
		Code: topology.UnknownShard, Text: fmt.Sprintf("there is no shard %d", shard), WayOut: fmt.Sprintf("the shards are 1 to %d", len(t.n.shards)),
	}
}

func planned(a meta.Answer, out meta.Outcome, err error) (topology.Plan, topology.Refusal) {
	p := topology.Plan{Change: a.Change}
	for _, step := range a.Plan {
		p.Plan = append(p.Plan, step.String())
	}
	return p, refusal(out, err)
}

// Abort stops a change where it is.
func (t topologist) Abort(ctx context.Context, caller, change string) (topology.Change, topology.Refusal) {
	id, ok := meta.ParseChangeID(change)
	if !ok {
		return topology.Change{}, topology.Refusal{
			Code: topology.UnknownChange, Text: fmt.Sprintf("there is no change %q", change), WayOut: meta.Outcome{Code: meta.UnknownChange}.WayOut(),
		}
	}
	out, err := t.n.control.Abort(ctx, id, "asked for by "+callerName(caller))
	c := t.n.control.Cluster().Change(id)
	aborted := c != nil && c.State == meta.Aborted
	if r := refusal(out, err); r.Refused() && !(aborted && out.Code == meta.ChangeEnded) { // Stopped before is stopped.
		return topology.Change{}, r
	}
	if c != nil {
		return changeView(c, !aborted), topology.Refusal{}
	}
	return topology.Change{ID: change, State: topology.Aborted}, topology.Refusal{}
}

func callerName(caller string) string {
	if caller == "" {
		return "an operator"
	}
	return caller
}

// Transfer hands the leadership of a shard over.
func (t topologist) Transfer(ctx context.Context, _ string, shard uint32, to string) (topology.Leadership, topology.Refusal) {
	if r := t.unknown(shard); r.Refused() {
		return topology.Leadership{}, r
	}
	leader, err := t.n.control.Transfer(ctx, shard, to)
	if err != nil {
		return topology.Leadership{}, refusal(meta.Outcome{}, err)
	}
	_, _, term := t.n.control.Leader(shard)
	return topology.Leadership{Shard: shard, Leader: leader, Term: term}, topology.Refusal{}
}

// Snapshot has the leader of a shard take one.
func (t topologist) Snapshot(ctx context.Context, _ string, shard uint32) (topology.Snapshot, topology.Refusal) {
	if r := t.unknown(shard); r.Refused() {
		return topology.Snapshot{}, r
	}
	index, bytes, err := t.n.control.Snapshot(ctx, shard)
	return topology.Snapshot{Index: index, Bytes: bytes}, refusal(meta.Outcome{}, err)
}

// ChangeSettings changes the cluster's settings, and waits: each shard's leader takes them over through the shard's own log.
func (t topologist) ChangeSettings(ctx context.Context, _ string, patch topology.SettingsPatch) (topology.Settings, topology.Refusal) {
	set, out, err := t.n.control.SetSettings(ctx, meta.SettingsPatch{
		RetentionMS: patch.RetentionMS, MaxOpenOrders: patch.MaxOpenOrdersPerSKU, MaxNodes: patch.MaxNodes,
	})
	if r := refusal(out, err); r.Refused() {
		return topology.Settings{}, r
	}
	if shard := t.n.control.AwaitSettings(ctx, set); shard != 0 {
		return topology.Settings{}, topology.Refusal{
			Code: topology.OutcomeUnknown, Text: fmt.Sprintf("shard %d has not taken the settings over yet", shard),
			WayOut: "it does as soon as it has a leader: ask again", Retryable: true,
		}
	}
	return settingsOf(set), topology.Refusal{}
}

// refusal says in the API's words why something was not done.
func refusal(out meta.Outcome, err error) topology.Refusal {
	switch {
	case err != nil:
		return failure(err)
	case out.Code == meta.OK || out.Code == 0:
		return topology.Refusal{}
	case out.Code == meta.KeyReused:
		return topology.Refusal{Code: topology.Internal, Text: out.Text()}
	}
	return topology.Refusal{
		Code: topology.Code(out.Code.String()), Text: out.Text(), WayOut: out.WayOut(), Retryable: out.Code.Retryable(),
		Field: out.Detail.Field, Reason: out.Detail.Reason,
	}
}

// failure judges an error: nothing was done, or nobody knows.
func failure(err error) topology.Refusal {
	r := topology.Refusal{
		Code: topology.OutcomeUnknown, Text: control.Plain(err).Error(), WayOut: "look at 'holdfast cluster status', and ask again", Retryable: true,
	}
	if !errors.Is(err, stock.ErrNotExecuted) {
		return r
	}
	for _, row := range wrongAsked {
		if errors.Is(err, row.err) {
			r.Code, r.WayOut, r.Retryable = row.code, row.wayOut, false
			return r
		}
	}
	switch {
	case errors.Is(err, control.ErrBusy):
		r.Code, r.Bound = topology.Overloaded, "max-commands"
	case errors.Is(err, context.DeadlineExceeded):
		r.Code = topology.DeadlineExceeded
	default:
		r.Code = topology.NoLeader
	}
	return r
}

// wrongAsked are the errors after which the same question would get the same answer.
var wrongAsked = []struct {
	err    error
	code   topology.Code
	wayOut string
}{
	{control.ErrUnknownShard, topology.UnknownShard, "'holdfast cluster shards' shows them; 0 is the meta group"},
	{control.ErrUnknownNode, topology.UnknownNode, "'holdfast cluster nodes' shows them"},
	{control.ErrNotJoined, topology.UnknownNode, "start it with --join and the peer address of a member: it adds itself; --dry-run shows the plan before"},
	{control.ErrNotEligible, topology.ReplicaLearns, "choose a voter: 'holdfast cluster shards' shows them"},
	{control.ErrSilent, topology.NodeUnreachable, "start it, or choose another: 'holdfast cluster nodes' shows who answers"},
	{cluster.ErrNoHeir, topology.NodeUnreachable, "bring a node with a vote in the shard back: 'holdfast cluster shards' shows them"},
}
