package apitest

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"

	"holdfast/api/topology"
)

// Cluster is a cluster in memory: what it is asked for is planned by rote, and a change ends after it was looked at as often as it has steps. It is
// the shape of api.Cluster.
type Cluster struct {
	// Refuse, when set, answers every call that changes something, and every other one too when its code is one that nobody could decide.
	Refuse topology.Refusal
	// Archive is what Backup gives out; nil: a tar of a manifest and one file. Broken: it ends in an error.
	Archive []byte
	Broken  bool
	// Stalled: changes do not go on.
	Stalled bool

	mu       sync.Mutex // guards what follows
	overview topology.Overview
	shards   []topology.Shard
	changes  int
	number   int
	calls    []string
	now      func() topology.Moment
}

// NewCluster returns three nodes with four shards, all well, under the time of a clock.
func NewCluster(now func() topology.Moment) *Cluster {
	c := &Cluster{now: now, number: 12}
	c.overview = topology.Overview{
		ClusterID: "8c2f6f0e5d1b4a7e9f3c2b1a0d4e5f60", Node: "n1", Epoch: 1, Level: 1,
		Meta:     topology.Meta{Leader: "n1", Term: 3, Voters: []string{"n1", "n2", "n3"}},
		Settings: topology.Settings{RetentionMS: 86400000, MaxOpenOrdersPerSKU: 10000000, MaxNodes: 7},
	}
	for i, offset := range []int64{0, 2, -1} {
		host := "10.0.0." + strconv.Itoa(i+1)
		c.overview.Nodes = append(c.overview.Nodes, topology.Node{ID: "n" + strconv.Itoa(i+1), Peer: host + ":8082", HTTP: host + ":8080",
			Admin: host + ":8081", State: topology.Alive, Version: "1.2.3", ClockOffsetMS: &offset})
	}
	for id := range uint32(4) {
		s := topology.Shard{ID: id + 1, Leader: c.overview.Nodes[id%3].ID, Term: 5, CommitIndex: 120}
		c.overview.Nodes[id%3].ShardsLed++
		for _, n := range c.overview.Nodes {
			s.Replicas = append(s.Replicas, topology.Replica{Node: n.ID, Role: topology.Voter, AppliedIndex: 120, HashIndex: 100,
				StateHash: "0f1e2d3c4b5a6978"})
			s.Flush = append(s.Flush, topology.Flush{Node: n.ID, Sink: "sqlite", Index: 120})
		}
		c.shards = append(c.shards, s)
	}
	return c
}

// Change lets a test make the cluster another one.
func (c *Cluster) Change(change func(o *topology.Overview, shards []topology.Shard)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.overview, c.shards)
}

// Calls returns what the cluster was asked to change, in order.
func (c *Cluster) Calls() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}

// Overview returns the cluster; each look takes the change under way a step on.
func (c *Cluster) Overview(ctx context.Context) (topology.Overview, topology.Refusal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.undecided(ctx); r.Refused() {
		return topology.Overview{}, r
	}
	shown := c.overview
	shown.Nodes, shown.Changes = slices.Clone(shown.Nodes), slices.Clone(shown.Changes)
	for i := range shown.Changes {
		shown.Changes[i].Steps = slices.Clone(shown.Changes[i].Steps)
	}
	if !c.Stalled {
		c.step()
	}
	return shown, topology.Refusal{}
}

// Shards returns the shards.
func (c *Cluster) Shards(ctx context.Context) ([]topology.Shard, topology.Refusal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.shards), c.undecided(ctx)
}

// AddNode plans a replica of shard 1 for the node.
func (c *Cluster) AddNode(ctx context.Context, caller string, n topology.NewNode, dryRun bool) (topology.Plan, topology.Refusal) {
	return c.plan(ctx, fmt.Sprintf("add %s %s", n.ID, n.Peer), topology.Change{Kind: topology.KindAdd, Node: n.ID}, dryRun, func() []string {
		id := c.replica(n.ID)
		return []string{"shard 1: add learner " + id, "shard 1: wait until " + id + " has caught up", "shard 1: promote " + id + " to voter",
			"shard 1: remove n1#1"}
	})
}

// RemoveNode plans that its replica of shard 1 goes.
func (c *Cluster) RemoveNode(ctx context.Context, caller, node string, dryRun bool) (topology.Plan, topology.Refusal) {
	if c.unknown(node) {
		return topology.Plan{}, unknownNode(node)
	}
	return c.plan(ctx, "remove "+node, topology.Change{Kind: topology.KindRemove, Node: node}, dryRun, func() []string {
		return []string{"shard 1: demote " + node + "#9 to learner", "shard 1: remove " + node + "#9", "forget node " + node}
	})
}

// Balance plans that n2 leads shard 1, unless it does.
func (c *Cluster) Balance(ctx context.Context, caller string, dryRun bool) (topology.Plan, topology.Refusal) {
	return c.plan(ctx, "balance", topology.Change{Kind: topology.KindBalance}, dryRun, func() []string {
		if c.shards[0].Leader == "n2" {
			return nil
		}
		return []string{"shard 1: hand leadership to n2#5"}
	})
}

// Rebuild plans a new replica.
func (c *Cluster) Rebuild(ctx context.Context, caller string, shard uint32, node string, dryRun bool) (topology.Plan, topology.Refusal) {
	if c.noShard(shard) {
		return topology.Plan{}, unknownShard(shard)
	}
	if c.unknown(node) {
		return topology.Plan{}, unknownNode(node)
	}
	change := topology.Change{Kind: topology.KindRebuild, Node: node, Shard: shard}
	return c.plan(ctx, fmt.Sprintf("rebuild %d %s", shard, node), change, dryRun, func() []string {
		id := c.replica(node)
		group := fmt.Sprintf("shard %d: ", shard)
		return []string{group + "remove " + node + "#5", group + "add learner " + id, group + "wait until " + id + " has caught up",
			group + "promote " + id + " to voter"}
	})
}

// Abort ends the change.
func (c *Cluster) Abort(ctx context.Context, caller, change string) (topology.Change, topology.Refusal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.refusal(ctx); r.Refused() {
		return topology.Change{}, r
	}
	for i := range c.overview.Changes {
		if c.overview.Changes[i].ID == change {
			return c.end(i, topology.Aborted, "aborted by a caller"), topology.Refusal{}
		}
	}
	for _, ended := range c.overview.Ended {
		if ended.ID == change {
			return ended, topology.Refusal{}
		}
	}
	return topology.Change{}, topology.Refusal{Code: topology.UnknownChange, Text: "there is no change " + change,
		WayOut: "look at the changes that holdfast cluster status prints"}
}

// Transfer makes a node lead.
func (c *Cluster) Transfer(ctx context.Context, caller string, shard uint32, to string) (topology.Leadership, topology.Refusal) {
	if c.noShard(shard) {
		return topology.Leadership{}, unknownShard(shard)
	}
	if to == "" {
		to = "n3"
	}
	if c.unknown(to) {
		return topology.Leadership{}, unknownNode(to)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.refusal(ctx); r.Refused() {
		return topology.Leadership{}, r
	}
	c.calls = append(c.calls, fmt.Sprintf("transfer %d %s", shard, to))
	s := &c.shards[shard-1]
	s.Leader, s.Term = to, s.Term+1
	return topology.Leadership{Shard: shard, Leader: to, Term: s.Term}, topology.Refusal{}
}

// Snapshot says that it took one.
func (c *Cluster) Snapshot(ctx context.Context, caller string, shard uint32) (topology.Snapshot, topology.Refusal) {
	if c.noShard(shard) {
		return topology.Snapshot{}, unknownShard(shard)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.refusal(ctx); r.Refused() {
		return topology.Snapshot{}, r
	}
	c.calls = append(c.calls, fmt.Sprintf("snapshot %d", shard))
	return topology.Snapshot{Index: c.shards[shard-1].CommitIndex, Bytes: 4096}, topology.Refusal{}
}

// ChangeSettings changes those that are set.
func (c *Cluster) ChangeSettings(ctx context.Context, caller string, p topology.SettingsPatch) (topology.Settings, topology.Refusal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.refusal(ctx); r.Refused() {
		return topology.Settings{}, r
	}
	c.calls = append(c.calls, "settings")
	s := &c.overview.Settings
	for to, from := range map[*int64]*int64{&s.RetentionMS: p.RetentionMS, &s.MaxOpenOrdersPerSKU: p.MaxOpenOrdersPerSKU, &s.MaxNodes: p.MaxNodes} {
		if from != nil {
			*to = *from
		}
	}
	return *s, topology.Refusal{}
}

// Backup gives out the archive.
func (c *Cluster) Backup(ctx context.Context, caller string) (io.ReadCloser, topology.Refusal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.refusal(ctx); r.Refused() {
		return nil, r
	}
	c.calls = append(c.calls, "backup")
	archive := c.Archive
	if archive == nil {
		archive = Tar(map[string]string{"shard-1": "rows"})
	}
	if c.Broken {
		return io.NopCloser(io.MultiReader(bytes.NewReader(archive[:len(archive)/2]), brokenReader{})), topology.Refusal{}
	}
	return io.NopCloser(bytes.NewReader(archive)), topology.Refusal{}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Tar returns a tar that begins with a manifest and holds these files in order of their names.
func Tar(files map[string]string) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	add := func(name, content string) {
		// Writing into memory does not fail.
		_ = w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content))})
		_, _ = io.WriteString(w, content)
	}
	add("manifest.json", `{"format":1}`)
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		add(name, files[name])
	}
	_ = w.Close()
	return out.Bytes()
}
