package cli

import (
	"context"

	"github.com/spf13/cobra"

	"holdfast/api/client"
)

func (a *app) confirmCommand(r *remote) *cobra.Command {
	var payment string
	cmd := &cobra.Command{
		Use: "confirm ID", Short: "Record the payment of an order", Args: exactly("ID"),
		Example: "  holdfast order confirm 00000G8jPW1 --payment-id pay-1",
		RunE: func(cmd *cobra.Command, args []string) error {
			if payment == "" {
				return usagef("--payment-id is missing")
			}
			return a.orderCall(cmd.Context(), r, func(ctx context.Context, c *client.Client) (client.Order, error) {
				o, err := c.Confirm(ctx, args[0], payment)
				if client.IsUnknown(err) {
					a.note("The outcome is unknown. The same command again is safe: one payment confirms an order once.")
				}
				return o, err
			})
		},
	}
	cmd.Flags().StringVar(&payment, "payment-id", "", "the payment's id, as your payment service gave it (needed)")
	return cmd
}

func (a *app) cancelCommand(r *remote) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "cancel ID", Short: "Give up an order before its payment", Args: exactly("ID"),
		Example: `  holdfast order cancel 00000G8jPW1 --reason "changed my mind"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.orderCall(cmd.Context(), r, func(ctx context.Context, c *client.Client) (client.Order, error) {
				o, err := c.Cancel(ctx, args[0], reason)
				if client.IsUnknown(err) {
					a.note("The outcome is unknown. The same command again is safe: an order is cancelled once.")
				}
				return o, err
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it stays in the log")
	return cmd
}

func (a *app) returnCommand(r *remote) *cobra.Command {
	var (
		key   string
		units client.ReturnUnits
	)
	cmd := &cobra.Command{
		Use: "return ID", Short: "Take units of a sold order back", Args: exactly("ID"),
		Example: `  holdfast order return 00000G8jPW1
  holdfast order return 00000G8jPW1 --qty 1 --discard --key rma-7`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("qty") && units.Qty < 1 {
				return usagef("--qty must be at least 1")
			}
			key, err := a.keyOr(key)
			if err != nil {
				return err
			}
			return a.orderCall(cmd.Context(), r, func(ctx context.Context, c *client.Client) (client.Order, error) {
				o, err := c.Return(ctx, key, args[0], units)
				if client.IsUnknown(err) {
					a.note("The outcome is unknown. The same command again with --key %s is safe.", shellWord(key))
				}
				return o, err
			})
		},
	}
	f := cmd.Flags()
	f.Int64Var(&units.Qty, "qty", 0, "how many units (default: all that is left)")
	f.BoolVar(&units.Discard, "discard", false, "take the units out of the stock instead of making them available again")
	f.StringVar(&key, "key", "", "idempotency key (default: a fresh one)")
	return cmd
}
