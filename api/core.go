package api

import (
	"context"

	"holdfast/stock"
)

// Core answers requests. Every answer, a refusal too, is an outcome.
type Core interface {
	// Do answers one command or query. The context's deadline is the request's; when it ends first the outcome is DeadlineExceeded if nothing
	// entered the log and OutcomeUnknown otherwise. Meta.Deadline comes as zero, since it is judged against log time, and
	// Meta.Key as "" where the caller gives none: both are the core's to set (rules R4, R5).
	Do(ctx context.Context, r stock.Request) stock.Outcome
	// DoAll answers each request by itself, in order of the requests; the deadline counts for all.
	DoAll(ctx context.Context, rs []stock.Request) []stock.Outcome
	// Availability returns the snapshot of a SKU that is published here; false when there is none. It does not wait.
	Availability(sku string) (stock.Availability, bool)
	// Nearest asks others for the snapshot of a SKU of which none is published here. The code is OK, SKUNotFound when a leader says so, else
	// NoLeader.
	Nearest(ctx context.Context, sku string) (stock.Availability, stock.Code)
	// SKUs returns up to limit SKUs whose names come after the given one, in byte order, and whether there are more.
	SKUs(ctx context.Context, after string, limit int) (skus []stock.SKU, more bool, err error)
	// Locate returns the shard that owns a SKU and the id of the node that leads it, "" while there is none.
	Locate(sku string) (shard uint32, leader string)
}

// Check is one line of readiness.
type Check struct {
	// Name says what was looked at, Detail what was found.
	Name, Detail string
	OK           bool
	// Advisory checks are shown and counted but do not make the node unready.
	Advisory bool
}

// Health says whether the node can serve.
type Health interface {
	Ready() []Check
}
