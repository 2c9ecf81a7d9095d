package cli

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"holdfast/api/client"
)

func (a *app) skuCommand() *cobra.Command {
	r := &remote{credentials: credentials{env: a.Env}}
	cmd := &cobra.Command{
		Use:     "sku",
		Short:   "Create, show and change what is sold",
		Example: "  holdfast sku create sneaker --stock 500 --limit-per-user 1",
		Args:    cobra.ArbitraryArgs,
		RunE:    group,
	}
	r.admin(cmd)
	cmd.AddCommand(a.createCommand(r), a.skuGetCommand(r), a.skuListCommand(r), a.updateCommand(r), a.adjustCommand(r),
		a.freezeCommand(r), a.unfreezeCommand(r))
	return cmd
}

func (a *app) createCommand(r *remote) *cobra.Command {
	var (
		spec          client.SKUSpec
		ttl           time.Duration
		opens, closes string
	)
	cmd := &cobra.Command{
		Use: "create SKU", Short: "Create a SKU", Args: exactly("SKU"),
		Example: `  holdfast sku create sneaker --stock 500 --limit-per-user 1
  holdfast sku create ticket --stock 20000 --hold-ttl 10m --opens-at 2030-01-01T10:00:00Z --hot`,
		Long: "Create a SKU. The same command again changes nothing.",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			spec.SKU = args[0]
			if !cmd.Flags().Changed("stock") || spec.Stock < 0 {
				return usagef("--stock is missing or negative")
			}
			if spec.MaxQty < 1 {
				return usagef("--max-qty must be at least 1")
			}
			if spec.HoldTTLMS, err = milliseconds("hold-ttl", ttl); err != nil {
				return err
			}
			if spec.OpensAt, err = moment("opens-at", opens); err != nil {
				return err
			}
			if spec.ClosesAt, err = moment("closes-at", closes); err != nil {
				return err
			}
			return a.skuCall(cmd.Context(), r, func(ctx context.Context, c *client.Client) (client.SKU, error) {
				return c.CreateSKU(ctx, spec)
			})
		},
	}
	f := cmd.Flags()
	f.Int64Var(&spec.Stock, "stock", 0, "how many units there are (needed)")
	f.StringVar(&spec.Mode, "mode", "hold", "when an order takes stock: hold, on_order or on_payment")
	f.DurationVar(&ttl, "hold-ttl", 10*time.Minute, "how long an order waits for its payment")
	f.Int64Var(&spec.LimitPerUser, "limit-per-user", 0, "units one user may have (0: no limit)")
	f.Int64Var(&spec.MaxQty, "max-qty", 1, "units of one order")
	f.StringVar(&opens, "opens-at", "", "begin of the sale, RFC 3339")
	f.StringVar(&closes, "closes-at", "", "end of the sale, RFC 3339")
	f.BoolVar(&spec.Hot, "hot", false, "give it an actor of its own: for what many want at once")
	return cmd
}

func (a *app) skuGetCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "get SKU", Short: "Show a SKU as it stands", Example: "  holdfast sku get sneaker", Args: exactly("SKU"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.skuCall(cmd.Context(), r, func(ctx context.Context, c *client.Client) (client.SKU, error) {
				return c.SKU(ctx, args[0])
			})
		},
	}
}

func (a *app) skuListCommand(r *remote) *cobra.Command {
	var (
		cursor string
		limit  int
	)
	cmd := &cobra.Command{
		Use: "list", Short: "List SKUs in byte order of their names", Args: exactly(),
		Example: "  holdfast sku list --limit 20",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return usagef("--limit is 1 to 1000, not %d", limit)
			}
			return r.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				page, err := c.SKUs(ctx, cursor, limit)
				if err != nil {
					return err
				}
				if page.NextCursor != "" {
					a.note("There are more: --cursor %s", shellWord(page.NextCursor))
				}
				return a.print(skuPageAnswerOf(page), skuTable(page.SKUs...))
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 100, "how many at most, 1 to 1000")
	cmd.Flags().StringVar(&cursor, "cursor", "", "where the page before ended")
	return cmd
}

// skuCall makes a call that answers with a SKU and prints it.
func (a *app) skuCall(ctx context.Context, r *remote, do func(context.Context, *client.Client) (client.SKU, error)) error {
	return r.call(ctx, func(ctx context.Context, c *client.Client) error {
		s, err := do(ctx, c)
		if err != nil {
			return err
		}
		return a.print(skuAnswerOf(s), skuTable(s))
	})
}

func skuTable(skus ...client.SKU) table {
	t := table{head: []string{
		"SKU", "STOCK", "AVAILABLE", "HELD", "SOLD", "MODE", "HOLD TTL", "LIMIT", "MAX QTY", "OPENS", "CLOSES", "FROZEN", "HOT", "SHARD",
	}}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	for _, s := range skus {
		t.rows = append(t.rows, []string{
			s.SKU, number(s.Stock), number(s.Available), number(s.Held), number(s.Sold), s.Mode,
			(time.Duration(s.HoldTTLMS) * time.Millisecond).String(), number(s.LimitPerUser), number(s.MaxQty), showTime(s.OpensAt),
			showTime(s.ClosesAt), yesNo(s.Frozen), yesNo(s.Hot), number(int64(s.Shard)),
		})
	}
	return t
}
