package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"holdfast/api/client"
)

// changes is what sku update was told.
type changes struct {
	ttl           time.Duration
	limit, max    int64
	opens, closes string
	hot           bool
}

func (a *app) updateCommand(r *remote) *cobra.Command {
	ch := &changes{}
	cmd := &cobra.Command{
		Use: "update SKU", Short: "Change what later orders are accepted under", Args: exactly("SKU"),
		Example: `  holdfast sku update sneaker --limit-per-user 2
  holdfast sku update sneaker --closes-at ""`,
		Long: "Change what later orders are accepted under. Only the flags that are given change something; an empty time takes it away.",
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := ch.patch(cmd)
			if err != nil {
				return err
			}
			return a.skuCall(cmd.Context(), r, func(ctx context.Context, c *client.Client) (client.SKU, error) {
				return c.UpdateSKU(ctx, args[0], p)
			})
		},
	}
	f := cmd.Flags()
	f.DurationVar(&ch.ttl, "hold-ttl", 0, "how long an order waits for its payment")
	f.Int64Var(&ch.limit, "limit-per-user", 0, "units one user may have (0: no limit)")
	f.Int64Var(&ch.max, "max-qty", 0, "units of one order")
	f.StringVar(&ch.opens, "opens-at", "", "begin of the sale, RFC 3339")
	f.StringVar(&ch.closes, "closes-at", "", "end of the sale, RFC 3339")
	f.BoolVar(&ch.hot, "hot", false, "an actor of its own")
	return cmd
}

// patch returns the changes that were asked for.
func (ch *changes) patch(cmd *cobra.Command) (p client.SKUPatch, err error) {
	given := cmd.Flags().Changed
	if given("hold-ttl") {
		ms, err := milliseconds("hold-ttl", ch.ttl)
		if err != nil {
			return p, err
		}
		p.HoldTTLMS = &ms
	}
	if given("limit-per-user") {
		p.LimitPerUser = &ch.limit
	}
	if given("max-qty") {
		p.MaxQty = &ch.max
	}
	if given("hot") {
		p.Hot = &ch.hot
	}
	if p.OpensAt, err = moment("opens-at", ch.opens); err != nil {
		return p, err
	}
	if p.ClosesAt, err = moment("closes-at", ch.closes); err != nil {
		return p, err
	}
	p.ClearOpensAt = given("opens-at") && ch.opens == ""
	p.ClearClosesAt = given("closes-at") && ch.closes == ""
	if p == (client.SKUPatch{}) {
		return p, usagef("nothing to change: give at least one flag")
	}
	return p, nil
}

func (a *app) adjustCommand(r *remote) *cobra.Command {
	var (
		delta       int64
		key, reason string
	)
	cmd := &cobra.Command{
		Use: "adjust SKU", Short: "Add units to the stock, or take available ones away", Args: exactly("SKU"),
		Example: `  holdfast sku adjust sneaker --delta 20 --reason "found another box"
  holdfast sku adjust sneaker --delta -3 --reason damaged --key stocktake-4`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if delta == 0 {
				return usagef("--delta is missing or 0")
			}
			if reason == "" {
				return usagef("--reason is missing")
			}
			key, err := a.keyOr(key)
			if err != nil {
				return err
			}
			return a.skuCall(cmd.Context(), r, func(ctx context.Context, c *client.Client) (client.SKU, error) {
				s, err := c.AdjustSKU(ctx, key, args[0], delta, reason)
				if client.IsUnknown(err) {
					a.note("The outcome is unknown. The same command again with --key %s is safe.", shellWord(key))
				}
				return s, err
			})
		},
	}
	f := cmd.Flags()
	f.Int64Var(&delta, "delta", 0, "units to add; negative: to take away (needed)")
	f.StringVar(&reason, "reason", "", "why; it stays in the log (needed)")
	f.StringVar(&key, "key", "", "idempotency key (default: a fresh one)")
	return cmd
}

func (a *app) freezeCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "freeze SKU", Short: "Stop the sale of a SKU", Example: "  holdfast sku freeze sneaker", Args: exactly("SKU"),
		Long: "Stop the sale of a SKU: no new orders. Orders that hold units can still be confirmed and cancelled, and expire.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.skuCall(cmd.Context(), r, func(ctx context.Context, c *client.Client) (client.SKU, error) {
				return c.Freeze(ctx, args[0])
			})
		},
	}
}

func (a *app) unfreezeCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "unfreeze SKU", Short: "Resume the sale of a SKU", Example: "  holdfast sku unfreeze sneaker", Args: exactly("SKU"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.skuCall(cmd.Context(), r, func(ctx context.Context, c *client.Client) (client.SKU, error) {
				return c.Unfreeze(ctx, args[0])
			})
		},
	}
}

func milliseconds(flag string, d time.Duration) (int64, error) {
	if d < time.Millisecond || d%time.Millisecond != 0 {
		return 0, usagef("--%s must be a positive number of whole milliseconds, not %s", flag, d)
	}
	return d.Milliseconds(), nil
}

// moment reads a time of day and date; "" is none.
func moment(flag, text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, usagef("--%s is not a time like 2030-01-31T10:00:00Z: %q", flag, text)
	}
	return &t, nil
}
