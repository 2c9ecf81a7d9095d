package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/api/client"
	"holdfast/api/topology"
)

func (a *app) clusterStatusCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show the cluster, its settings and its changes", Args: exactly(), Example: "  holdfast cluster status",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return r.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				o, err := c.Cluster(ctx)
				if err != nil {
					return err
				}
				return a.print(o, statusTable(o))
			})
		},
	}
}

func statusTable(o topology.Overview) table {
	states := map[string]int{}
	for _, n := range o.Nodes {
		states[n.State]++
	}
	nodes := fmt.Sprintf("%d, %d of them alive", len(o.Nodes), states[topology.Alive])
	for _, state := range []string{topology.Unreachable, topology.Leaving} {
		if states[state] > 0 {
			nodes += fmt.Sprintf(", %d %s", states[state], state)
		}
	}
	t := table{head: []string{"WHAT", "VALUE"}, rows: [][]string{
		{"cluster", o.ClusterID}, {"asked", o.Node}, {"nodes", nodes},
		{"meta", fmt.Sprintf("leader %s, term %d, voters %s", orDash(o.Meta.Leader), o.Meta.Term, strings.Join(o.Meta.Voters, " "))},
		{"epoch", strconv.Itoa(int(o.Epoch))}, {"level", strconv.Itoa(int(o.Level))},
		{"retention", time.Duration(o.Settings.RetentionMS * int64(time.Millisecond)).String()},
		{"max open orders a SKU", strconv.FormatInt(o.Settings.MaxOpenOrdersPerSKU, 10)}, {"max nodes", strconv.FormatInt(o.Settings.MaxNodes, 10)},
	}}
	for _, c := range o.Changes {
		t.rows = append(t.rows, []string{"change", described(c)})
		for _, s := range c.Steps {
			t.rows = append(t.rows, []string{"", strings.TrimSuffix(s.State+": "+s.Step+": "+s.Reason, ": ")})
		}
	}
	if n := len(o.Ended); n > 0 {
		t.rows = append(t.rows, []string{"last change", described(o.Ended[n-1])})
	}
	return t
}

// described says in words what a change is about.
func described(c topology.Change) string {
	row := changeTable(c).rows[0]
	text := fmt.Sprintf("%s %s %s: %s, %s steps", row[0], row[1], row[2], row[3], row[4])
	if c.Reason != "" {
		text += ", " + c.Reason
	}
	return strings.Replace(text, " -:", ":", 1)
}

// nodesAnswer is what cluster nodes prints as JSON: the nodes of the overview.
type nodesAnswer struct {
	Nodes []topology.Node `json:"nodes"`
}

func (a *app) clusterNodesCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "nodes", Short: "List the nodes", Args: exactly(), Example: "  holdfast cluster nodes",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return r.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				o, err := c.Cluster(ctx)
				if err != nil {
					return err
				}
				t := table{head: []string{"NODE", "STATE", "LEADS", "PEER", "HTTP", "ADMIN", "VERSION", "CLOCK"}}
				for _, n := range o.Nodes {
					clock := "-"
					if n.ClockOffsetMS != nil {
						clock = fmt.Sprintf("%+dms", *n.ClockOffsetMS)
					}
					t.rows = append(t.rows, []string{
						n.ID, n.State, strconv.Itoa(n.ShardsLed), n.Peer, orDash(n.HTTP), orDash(n.Admin), orDash(n.Version), clock,
					})
				}
				return a.print(nodesAnswer{Nodes: o.WithLists().Nodes}, t)
			})
		},
	}
}

func (a *app) clusterShardsCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "shards", Short: "List the shards and their replicas", Args: exactly(), Example: "  holdfast cluster shards",
		Long: "List the shards, a line for each replica. Replicas with the same number before the @ of HASH have the same hash behind it.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return r.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				shards, err := c.Shards(ctx)
				if err != nil {
					return err
				}
				return a.print(topology.Shards{Shards: shards}.WithLists(), shardsTable(shards))
			})
		},
	}
}

func shardsTable(shards []topology.Shard) table {
	t := table{head: []string{"SHARD", "NODE", "ROLE", "LEADS", "APPLIED", "TRAILING", "HASH", "STORED", "LAG", "DOWN"}}
	for _, s := range shards {
		flushed := map[string]topology.Flush{}
		for _, f := range s.Flush {
			flushed[f.Node] = f
		}
		for _, replica := range s.Replicas {
			stored, lag := "-", "-"
			if f, ok := flushed[replica.Node]; ok && f.Sink != "none" {
				stored, lag = strconv.FormatUint(f.Index, 10), (time.Duration(f.LagMS) * time.Millisecond).String()
				if f.Seeding {
					stored = "seeding"
				}
			}
			t.rows = append(t.rows, []string{strconv.Itoa(int(s.ID)), replica.Node, replica.Role, yesNo(replica.Node == s.Leader),
				strconv.FormatUint(replica.AppliedIndex, 10), strconv.FormatUint(replica.Trailing, 10),
				fmt.Sprintf("%d@%s", replica.HashIndex, orDash(replica.StateHash)), stored, lag, orDash(replica.Down)})
		}
	}
	return t
}
