package rival

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"holdfast/bench/sale"
)

var (
	// ErrExists is returned by Create for a SKU that is there already.
	ErrExists = errors.New("rival: the SKU exists")
	// ErrNoSKU is returned by Counters for a SKU that nobody created.
	ErrNoSKU = errors.New("rival: no such SKU")
	// ErrUnsupported is returned by Create for a SKU that this rival cannot sell.
	ErrUnsupported = errors.New("rival: not supported")
)

// Shelf is what a target was told to sell. Its zero value is empty. All methods may be called concurrently.
type Shelf struct {
	mu   sync.RWMutex // guards skus
	skus map[string]sale.SKU
}

// Put adds SKUs, all or, with ErrExists or ErrUnsupported, none.
func (s *Shelf) Put(skus []sale.SKU) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sku := range skus {
		if _, known := s.skus[sku.Name]; known {
			return fmt.Errorf("%w: %s", ErrExists, sku.Name)
		}
		if sku.Mode != "" && sku.Mode != "hold" && sku.Mode != "on_order" {
			return fmt.Errorf("%w: %s in mode %s", ErrUnsupported, sku.Name, sku.Mode)
		}
	}
	if s.skus == nil {
		s.skus = make(map[string]sale.SKU)
	}
	for _, sku := range skus {
		s.skus[sku.Name] = sku
	}
	return nil
}

// Names returns the SKUs, in order.
func (s *Shelf) Names() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	names := make([]string, 0, len(s.skus))
	for name := range s.skus {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// State is that of an accepted order of a SKU.
func (s *Shelf) State(sku string) string {
	if s.sells(sku) {
		return "confirmed"
	}
	return "held"
}

// Counters are a SKU's, of whose stock so much is available.
func (s *Shelf) Counters(sku string, stock, available int64) sale.Counters {
	c := sale.Counters{Stock: stock, Available: available}
	if s.sells(sku) {
		c.Sold = stock - available
	} else {
		c.Held = stock - available
	}
	return c
}

// sells reports whether an accepted order of the SKU is sold, rather than held.
func (s *Shelf) sells(sku string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.skus[sku].Mode == "on_order"
}
