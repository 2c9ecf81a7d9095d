package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"holdfast/bench/sale"
)

// verdicts are what the scripts return, in the codes of our own API.
var verdicts = map[int64]sale.Answer{
	1:  {Verdict: sale.Accepted},
	2:  {Verdict: sale.Accepted},
	-1: {Verdict: sale.Refused, Reason: "sold_out"},
	-2: {Verdict: sale.Refused, Reason: "insufficient_stock"},
	-3: {Verdict: sale.Refused, Reason: "limit_exceeded"},
	-4: {Verdict: sale.Refused, Reason: "fenced"},
	-5: {Verdict: sale.Refused, Reason: "idempotency_key_reused"},
	-6: {Verdict: sale.Refused, Reason: "sku_not_found"},
}

// unexecuted are the first words of errors that the server gives before it runs a script.
var unexecuted = []string{"NOSCRIPT", "LOADING", "BUSY", "OOM", "READONLY", "NOAUTH", "NOPERM", "MASTERDOWN", "MISCONF"}

// Place implements sale.Target: one order is one command, several are one pipeline.
func (t *Target) Place(ctx context.Context, orders []sale.Order, answers []sale.Answer) {
	if len(orders) == 1 {
		cmd := t.command(ctx, &orders[0])
		_ = t.client.Process(ctx, cmd) // the command has the error, too
		answers[0] = answer(cmd, orders[0].Key)
		return
	}
	pipe := t.client.Pipeline()
	cmds := make([]*redis.IntCmd, len(orders))
	for i := range orders {
		cmds[i] = t.command(ctx, &orders[i])
		_ = pipe.Process(ctx, cmds[i]) // it only queues
	}
	_, _ = pipe.Exec(ctx) // each command has its error
	for i, cmd := range cmds {
		answers[i] = answer(cmd, orders[i].Key)
	}
}

func (t *Target) command(ctx context.Context, o *sale.Order) *redis.IntCmd {
	return redis.NewIntCmd(ctx, "evalsha", t.place, 3, t.skuKey(o.SKU), t.usersKey(o.SKU), t.ordersKey(o.SKU), o.Key, o.User, o.Qty)
}

// answer is the one to a command that was sent or could not be.
func answer(cmd *redis.IntCmd, key string) sale.Answer {
	code, err := cmd.Result()
	if err != nil {
		return failure(err)
	}
	a, known := verdicts[code]
	if !known {
		return sale.Answer{}
	}
	if a.Verdict == sale.Accepted {
		a.ID = key
	}
	return a
}

// failure tells errors after which nothing happened from all others.
func failure(err error) sale.Answer {
	if errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrPoolExhausted) || errors.Is(err, redis.ErrClosed) {
		return sale.Answer{Verdict: sale.Failed, Reason: "overloaded"}
	}
	said, ok := errors.AsType[redis.Error](err)
	if !ok {
		return sale.Answer{Verdict: sale.Unknown, Reason: "connection"}
	}
	word, _, _ := strings.Cut(said.Error(), " ")
	for _, known := range unexecuted {
		if word == known {
			return sale.Answer{Verdict: sale.Failed, Reason: strings.ToLower(word)}
		}
	}
	return sale.Answer{Verdict: sale.Unknown, Reason: "server"}
}

// Resolve implements sale.Target.
func (t *Target) Resolve(ctx context.Context, o sale.Order) (sale.Answer, error) {
	cmd := redis.NewIntCmd(ctx, "evalsha", t.resolve, 1, t.ordersKey(o.SKU), o.Key, o.User, o.Qty)
	if err := t.client.Process(ctx, cmd); err != nil {
		return sale.Answer{}, fmt.Errorf("resolve %s: %w", o.Key, err)
	}
	a := answer(cmd, o.Key)
	if a.Verdict == sale.Refused {
		a.Verdict = sale.Failed
	}
	return a, nil
}
