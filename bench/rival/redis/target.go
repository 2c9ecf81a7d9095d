package redis

import (
	"context"
	"crypto/rand"
	_ "embed" // for the scripts
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"holdfast/bench/rival"
	"holdfast/bench/rival/program"
	"holdfast/bench/sale"
)

//go:embed place.lua
var placeScript string

//go:embed resolve.lua
var resolveScript string

// Config says which Redis sells.
type Config struct {
	// URL is redis://host:port, as the client reads it; "": a server is started.
	URL string
	// Parent is where a started server's directory is made; "": where temporary ones are.
	Parent string
	// Connections is how many the client keeps; 0: 64.
	Connections int
}

// Target is Redis as a target.
type Target struct {
	client *redis.Client
	server *program.Server // nil: it is somebody else's
	about  sale.About
	prefix string

	place, resolve string // the scripts' names

	shelf rival.Shelf
}

var _ sale.Target = (*Target)(nil)

// Open connects to the server, or starts one. A program that is missing is a *program.MissingError.
func Open(ctx context.Context, cfg Config) (*Target, error) {
	o := new(redis.Options)
	t := &Target{prefix: "holdfast-bench:" + rand.Text() + ":"}
	if cfg.URL == "" {
		server, err := startServer(ctx, cfg.Parent)
		if err != nil {
			return nil, err
		}
		t.server, o.Addr = server, address(server.Port())
	} else {
		var err error
		if o, err = redis.ParseURL(cfg.URL); err != nil {
			return nil, fmt.Errorf("the address of Redis: %w", err)
		}
	}
	if cfg.Connections == 0 {
		cfg.Connections = defaultConnections
	}
	t.client = redis.NewClient(options(o, cfg.Connections))
	if err := t.greet(ctx); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

func (t *Target) greet(ctx context.Context) (err error) {
	if t.about, err = describe(ctx, t.client); err != nil {
		return err
	}
	if t.place, err = t.client.ScriptLoad(ctx, placeScript).Result(); err != nil {
		return fmt.Errorf("load the script: %w", err)
	}
	if t.resolve, err = t.client.ScriptLoad(ctx, resolveScript).Result(); err != nil {
		return fmt.Errorf("load the script: %w", err)
	}
	return nil
}

// URL is the server's address.
func (t *Target) URL() string { return "redis://" + t.client.Options().Addr }

// About implements sale.Target.
func (t *Target) About() sale.About { return t.about }

// The keys of a SKU; the braces keep them together where Redis is a cluster.
func (t *Target) skuKey(sku string) string    { return t.prefix + "{" + sku + "}:sku" }
func (t *Target) usersKey(sku string) string  { return t.prefix + "{" + sku + "}:users" }
func (t *Target) ordersKey(sku string) string { return t.prefix + "{" + sku + "}:orders" }

// Create implements sale.Target.
func (t *Target) Create(ctx context.Context, skus []sale.SKU) error {
	if err := t.shelf.Put(skus); err != nil {
		return err
	}
	pipe := t.client.Pipeline()
	for _, s := range skus {
		pipe.HSet(ctx, t.skuKey(s.Name), "stock", s.Stock, "available", s.Stock, "limit", s.LimitPerUser)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("create SKUs: %w", err)
	}
	return nil
}

// Counters implements sale.Target.
func (t *Target) Counters(ctx context.Context, sku string) (sale.Counters, error) {
	var row struct {
		Stock     *int64 `redis:"stock"`
		Available *int64 `redis:"available"`
	}
	if err := t.client.HMGet(ctx, t.skuKey(sku), "stock", "available").Scan(&row); err != nil {
		return sale.Counters{}, fmt.Errorf("counters of %s: %w", sku, err)
	}
	if row.Stock == nil || row.Available == nil {
		return sale.Counters{}, fmt.Errorf("%w: %s", rival.ErrNoSKU, sku)
	}
	return t.shelf.Counters(sku, *row.Stock, *row.Available), nil
}

// Orders implements sale.Target. A scan may meet an order twice while the table grows: each is visited once.
func (t *Target) Orders(ctx context.Context, skus []string, visit func(sale.Stored)) error {
	for _, sku := range skus {
		state, seen := t.shelf.State(sku), make(map[string]struct{})
		it := t.client.HScan(ctx, t.ordersKey(sku), 0, "", 1000).Iterator()
		for it.Next(ctx) {
			key := it.Val()
			if !it.Next(ctx) {
				break
			}
			if _, again := seen[key]; again {
				continue
			}
			seen[key] = struct{}{}
			qty, user, isOrder := strings.Cut(it.Val(), " ")
			if !isOrder {
				continue // a fence
			}
			units, err := strconv.ParseInt(qty, 10, 64)
			if err != nil {
				return fmt.Errorf("order %s of %s: %w", key, sku, err)
			}
			visit(sale.Stored{ID: key, Key: key, SKU: sku, User: user, Qty: units, State: state})
		}
		if err := it.Err(); err != nil {
			return fmt.Errorf("orders of %s: %w", sku, err)
		}
	}
	return nil
}

// Close ends the server that Open started, or removes from somebody else's what was created there.
func (t *Target) Close() error {
	if t.server != nil {
		return errors.Join(t.client.Close(), t.server.Close())
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	var removed error
	for _, sku := range t.shelf.Names() {
		if err := t.client.Unlink(ctx, t.skuKey(sku), t.usersKey(sku), t.ordersKey(sku)).Err(); err != nil {
			removed = fmt.Errorf("remove %s: %w", sku, err)
			break
		}
	}
	return errors.Join(removed, t.client.Close())
}
