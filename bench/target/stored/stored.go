package stored

import (
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast/bench/sale"
	"holdfast/storage"
)

// ErrBehind is returned by Visit when storage goes no further and does not hold what it must.
var ErrBehind = errors.New("stored: storage does not catch up")

const (
	pollEvery = 50 * time.Millisecond
	// patience is how long a sink may stand still.
	patience = time.Minute
)

// Visit visits the orders that a sink holds of the wanted SKUs, once it has everything up to the log indexes in need, by shard. The sink is a SQLite
// file or a postgres:// URL.
func Visit(ctx context.Context, sink string, need map[uint32]uint64, wanted func(sku string) bool, visit func(sale.Stored)) (err error) {
	if err := await(ctx, sink, need); err != nil {
		return err
	}
	a, err := storage.OpenAudit(ctx, sink)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	for row, err := range a.Orders(ctx) {
		if err != nil {
			return err
		}
		if wanted(row.SKU) {
			visit(sale.Stored{
				ID: row.ID, Key: row.Key, SKU: row.SKU, User: row.User, Qty: row.Qty, Returned: row.ReturnedQty, State: row.State,
			})
		}
	}
	return nil
}

// await waits until a sink has what is needed, as long as it goes on.
func await(ctx context.Context, sink string, need map[uint32]uint64) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var before uint64
	moved := time.Now()
	for {
		lacks, sum, err := lacking(ctx, sink, need)
		switch {
		case err == nil && lacks == "":
			return nil
		case sum != before:
			before, moved = sum, time.Now()
		case time.Since(moved) > patience:
			return errors.Join(fmt.Errorf("%w: %s", ErrBehind, lacks), err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%w: %s: %w", ErrBehind, lacks, ctx.Err()), err)
		}
	}
}

// lacking says what a sink lacks, "" for nothing, and the sum of the indexes it has.
func lacking(ctx context.Context, sink string, need map[uint32]uint64) (lacks string, sum uint64, err error) {
	a, err := storage.OpenAudit(ctx, sink)
	if err != nil {
		return "it cannot be read", 0, err
	}
	has, err := a.Indexes(ctx)
	if err = errors.Join(err, a.Close()); err != nil {
		return "it cannot be read", 0, err
	}
	for shard, index := range need {
		sum += has[shard]
		if has[shard] < index {
			lacks = fmt.Sprintf("shard %d is at %d of %d", shard, has[shard], index)
		}
	}
	return lacks, sum, nil
}
