package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"holdfast/api/client"
	"holdfast/api/topology"
)

// clusterTimeout is how long a call on the cluster may take: the longest that a server waits for.
const clusterTimeout = time.Minute

func (a *app) clusterCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "cluster", Short: "See and change a cluster, and back it up", Example: "  holdfast cluster status",
		Args: cobra.ArbitraryArgs, RunE: group,
	}
	r := &remote{credentials: credentials{env: a.Env}}
	for _, below := range []*cobra.Command{
		a.clusterStatusCommand(r), a.clusterNodesCommand(r), a.clusterShardsCommand(r), a.clusterCheckCommand(r), a.clusterAddCommand(r),
		a.clusterRemoveCommand(r), a.clusterBalanceCommand(r), a.clusterRebuildCommand(r), a.clusterAbortCommand(r), a.clusterTransferCommand(r),
		a.clusterSnapshotCommand(r), a.clusterSetCommand(r), a.clusterBackupCommand(r),
	} {
		r.admin(below)
		below.PersistentFlags().Lookup("timeout").DefValue = clusterTimeout.String()
		cmd.AddCommand(below)
	}
	r.timeout = clusterTimeout
	cmd.AddCommand(a.clusterRestoreCommand(), a.certsCommand())
	return cmd
}

// planned is what a command was told that makes a plan.
type planned struct {
	dryRun, noWait bool
}

func (p *planned) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&p.dryRun, "dry-run", false, "print the plan and change nothing")
	f.BoolVar(&p.noWait, "no-wait", false, "return when the change has begun, and not when it has ended")
}

func (a *app) clusterAddCommand(r *remote) *cobra.Command {
	p, n := &planned{}, topology.NewNode{}
	cmd := &cobra.Command{
		Use: "add NODE", Short: "Add a node and give it its replicas", Args: exactly("NODE"),
		Example: `  holdfast cluster add n4 --peer 10.0.0.4:8082 --dry-run
  holdfast cluster add n4 --peer 10.0.0.4:8082`,
		Long: "Add a node and move replicas to it, and wait until they have. A node that is started with --join adds itself, and needs no such command.\n" +
			"Progress is on standard error; Ctrl-C ends the waiting, not the change.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if n.Peer == "" {
				return usagef("--peer is missing")
			}
			n.ID = args[0]
			return a.carryOut(cmd.Context(), r, p, func(ctx context.Context, c *client.Client) (topology.Plan, error) {
				return c.AddNode(ctx, n, p.dryRun)
			})
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&n.Peer, "peer", "", "where other nodes reach it, host:port (needed)")
	return cmd
}

func (a *app) clusterRemoveCommand(r *remote) *cobra.Command {
	p := &planned{}
	cmd := &cobra.Command{
		Use: "remove NODE", Short: "Move a node's replicas elsewhere and forget it", Args: exactly("NODE"),
		Example: `  holdfast cluster remove n2 --dry-run
  holdfast cluster remove n2`,
		Long: "Move a node's replicas elsewhere, forget it, and wait until that is done. It works for a node that is dead. The id is not used again: a new node\n" +
			"in its place needs another. Progress is on standard error; Ctrl-C ends the waiting, not the change.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.carryOut(cmd.Context(), r, p, func(ctx context.Context, c *client.Client) (topology.Plan, error) {
				return c.RemoveNode(ctx, args[0], p.dryRun)
			})
		},
	}
	p.flags(cmd)
	return cmd
}

func (a *app) clusterBalanceCommand(r *remote) *cobra.Command {
	p := &planned{}
	cmd := &cobra.Command{
		Use: "balance", Short: "Even out replicas and leaderships", Args: exactly(),
		Example: `  holdfast cluster balance --dry-run
  holdfast cluster balance`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.carryOut(cmd.Context(), r, p, func(ctx context.Context, c *client.Client) (topology.Plan, error) {
				return c.Balance(ctx, p.dryRun)
			})
		},
	}
	p.flags(cmd)
	return cmd
}

func (a *app) clusterRebuildCommand(r *remote) *cobra.Command {
	p, on := &planned{}, ""
	cmd := &cobra.Command{
		Use: "rebuild SHARD", Short: "Build a replica anew from the others", Args: exactly("SHARD"),
		Example: "  holdfast cluster rebuild 2 --node n3",
		Long:    "Replace a shard's replica on a node by a new one, which the others fill: for one that differs from them, or cannot start.",
		RunE: func(cmd *cobra.Command, args []string) error {
			shard, err := shardOf(args[0])
			if err != nil {
				return err
			}
			if on == "" {
				return usagef("--node is missing")
			}
			return a.carryOut(cmd.Context(), r, p, func(ctx context.Context, c *client.Client) (topology.Plan, error) {
				return c.Rebuild(ctx, shard, on, p.dryRun)
			})
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&on, "node", "", "the node whose replica it is (needed)")
	return cmd
}

func (a *app) clusterAbortCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "abort CHANGE", Short: "Stop a change where it is", Args: exactly("CHANGE"), Example: "  holdfast cluster abort c7",
		Long: "Stop a change where it is: what was moved stays moved, what was about to move stays where it is. Its id is what 'holdfast cluster status' shows.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				change, err := c.AbortChange(ctx, args[0])
				if err != nil {
					return err
				}
				return a.print(change, changeTable(change))
			})
		},
	}
}

// shardOf reads the number of a shard.
func shardOf(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, usagef("%q is not the number of a shard", text)
	}
	return uint32(n), nil
}

// changeTable shows a change in a line.
func changeTable(c topology.Change) table {
	what := c.Node
	if c.Shard != 0 {
		what = fmt.Sprintf("shard %d on %s", c.Shard, c.Node)
	}
	took := "-"
	if !c.EndedAt.IsZero() {
		took = c.EndedAt.Sub(c.BeganAt.Time).Round(time.Millisecond).String()
	}
	return table{head: []string{"CHANGE", "KIND", "OF", "STATE", "STEPS", "TOOK", "REASON"}, rows: [][]string{{c.ID, c.Kind, orDash(what), c.State,
		fmt.Sprintf("%d of %d", c.StepsDone, c.StepsTotal), took, orDash(c.Reason)}}}
}
