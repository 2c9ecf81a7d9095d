package backup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"holdfast/cluster/control"
	"holdfast/cluster/meta"
	"holdfast/stock"
)

// Contents is what a whole and sound archive holds.
type Contents struct {
	Manifest
	// Files are all but the checksums, in the order of the archive.
	Files []File
	// Bytes is the sum of their lengths.
	Bytes int64
	// Settings are the cluster's.
	Settings meta.Settings
	// Partitions is the shard of every partition.
	Partitions []uint32
	Shards     []Shard
}

// Shard is what the state of a shard holds.
type Shard struct {
	ID uint32
	// Index and Term are those of the last log entry in the state.
	Index, Term uint64
	// Epoch and Level are the shard's, Clock its log time.
	Epoch, Level uint16
	Clock        stock.Time
	// SKUs is their number; Orders that of the orders and fences in memory.
	SKUs, Orders uint64
	// Available, Held and Sold are sums over the SKUs; one that does not fit is the highest that does.
	Available, Held, Sold int64
	// Broken are the SKUs that an invariant's breach had frozen.
	Broken uint64

	partitions []stock.Partition
}

// Verify reads an archive to its end, decodes every state and holds it against its invariants: stock is available, held and sold of each SKU, and the
// orders add up to that. At most one shard's state is in memory at a time. It returns ErrDamaged, ErrFormat or ErrUnsound, or why from cannot be
// read.
func Verify(from io.Reader) (*Contents, error) {
	r, err := newReader(bufio.NewReaderSize(from, 1<<16))
	if err != nil {
		return nil, err
	}
	c := &Contents{Manifest: r.manifest}
	if err := r.state(0, c.readMeta); err != nil {
		return nil, err
	}
	for id := uint32(1); id <= uint32(c.Manifest.Shards); id++ {
		if err := r.state(id, func(from io.Reader) error { return c.readShard(id, from) }); err != nil {
			return nil, err
		}
	}
	if c.Files, err = r.close(); err != nil {
		return nil, err
	}
	for _, f := range c.Files {
		c.Bytes += f.Bytes
	}
	return c, c.positions()
}

// Check reads an archive to its end and holds every byte against its checksums. What the states say is not looked at: that is Verify's. It returns
// ErrDamaged, ErrFormat, or why from cannot be read.
func Check(from io.Reader) (Manifest, []File, error) {
	r, err := newReader(bufio.NewReaderSize(from, 1<<16))
	if err != nil {
		return Manifest{}, nil, err
	}
	for group := uint32(0); group <= uint32(r.manifest.Shards); group++ {
		if err := r.state(group, func(io.Reader) error { return nil }); err != nil {
			return Manifest{}, nil, err
		}
	}
	files, err := r.close()
	if err != nil {
		return Manifest{}, nil, err
	}
	return r.manifest, files, nil
}

func (c *Contents) readMeta(from io.Reader) error {
	state, _, _, err := control.ReadState(from)
	if err != nil {
		return undecodable(err)
	}
	table := state.Cluster()
	switch {
	case fmt.Sprintf("%x", table.ID) != c.ClusterID:
		return fmt.Errorf("%w: it is of cluster %x, the manifest of %s", ErrUnsound, table.ID, c.ClusterID)
	case len(table.Shards) != c.Manifest.Shards+1 || len(table.Partitions) != stock.Partitions:
		return fmt.Errorf("%w: %d groups and %d partitions", ErrUnsound, len(table.Shards), len(table.Partitions))
	case table.Epoch != c.Epoch:
		return fmt.Errorf("%w: it is of epoch %d, the manifest of %d", ErrUnsound, table.Epoch, c.Epoch)
	}
	c.Settings, c.Partitions = table.Settings, table.Partitions
	return nil
}

func (c *Contents) readShard(id uint32, from io.Reader) error {
	book, err := stock.ReadSnapshot(from)
	if err != nil {
		return undecodable(err)
	}
	s := Shard{ID: id, Index: book.Index(), Epoch: book.Epoch(), Level: book.Level(), Clock: book.Now(), partitions: book.Partitions()}
	var unsound error
	book.Each(func(l *stock.Ledger) {
		v := l.View()
		s.SKUs, s.Orders = s.SKUs+1, s.Orders+l.Live()
		s.Available, s.Held, s.Sold = plus(s.Available, v.Available), plus(s.Held, v.Held), plus(s.Sold, v.Sold)
		switch {
		case v.Broken:
			s.Broken++
		case min(v.Available, v.Held, v.Sold) < 0 || v.Spec.Stock-v.Available-v.Held != v.Sold:
			unsound = fmt.Errorf("%w: SKU %q: stock %d is not available %d, held %d and sold %d", ErrUnsound, v.Spec.SKU, v.Spec.Stock,
				v.Available, v.Held, v.Sold)
		}
	})
	c.Shards = append(c.Shards, s)
	if unsound == nil && !slices.Equal(s.partitions, c.owned(id)) {
		unsound = fmt.Errorf("%w: its partitions are not those that the meta group gives it", ErrUnsound)
	}
	return unsound
}

// owned returns the partitions of a shard, ascending.
func (c *Contents) owned(id uint32) (owned []stock.Partition) {
	for p, shard := range c.Partitions {
		if shard == id {
			owned = append(owned, stock.Partition(p))
		}
	}
	return owned
}

// positions takes where the states stand from the checksums.
func (c *Contents) positions() error {
	for i := range c.Shards {
		s, f := &c.Shards[i], &c.Files[i+2]
		if f.Term == 0 || f.Index < s.Index {
			return fmt.Errorf("%w: %s is said to be at index %d of term %d and holds entry %d", ErrUnsound, f.Name, f.Index, f.Term, s.Index)
		}
		s.Index, s.Term = f.Index, f.Term
	}
	return nil
}

// undecodable judges the error of a decoder: what it does not know is of a newer program.
func undecodable(err error) error {
	switch {
	case errors.Is(err, ErrDamaged):
		return err
	case errors.Is(err, stock.ErrUnknownCommand), errors.Is(err, meta.ErrUnknownCommand), errors.Is(err, meta.ErrUnknownLevel):
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// plus adds a counter to a sum, as far as that goes. The counters of a broken SKU may be anything.
func plus(a, b int64) int64 {
	b = max(b, 0)
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
