package demo

import (
	"context"
	"fmt"
	"path/filepath"

	"holdfast/storage"
)

// Stored is the third count: what SQLite holds.
type Stored struct {
	Orders []storage.OrderRow
	SKU    storage.SKURow
}

// databasePath returns where a node keeps its orders.
func databasePath(dir string) string { return filepath.Join(dir, "orders.db") }

// ReadStored reads everything that the database in a data directory holds about a SKU.
func ReadStored(ctx context.Context, dir, sku string) (Stored, error) {
	orders, err := storage.ReadOrders(ctx, databasePath(dir))
	if err != nil {
		return Stored{}, fmt.Errorf("read the orders in SQLite: %w", err)
	}
	skus, err := storage.ReadSKUs(ctx, databasePath(dir))
	if err != nil {
		return Stored{}, fmt.Errorf("read the SKUs in SQLite: %w", err)
	}
	var s Stored
	for _, o := range orders {
		if o.SKU == sku {
			s.Orders = append(s.Orders, o)
		}
	}
	for _, row := range skus {
		if row.SKU == sku {
			s.SKU = row
			return s, nil
		}
	}
	return Stored{}, fmt.Errorf("SQLite does not know the SKU %q", sku)
}
