package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"holdfast/bench/rival"
	"holdfast/bench/rival/program"
	"holdfast/bench/sale"
)

const (
	defaultConnections = 32
	closeWithin        = 30 * time.Second
)

// Style is how a transaction is written.
type Style uint8

// The styles.
const (
	// Steps is begin, insert, update, commit, each sent by itself: the zero value.
	Steps Style = iota
	// OneStatement is all of it as one statement.
	OneStatement
)

// Config says which PostgreSQL sells, and how.
type Config struct {
	// URL is postgres://..., as the client reads it; "": a server is started.
	URL string
	// Parent is where a started server's directory is made; "": where temporary ones are. The user postgres must be able to enter it when we are root.
	Parent string
	// Connections is how many the pool has; 0: 32. Orders beyond them wait for one.
	Connections int
	Style       Style
}

// Target is PostgreSQL as a target.
type Target struct {
	pool   *pgxpool.Pool
	server *program.Server // nil: it is somebody else's
	about  sale.About
	url    string
	schema string // "": not made yet
	style  Style
	shelf  rival.Shelf
}

var _ sale.Target = (*Target)(nil)

// Open connects to the server, or starts one, and makes the tables. A program that is missing is a *program.MissingError.
func Open(ctx context.Context, cfg Config) (*Target, error) {
	if cfg.Connections == 0 {
		cfg.Connections = defaultConnections
	}
	t := &Target{style: cfg.Style}
	t.url = cfg.URL
	if t.url == "" {
		var err error
		if t.server, t.url, err = startServer(ctx, cfg.Parent, cfg.Connections); err != nil {
			return nil, err
		}
	}
	if err := t.connect(ctx, t.url, cfg.Connections); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

func (t *Target) connect(ctx context.Context, url string, connections int) error {
	pc, err := pgxpool.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("the address of PostgreSQL: %w", err)
	}
	schema := "holdfast_bench_" + strings.ToLower(rand.Text())
	pc.MaxConns, pc.MinConns = int32(connections), int32(connections)
	pc.ConnConfig.RuntimeParams["search_path"] = schema
	if t.pool, err = pgxpool.NewWithConfig(ctx, pc); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if t.about, err = describe(ctx, t.pool); err != nil {
		return err
	}
	if t.style == OneStatement {
		t.about.Name = "postgres, one statement"
	}
	if _, err := t.pool.Exec(ctx, "create schema "+schema); err != nil {
		return fmt.Errorf("make a schema: %w", err)
	}
	t.schema = schema
	if _, err := t.pool.Exec(ctx, tables); err != nil {
		return fmt.Errorf("make the tables: %w", err)
	}
	return nil
}

// URL is the server's address, with what is needed to use it.
func (t *Target) URL() string { return t.url }

// About implements sale.Target.
func (t *Target) About() sale.About { return t.about }

// Create implements sale.Target. A limit above one order a user is rival.ErrUnsupported: the indexes do not hold it.
func (t *Target) Create(ctx context.Context, skus []sale.SKU) error {
	batch := new(pgx.Batch)
	for _, s := range skus {
		if s.LimitPerUser > 1 {
			return fmt.Errorf("%w: %s with a limit of %d", rival.ErrUnsupported, s.Name, s.LimitPerUser)
		}
		batch.Queue(createSKU, s.Name, s.Stock, s.LimitPerUser == 1)
	}
	if err := t.shelf.Put(skus); err != nil {
		return err
	}
	if err := t.pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("create SKUs: %w", err)
	}
	return nil
}

// Counters implements sale.Target.
func (t *Target) Counters(ctx context.Context, sku string) (sale.Counters, error) {
	var stock, available int64
	err := t.pool.QueryRow(ctx, counters, sku).Scan(&stock, &available)
	if errors.Is(err, pgx.ErrNoRows) {
		return sale.Counters{}, fmt.Errorf("%w: %s", rival.ErrNoSKU, sku)
	}
	if err != nil {
		return sale.Counters{}, fmt.Errorf("counters of %s: %w", sku, err)
	}
	return t.shelf.Counters(sku, stock, available), nil
}

// Orders implements sale.Target.
func (t *Target) Orders(ctx context.Context, skus []string, visit func(sale.Stored)) error {
	for _, sku := range skus {
		rows, err := t.pool.Query(ctx, orders, sku)
		if err != nil {
			return fmt.Errorf("orders of %s: %w", sku, err)
		}
		o := sale.Stored{SKU: sku, State: t.shelf.State(sku)}
		_, err = pgx.ForEachRow(rows, []any{&o.Key, &o.User, &o.Qty}, func() error {
			o.ID = o.Key
			visit(o)
			return nil
		})
		if err != nil {
			return fmt.Errorf("orders of %s: %w", sku, err)
		}
	}
	return nil
}

// Close ends the server that Open started, or removes the schema from somebody else's.
func (t *Target) Close() error {
	var err error
	if t.pool != nil {
		if t.server == nil && t.schema != "" {
			ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
			defer cancel()
			if _, err = t.pool.Exec(ctx, "drop schema "+t.schema+" cascade"); err != nil {
				err = fmt.Errorf("remove the schema: %w", err)
			}
		}
		t.pool.Close()
	}
	if t.server == nil {
		return err
	}
	return errors.Join(err, t.server.Close())
}
