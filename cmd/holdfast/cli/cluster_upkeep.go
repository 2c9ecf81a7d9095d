package cli

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"holdfast/api/client"
	"holdfast/api/topology"
	"holdfast/cmd/holdfast/config"
)

func (a *app) clusterTransferCommand(r *remote) *cobra.Command {
	to := ""
	cmd := &cobra.Command{
		Use: "transfer SHARD", Short: "Hand a shard's leadership to another node", Args: exactly("SHARD"),
		Example: `  holdfast cluster transfer 2 --to n3
  holdfast cluster transfer 2`,
		Long: "Hand a shard's leadership to a node, or without --to to the one that suits best. It leads when the command returns.",
		RunE: func(cmd *cobra.Command, args []string) error {
			shard, err := shardOf(args[0])
			if err != nil {
				return err
			}
			return r.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				led, err := c.Transfer(ctx, shard, to)
				if err != nil {
					return err
				}
				return a.print(led, table{head: []string{"SHARD", "LEADER", "TERM"},
					rows: [][]string{{strconv.Itoa(int(led.Shard)), led.Leader, strconv.FormatUint(led.Term, 10)}}})
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the node that leads from then on (default: the one that suits best)")
	return cmd
}

func (a *app) clusterSnapshotCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "snapshot SHARD", Short: "Take a snapshot of a shard on its leader", Args: exactly("SHARD"), Example: "  holdfast cluster snapshot 2",
		RunE: func(cmd *cobra.Command, args []string) error {
			shard, err := shardOf(args[0])
			if err != nil {
				return err
			}
			return r.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				taken, err := c.Snapshot(ctx, shard)
				if err != nil {
					return err
				}
				return a.print(taken, table{head: []string{"INDEX", "BYTES"},
					rows: [][]string{{strconv.FormatUint(taken.Index, 10), strconv.FormatInt(taken.Bytes, 10)}}})
			})
		},
	}
}

// settled is what cluster set was told.
type settled struct {
	retention         time.Duration
	maxOpen, maxNodes int64
}

func (a *app) clusterSetCommand(r *remote) *cobra.Command {
	s := &settled{}
	cmd := &cobra.Command{
		Use: "set", Short: "Change settings that all shards share", Args: exactly(),
		Example: `  holdfast cluster set --retention 48h
  holdfast cluster set --max-open-orders-per-sku 1000000 --max-nodes 9`,
		Long: "Change settings that outcomes depend on, alike on all shards, while the cluster serves. Only the flags of the command line\n" +
			"change something, no variable. What is set now, 'holdfast cluster status' shows.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			patch, err := s.patch(func(name string) bool { return a.settings[name].Origin.Kind == config.Flag })
			if err != nil {
				return err
			}
			return r.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				now, err := c.UpdateSettings(ctx, patch)
				if err != nil {
					return err
				}
				return a.print(now, table{head: []string{"RETENTION", "MAX OPEN ORDERS A SKU", "MAX NODES"}, rows: [][]string{{
					(time.Duration(now.RetentionMS) * time.Millisecond).String(), strconv.FormatInt(now.MaxOpenOrdersPerSKU, 10),
					strconv.FormatInt(now.MaxNodes, 10)}}})
			})
		},
	}
	f := cmd.Flags()
	f.DurationVar(&s.retention, "retention", 0, "how long an acceptance is remembered after its order settled")
	f.Int64Var(&s.maxOpen, "max-open-orders-per-sku", 0, "open and held orders of one SKU")
	f.Int64Var(&s.maxNodes, "max-nodes", 0, "nodes of the cluster")
	return cmd
}

// patch returns the changes that were asked for on the command line. A variable that is there for the node on the same machine asks for nothing.
func (s *settled) patch(given func(flag string) bool) (p topology.SettingsPatch, err error) {
	if given("retention") {
		ms, err := milliseconds("retention", s.retention)
		if err != nil {
			return p, err
		}
		p.RetentionMS = &ms
	}
	if given("max-open-orders-per-sku") {
		p.MaxOpenOrdersPerSKU = &s.maxOpen
	}
	if given("max-nodes") {
		p.MaxNodes = &s.maxNodes
	}
	if p == (topology.SettingsPatch{}) {
		return p, usagef("nothing to change: give at least one flag")
	}
	return p, nil
}
