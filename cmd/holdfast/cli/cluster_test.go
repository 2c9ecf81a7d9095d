package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"holdfast/api/apitest"
	"holdfast/api/topology"
)

var midnight = time.Date(2026, 11, 11, 0, 0, 0, 0, time.UTC)

// Each thing that a check looks at fails when it is not as it should be, alone, and passes otherwise.
func TestCheckFinds(t *testing.T) {
	within := tolerance{flushLag: time.Minute, clockSkew: 500 * time.Millisecond, now: midnight.Add(time.Hour)}
	ms := func(n int64) *int64 { return &n }
	running := func(c topology.Change) func(o *topology.Overview, shards []topology.Shard) {
		return func(o *topology.Overview, _ []topology.Shard) {
			c.ID, c.Kind, c.Node, c.State = "c7", topology.KindRemove, "n3", topology.Running
			o.Changes = append(o.Changes, c)
		}
	}
	for name, row := range map[string]struct {
		change func(o *topology.Overview, shards []topology.Shard)
		fails  string // the checks that fail, with commas
		says   string
	}{
		"all is well": {func(*topology.Overview, []topology.Shard) {}, "", ""},
		"a dead node": {func(o *topology.Overview, _ []topology.Shard) { o.Nodes[1].State = topology.Unreachable },
			"nodes answer,shards have a leader", "n2 does not answer: start it, or take it out"},
		"no node":         {func(o *topology.Overview, _ []topology.Shard) { o.Nodes = nil }, "nodes answer,shards have a leader", "there is none"},
		"another version": {func(o *topology.Overview, _ []topology.Shard) { o.Nodes[2].Version = "1.3.0" }, "versions are equal", "n3 runs 1.3.0, and not 1.2.3"},
		"a fast clock":    {func(o *topology.Overview, _ []topology.Shard) { o.Nodes[0].ClockOffsetMS = ms(600) }, "clocks agree", "601ms apart, more than 500ms"},
		"two clocks": {func(o *topology.Overview, _ []topology.Shard) {
			o.Nodes[1].ClockOffsetMS, o.Nodes[2].ClockOffsetMS = ms(-300), ms(300)
		}, "clocks agree", "600ms"},
		"no clock":         {func(o *topology.Overview, _ []topology.Shard) { o.Nodes[0].ClockOffsetMS = nil }, "clocks agree", "n1 was not measured"},
		"meta leaderless":  {func(o *topology.Overview, _ []topology.Shard) { o.Meta.Leader = "" }, "meta group", "it has no leader"},
		"meta of two":      {func(o *topology.Overview, _ []topology.Shard) { o.Meta.Voters = o.Meta.Voters[:2] }, "meta group", "2 voters, not 3"},
		"no leader":        {func(_ *topology.Overview, s []topology.Shard) { s[0].Leader = "" }, "shards have a leader", "shard 1 has none"},
		"a stranger leads": {func(_ *topology.Overview, s []topology.Shard) { s[0].Leader = "n9" }, "shards have a leader", "n9, which leads shard 1"},
		"a learner":        {func(_ *topology.Overview, s []topology.Shard) { s[2].Replicas[0].Role = topology.Learner }, "shards have their voters", "shard 3 has 2, not 3"},
		"a replica less":   {func(_ *topology.Overview, s []topology.Shard) { s[2].Replicas = s[2].Replicas[:2] }, "shards have their voters", "shard 3 has 2"},
		"a node's": {func(_ *topology.Overview, s []topology.Shard) {
			s[0].Replicas[2].Down, s[1].Replicas[2].Down, s[1].Replicas[0].Down = "silent", "silent", "it differs"
		}, "replicas serve", "shards 1 2 on n3: silent; shard 2 on n1: it differs"},
		"a dead node leads none": {func(o *topology.Overview, s []topology.Shard) {
			o.Nodes[1].State = topology.Unreachable
			for i := range s {
				s[i].Leader = []string{"n1", "n3"}[i%2]
			}
		}, "nodes answer", "n2 does not answer"},
		"down":      {func(_ *topology.Overview, s []topology.Shard) { s[1].Replicas[2].Down = "it differs" }, "replicas serve", "shard 2 on n3: it differs"},
		"different": {func(_ *topology.Overview, s []topology.Shard) { s[1].Replicas[2].StateHash = "00" }, "replicas are identical", "shard 2 at index 100"},
		"behind": {func(_ *topology.Overview, s []topology.Shard) {
			s[1].Replicas[2].StateHash, s[1].Replicas[2].HashIndex = "00", 90
		}, "", ""},
		"not yet hashed": {func(_ *topology.Overview, s []topology.Shard) {
			s[1].Replicas[2].StateHash, s[1].Replicas[2].HashIndex, s[1].Replicas[1].HashIndex = "00", 0, 0
		}, "", ""},
		"uneven": {func(_ *topology.Overview, s []topology.Shard) {
			s[0].Replicas[0].Node, s[1].Replicas[0].Node = "n2", "n2"
		}, "replicas are even", "n1 has 2 and n2 has 6: 'holdfast cluster balance'"},
		"one leads all": {func(_ *topology.Overview, s []topology.Shard) {
			for i := range s {
				s[i].Leader = "n1"
			}
		}, "leaderships are even", "n2 has 0 and n1 has 4"},
		"storage behind": {func(_ *topology.Overview, s []topology.Shard) {
			s[3].Flush[0].LagMS, s[3].Flush[0].LagOrders = 61_000, 7
		}, "storage keeps up", "shard 4 on n1: 7 orders, 1m1s"},
		"a change":        {running(topology.Change{BeganAt: topology.Moment{Time: midnight.Add(45 * time.Minute)}}), "", ""},
		"a change of old": {running(topology.Change{BeganAt: topology.Moment{Time: midnight}}), "no change is stuck", "c7 runs for 1h0m0s"},
		"a step that failed": {running(topology.Change{BeganAt: topology.Moment{Time: midnight.Add(59 * time.Minute)},
			Steps: []topology.Step{{Step: "shard 1: promote", State: topology.StepFailed, Reason: "no answer"}}}), "no change is stuck", "shard 1: promote: no answer"},
	} {
		o, shards := lookedAt(t, row.change)
		fails, said := failing(t, checkCluster(o, shards, within))
		if fails != row.fails || !strings.Contains(said, row.says) {
			t.Errorf("%s: %q fails: %s", name, fails, said)
		}
	}
}

// failing returns which checks fail, and what they say. One that passes says something, too.
func failing(t *testing.T, found []finding) (fails, said string) {
	t.Helper()
	for _, f := range found {
		if !f.Pass {
			fails, said = fails+","+f.Check, said+f.Detail+"\n"
		} else if f.Detail == "" {
			t.Errorf("%s passes without a word", f.Check)
		}
	}
	return strings.TrimPrefix(fails, ","), said
}

// lookedAt returns a cluster of three nodes with four shards as it is shown, after a change of it.
func lookedAt(t *testing.T, change func(o *topology.Overview, shards []topology.Shard)) (topology.Overview, []topology.Shard) {
	t.Helper()
	c := apitest.NewCluster(func() topology.Moment { return topology.Moment{Time: midnight} })
	c.Change(change)
	o, r := c.Overview(t.Context())
	shards, more := c.Shards(t.Context())
	if r.Refused() || more.Refused() {
		t.Fatal(r, more)
	}
	return o, shards
}

// A cluster of so many nodes has so many voters: the last of an even number learns.
func TestVotersByNodes(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 1, 2: 1, 3: 3, 4: 3, 5: 5, 7: 7} {
		if got := odd(n); got != want {
			t.Errorf("%d nodes: %d", n, got)
		}
	}
	one, shards := lookedAt(t, func(o *topology.Overview, shards []topology.Shard) {
		o.Nodes, o.Meta.Voters = o.Nodes[:1], o.Meta.Voters[:1]
		for i := range shards {
			shards[i].Leader, shards[i].Replicas, shards[i].Flush = "n1", shards[i].Replicas[:1], shards[i].Flush[:1]
		}
	})
	if fails, said := failing(t, checkCluster(one, shards, tolerance{flushLag: time.Minute, clockSkew: time.Second, now: midnight})); fails != "" {
		t.Errorf("a cluster of one: %s: %s", fails, said)
	}
	if got := shortly([]string{"a", "b", "c", "d", "e", "f", "g"}); got != "a; b; c; d; e; and 2 more" {
		t.Error(got)
	}
}

// Each step is told once, and again when it failed for another reason.
func TestStepsAreToldOnce(t *testing.T) {
	var errs bytes.Buffer
	a, told := &app{Process: Process{Err: &errs}}, map[string]string{}
	c := topology.Change{StepsTotal: 2, Steps: []topology.Step{{Step: "one", State: topology.StepOpen}, {Step: "two", State: topology.StepOpen}}}
	for _, s := range []topology.Step{
		{Step: "one", State: topology.StepOpen}, {Step: "one", State: topology.StepFailed, Reason: "no answer"},
		{Step: "one", State: topology.StepFailed, Reason: "no answer"}, {Step: "one", State: topology.StepFailed, Reason: "no vote"},
		{Step: "one", State: topology.StepDone}, {Step: "one", State: topology.StepDone},
	} {
		c.Steps[0] = s
		a.tell(c, told)
	}
	want := "[1/2] failed: one: no answer\n[1/2] failed: one: no vote\n[1/2] done: one\n"
	if errs.String() != want {
		t.Errorf("%s", &errs)
	}
}

// What is no backup is damaged; what a newer version wrote is not, and has another exit code.
func TestArchiveIsJudged(t *testing.T) {
	newer := apitest.Tar(map[string]string{"shard-1": "rows"})
	for _, c := range []struct {
		name    string
		archive []byte
		code    int
	}{
		{"nothing", nil, ExitCorrupt}, {"only an end", make([]byte, 1024), ExitCorrupt}, {"no manifest", newer[1024:], ExitCorrupt},
		{"a manifest alone", newer, ExitCorrupt}, {"a newer format", bytes.Replace(newer, []byte(`{"format":1}`), []byte(`{"format":9}`), 1), ExitFailed},
	} {
		if _, err := readArchive(bytes.NewReader(c.archive)); !errors.Is(err, errNotWhole) || codeOf(err, true) != c.code {
			t.Errorf("%s: exit code %d: %v", c.name, codeOf(err, true), err)
		}
	}
}
