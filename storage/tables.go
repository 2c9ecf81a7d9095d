package storage

import (
	"strings"

	"holdfast/stock"
)

// table describes a table once; what creates it and what writes its rows is made from that. Tables are strict, so SQLite keeps the types, and
// have no rowid: the primary key alone orders them, which writes half again as fast as a rowid with an index beside it.
type table struct {
	name    string
	columns []column // the first is the primary key
}

type column struct{ name, kind string }

const (
	text    = "text not null"
	integer = "integer not null"
	// NULL when absent.
	maybe     = "integer"
	maybeText = "text"
)

var (
	// The columns stand in the order of orderRow. Times are integer milliseconds since 1970 UTC.
	orderTable = table{"orders", []column{
		{"id", text}, {"sku", text}, {"user_id", text}, {"qty", integer}, {"returned_qty", integer}, {"state", text}, {"mode", text},
		{"idem_key", text}, {"client_ref", maybeText}, {"payment_id", maybeText}, {"held_at", maybe}, {"confirmed_at", maybe}, {"cancelled_at", maybe},
		{"expired_at", maybe}, {"returned_at", maybe}, {"expires_at", maybe}, {"version", integer},
	}}
	// The columns stand in the order of skuRow.
	skuTable = table{"skus", []column{
		{"sku", text}, {"stock", integer}, {"available", integer}, {"held", integer}, {"sold", integer}, {"mode", text}, {"hold_ttl_ms", integer},
		{"limit_per_user", integer}, {"max_qty", integer}, {"opens_at", maybe}, {"closes_at", maybe}, {"frozen", integer}, {"hot", integer},
		{"version", integer},
	}}
	cursorTable = table{"cursor", []column{
		{"shard", integer}, {"log_index", integer}, {"term", integer}, {"cluster_id", text},
	}}
	// A row for each shard of which rows are missing that a peer has to give: those that changed last after lacks_from, up to lacks_to. The pages up
	// to the key at are there. Only SQLite has it.
	seedTable = table{"seed", []column{{"shard", integer}, {"lacks_from", integer}, {"lacks_to", integer}, {"at", text}}}
)

// create returns the statement that makes the table.
func (t *table) create() string {
	parts := make([]string, len(t.columns))
	for i, c := range t.columns {
		parts[i] = c.name + " " + c.kind
	}
	parts[0] += " primary key"
	return "create table " + t.name + " (" + strings.Join(parts, ", ") + ") strict, without rowid"
}

// upsert returns the statement that writes a row unless the table has it in the same or a later version (rule R26).
func (t *table) upsert() string {
	names := make([]string, len(t.columns))
	sets := make([]string, 0, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
		if i > 0 {
			sets = append(sets, c.name+" = excluded."+c.name)
		}
	}
	marks := strings.Repeat("?, ", len(names)-1) + "?"
	return "insert into " + t.name + " (" + strings.Join(names, ", ") + ") values (" + marks + ") on conflict (" + names[0] +
		") do update set " + strings.Join(sets, ", ") + " where excluded.version > " + t.name + ".version"
}

// orderRow appends the values of an order's row to args. held_at is when the order was placed, in every mode. The version is of the cluster's
// epoch, not of the epoch that made the id: after a restore an older order changes at indexes that an older epoch had used too.
func orderRow(args []any, epoch uint16, o *stock.Order) []any {
	return append(args,
		o.ID.String(), o.SKU, o.User, o.Qty, o.ReturnedQty, o.State.String(), o.Mode.String(),
		o.Key, optionalText(o.ClientRef), optionalText(o.PaymentID),
		optionalTime(o.CreatedAt), optionalTime(o.ConfirmedAt), optionalTime(o.CancelledAt), optionalTime(o.ExpiredAt),
		optionalTime(o.ReturnedAt), optionalTime(o.ExpiresAt), int64(versionOf(max(epoch, o.ID.Epoch), o.Version)))
}

// skuRow appends the values of a SKU's row to args. A SKU that a broken invariant stopped counts as frozen.
func skuRow(args []any, epoch uint16, s *stock.SKU) []any {
	return append(args,
		s.SKU, s.Stock, s.Available, s.Held, s.Sold, s.Mode.String(), s.HoldTTLMS, s.LimitPerUser, s.MaxQty,
		optionalTime(s.OpensAt), optionalTime(s.ClosesAt), flag(s.Frozen || s.Broken), flag(s.Hot), int64(versionOf(epoch, s.Version)))
}

func optionalText(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func optionalTime(t stock.Time) any {
	if t == 0 {
		return nil
	}
	return int64(t)
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
