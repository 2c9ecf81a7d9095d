package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"holdfast/stock"
)

// A key of a page is its table's letter and the primary key of the last row that was looked at.
const (
	orderKey = "o"
	skuKey   = "s"
)

// placeChars is how much of an order's id says where it belongs: epoch, partition and number of the SKU. The ids of one partition and epoch stand
// together in the table, because their digits sort as the numbers do.
const placeChars = 10

// idRange holds ids from one, up to and without another.
type idRange struct{ from, to string }

// idRanges returns where the orders of some partitions may stand, in the order of the table: by epoch, then by partition. Neighbours are one range.
func idRanges(partitions []stock.Partition, last uint16) (ranges []idRange) {
	sorted := slices.Compact(slices.Sorted(slices.Values(partitions)))
	for epoch := range int(last) + 1 {
		for _, p := range sorted {
			next := stock.OrderID{Epoch: uint16(epoch), Partition: p + 1}
			if p+1 >= stock.Partitions {
				next = stock.OrderID{Epoch: uint16(epoch) + 1}
			}
			r := idRange{placeOf(stock.OrderID{Epoch: uint16(epoch), Partition: p}), placeOf(next)}
			if n := len(ranges); n > 0 && ranges[n-1].to == r.from {
				ranges[n-1].to = r.to
			} else {
				ranges = append(ranges, r)
			}
		}
	}
	return ranges
}

func placeOf(id stock.OrderID) string { return id.String()[:placeChars] }

// rows reads a page in one read transaction on a connection of its own; the shards go on writing.
func (s *sqliteSink) rows(ctx context.Context, shard Shard, after string, limit int) (p Page, err error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return p, err
	}
	session := &sqliteSession{sink: s, conn: conn, shard: shard.ID}
	defer func() { err = errors.Join(err, session.Close()) }()
	if empty, err := session.inspect(ctx); err != nil || empty || session.schema < sqliteSchema {
		return p, errors.Join(ErrSinkGone, err)
	}
	if _, err := conn.ExecContext(ctx, "begin"); err != nil {
		return p, err
	}
	// The transaction ends with the connection.
	return session.page(ctx, shard.Partitions, after, limit)
}

func (s *sqliteSession) page(ctx context.Context, partitions []stock.Partition, after string, limit int) (Page, error) {
	p := Page{Shard: s.shard, Epoch: s.sink.epoch}
	var at int64
	var owner string
	err := s.conn.QueryRowContext(ctx, "select log_index, cluster_id from cursor where shard = ?", s.shard).Scan(&at, &owner)
	if err != nil || owner != s.sink.clusterID || version(at).epoch() != s.sink.epoch {
		return Page{}, errors.Join(fmt.Errorf("%w: no cursor of the shard's", ErrSinkGone), err)
	}
	seed, err := s.seed(ctx)
	if err != nil {
		return Page{}, err
	}
	p.Index, p.Lacks = version(at).index(), seed.lacks
	if key, skus := strings.CutPrefix(after, skuKey); skus {
		p.Next, err = s.skusAfter(ctx, &p, partitions, key, limit)
	} else {
		p.Next, err = s.ordersAfter(ctx, &p, partitions, strings.TrimPrefix(after, orderKey), limit)
	}
	if err != nil {
		return Page{}, err
	}
	return p, p.check(partitions)
}

// ordersAfter takes up to limit orders behind a key into the page and returns where the next one begins.
func (s *sqliteSession) ordersAfter(ctx context.Context, p *Page, partitions []stock.Partition, after string, limit int) (next string, err error) {
	query := "select " + strings.Join(orderTable.names(), ", ") + " from orders where id > ? and id >= ? and id < ? order by id limit ?"
	read, err := s.conn.PrepareContext(ctx, query)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, read.Close()) }()
	for _, r := range idRanges(partitions, s.sink.epoch) {
		if r.to <= after {
			continue
		}
		rows, err := read.QueryContext(ctx, after, r.from, r.to, limit-len(p.orders))
		if err != nil {
			return "", err
		}
		if p.orders, err = appendRows(p.orders, rows, len(orderTable.columns)); err != nil {
			return "", err
		}
		if len(p.orders) >= limit {
			return orderKey + p.orders[len(p.orders)-1][0].(string), nil
		}
	}
	return skuKey, nil
}

// skusAfter looks at up to limit SKUs behind a key: names tell their partition only by their hash, and there are few of them.
func (s *sqliteSession) skusAfter(ctx context.Context, p *Page, partitions []stock.Partition, after string, limit int) (next string, err error) {
	query := "select " + strings.Join(skuTable.names(), ", ") + " from skus where sku > ? order by sku limit ?"
	rows, err := s.conn.QueryContext(ctx, query, after, limit)
	if err != nil {
		return "", err
	}
	all, err := appendRows(nil, rows, len(skuTable.columns))
	if err != nil {
		return "", err
	}
	if len(all) == limit {
		next = skuKey + all[len(all)-1][0].(string)
	}
	p.skus = slices.DeleteFunc(all, func(r row) bool {
		owner, ok := skuTable.partition(r)
		return !ok || !slices.Contains(partitions, owner)
	})
	return next, nil
}

// appendRows reads a result to its end.
func appendRows(to []row, rows *sql.Rows, columns int) (_ []row, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	into := make([]any, columns)
	for rows.Next() {
		r := make(row, columns)
		for i := range r {
			into[i] = &r[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		if _, named := r[0].(string); !named {
			return nil, fmt.Errorf("%w: a row without a name", ErrBadPage)
		}
		to = append(to, r)
	}
	return to, rows.Err()
}
