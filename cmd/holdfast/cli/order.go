package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"holdfast/api/client"
)

func (a *app) orderCommand() *cobra.Command {
	r := &remote{credentials: credentials{env: a.Env}}
	cmd := &cobra.Command{
		Use:     "order",
		Short:   "Place orders, and see to them",
		Example: "  holdfast order place sneaker --user ada",
		Args:    cobra.ArbitraryArgs,
		RunE:    group,
	}
	r.public(cmd)
	cmd.AddCommand(a.placeCommand(r), a.orderGetCommand(r), a.confirmCommand(r), a.cancelCommand(r), a.returnCommand(r),
		a.outcomeCommand(r), a.fenceCommand(r))
	return cmd
}

// placement is what order place was told.
type placement struct {
	order client.NewOrder
	key   string
	retry bool
}

// placed is a placed order with the key it was placed under.
type placed struct {
	Key      string `json:"key"`
	Replayed bool   `json:"replayed"`
	orderAnswer
}

func (a *app) placeCommand(r *remote) *cobra.Command {
	p := &placement{}
	cmd := &cobra.Command{
		Use:   "place SKU",
		Short: "Place an order",
		Example: `  holdfast order place sneaker --user ada
  holdfast order place sneaker --user ada --qty 2 --key cart-17 --retry`,
		Long: "Place an order. It is placed once however often it is sent under one key. Without --key a fresh key is made and printed first, so\n" +
			"that an answer which got lost can be asked for.",
		Args: exactly("SKU"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.order.SKU = args[0]
			return a.place(cmd.Context(), r, p)
		},
	}
	f := cmd.Flags()
	f.StringVar(&p.order.User, "user", "", "who orders (needed)")
	f.Int64Var(&p.order.Qty, "qty", 1, "how many units")
	f.StringVar(&p.key, "key", "", "idempotency key (default: a fresh one)")
	f.StringVar(&p.order.ClientRef, "client-ref", "", "a reference of your own, kept with the order")
	f.BoolVar(&p.retry, "retry", false, "send it again under the same key until it is accepted or refused, or --timeout is over")
	return cmd
}

func (a *app) place(ctx context.Context, r *remote, p *placement) error {
	switch {
	case p.order.User == "":
		return usagef("--user is missing")
	case p.order.Qty < 1:
		return usagef("--qty must be at least 1")
	}
	key, err := a.keyOr(p.key)
	if err != nil {
		return err
	}
	return r.call(ctx, func(ctx context.Context, c *client.Client) error {
		send := c.PlaceOrder
		if p.retry {
			send = c.PlaceOrderUntilKnown
		}
		got, err := send(ctx, key, p.order)
		if client.IsUnknown(err) {
			a.explainUnknown(r, p.order.SKU, key)
		}
		if err != nil {
			return err
		}
		return a.print(placed{Key: key, Replayed: got.Replayed, orderAnswer: answerOf(got.Order)}, orderTable(got.Order))
	})
}

// explainUnknown says what an order without an answer means and how its outcome becomes known.
func (a *app) explainUnknown(r *remote, sku, key string) {
	at := ""
	if r.addr != defaultAddr {
		at = " --addr " + r.addr
	}
	a.note("The outcome is unknown: the order may have been placed, or may still be.")
	a.note("  ask:                  holdfast order outcome %s %s%s", shellWord(sku), shellWord(key), at)
	a.note("  ask, or rule it out:  holdfast order fence %s %s%s", shellWord(sku), shellWord(key), at)
	a.note("  or place the same order again with --key %s: the same key never takes stock twice.", shellWord(key))
}

func (a *app) orderGetCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "get ID", Short: "Show an order as it stands", Example: "  holdfast order get 00000G8jPW1", Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.orderCall(cmd.Context(), r, func(ctx context.Context, c *client.Client) (client.Order, error) {
				return c.Order(ctx, args[0])
			})
		},
	}
}

// orderCall makes a call that answers with an order and prints it.
func (a *app) orderCall(ctx context.Context, r *remote, do func(context.Context, *client.Client) (client.Order, error)) error {
	return r.call(ctx, func(ctx context.Context, c *client.Client) error {
		o, err := do(ctx, c)
		if err != nil {
			return err
		}
		return a.print(answerOf(o), orderTable(o))
	})
}

func orderTable(orders ...client.Order) table {
	t := table{head: []string{"ID", "SKU", "USER", "QTY", "RETURNED", "STATE", "MODE", "PAYMENT", "CREATED", "EXPIRES", "INDEX"}}
	for _, o := range orders {
		t.rows = append(t.rows, []string{
			o.ID, o.SKU, o.User, strconv.FormatInt(o.Qty, 10), strconv.FormatInt(o.ReturnedQty, 10), o.State, o.Mode, orDash(o.PaymentID),
			showTime(&o.CreatedAt), showTime(o.ExpiresAt), strconv.FormatUint(o.AsOfIndex, 10),
		})
	}
	return t
}
