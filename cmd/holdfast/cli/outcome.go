package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/api/client"
)

func (a *app) outcomeCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "outcome SKU KEY", Short: "Say what became of an idempotency key", Args: exactly("SKU", "KEY"),
		Example: "  holdfast order outcome sneaker cart-17",
		Long:    "Say what became of an idempotency key. It waits while that is undecided.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.outcomeCall(cmd.Context(), r, func(ctx context.Context, c *client.Client) (client.Outcome, error) {
				return c.Outcome(ctx, args[0], args[1])
			})
		},
	}
}

func (a *app) fenceCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "fence SKU KEY", Short: "Make a key's outcome definite: placed already, or never", Args: exactly("SKU", "KEY"),
		Example: "  holdfast order fence sneaker cart-17",
		Long: "Make a key's outcome definite. When an order was placed with it, that order is the answer; when none was, none ever will be: a later\n" +
			"order with that key is refused.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.outcomeCall(cmd.Context(), r, func(ctx context.Context, c *client.Client) (client.Outcome, error) {
				return c.Fence(ctx, args[0], args[1])
			})
		},
	}
}

func (a *app) outcomeCall(ctx context.Context, r *remote, do func(context.Context, *client.Client) (client.Outcome, error)) error {
	return r.call(ctx, func(ctx context.Context, c *client.Client) error {
		o, err := do(ctx, c)
		if err != nil {
			return err
		}
		row, answer := []string{o.Outcome, "-", "-", "-", "-"}, outcomeAnswer{Outcome: o.Outcome}
		if o.Order != nil {
			answer.Order = new(answerOf(*o.Order))
			row = []string{o.Outcome, o.Order.ID, o.Order.SKU, o.Order.User, o.Order.State}
		}
		return a.print(answer, table{head: []string{"OUTCOME", "ID", "SKU", "USER", "FIRST STATE"}, rows: [][]string{row}})
	})
}

// shellWord quotes a word for a shell when it needs it.
func shellWord(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+,="
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
