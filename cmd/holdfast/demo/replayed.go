package demo

import (
	"fmt"
	"path/filepath"
	"sort"

	"holdfast/cluster"
	"holdfast/stock"
	"holdfast/wal"
)

// Replayed is the second count: what the log says, read from the files alone and applied to an empty state.
type Replayed struct {
	Orders []stock.Order
	SKU    stock.SKU
	// Shard is the SKU's.
	Shard uint32
	// Entries is how many proposals were applied, Commands how many commands were in them.
	Entries, Commands int
	// Peak is the most units that were held and sold at once, after any command.
	Peak int64
	// States are the hashes of each shard's state after each entry, in the order of the log.
	States map[uint32][]State
	// Unsound are the places after which stock = available + held + sold did not hold.
	Unsound []string
}

// State is the hash of a shard's state after an entry.
type State struct{ Index, Hash uint64 }

// HashAt returns the hash of a shard's state once everything up to an index was applied. It is not known from before the snapshot that the log begins at.
func (r *Replayed) HashAt(shard uint32, index uint64) (hash uint64, known bool) {
	states := r.States[shard]
	after := sort.Search(len(states), func(i int) bool { return states[i].Index > index })
	if after == 0 {
		return 0, false
	}
	return states[after-1].Hash, true
}

// Replay reads the log, and the newest snapshots if there are any, in a data directory that no node has open, and returns what they say about a SKU.
func Replay(dir, sku string) (Replayed, error) {
	r := replay{dir: dir, sku: sku, books: make(map[uint32]*shardBook)}
	r.States = make(map[uint32][]State)
	if err := wal.ReadCommands(nil, filepath.Join(dir, "wal"), r.entry); err != nil {
		return Replayed{}, fmt.Errorf("replay the log: %w", err)
	}
	if err := r.silent(); err != nil {
		return Replayed{}, err
	}
	for id, s := range r.books {
		ledger := s.book.Owner(&stock.GetSKU{SKU: sku}).Ledger
		if ledger == nil {
			continue
		}
		r.Shard, r.SKU, r.Orders = id, *ledger.View(), ledger.Orders()
		return r.Replayed, nil
	}
	return Replayed{}, fmt.Errorf("the log does not know the SKU %q", sku)
}

type replay struct {
	Replayed
	dir, sku string
	books    map[uint32]*shardBook
}

// shardBook is a shard's state, and the log index up to which a snapshot had it.
type shardBook struct {
	book *stock.Book
	from uint64
}

// entry applies one proposal, as an actor does: one from another term than its entry's is dropped (rule R14).
func (r *replay) entry(group uint32, index, term uint64, data []byte) error {
	if group == 0 {
		return nil // the cluster's own
	}
	s, err := r.shard(group)
	if err != nil || index <= s.from {
		return err
	}
	p, err := stock.DecodeProposal(data)
	if err != nil || p.Term != term {
		return err
	}
	r.Entries++
	at := s.book.Begin(p.Header, index)
	for _, c := range p.Commands {
		s.book.Apply(at, c)
		r.Commands++
		if ledger := s.book.Owner(c).Ledger; ledger != nil && ledger.Name() == r.sku {
			r.look(ledger.View(), index)
		}
	}
	r.States[group] = append(r.States[group], State{index, s.book.Hash()})
	return nil
}

func (r *replay) look(s *stock.SKU, index uint64) {
	r.Peak = max(r.Peak, s.Held+s.Sold)
	if s.Available < 0 || s.Held < 0 || s.Sold < 0 || s.Available+s.Held+s.Sold != s.Stock || s.Broken {
		r.Unsound = append(r.Unsound, fmt.Sprintf("index %d: stock %d, available %d, held %d, sold %d", index, s.Stock, s.Available, s.Held, s.Sold))
	}
}

// shard returns a shard's state, from its newest snapshot or empty.
func (r *replay) shard(id uint32) (*shardBook, error) {
	if s := r.books[id]; s != nil {
		return s, nil
	}
	s := &shardBook{book: stock.NewBook()}
	r.books[id] = s
	state, from, err := cluster.ReadSnapshot(nil, filepath.Join(r.dir, "snapshots"), id)
	if err != nil || state == nil {
		return s, err
	}
	defer func() { _ = state.Close() }()
	s.from = from
	if s.book, err = stock.ReadSnapshot(state); err != nil {
		return nil, err
	}
	r.States[id] = append(r.States[id], State{from, s.book.Hash()})
	return s, nil
}

// silent opens the shards that have a snapshot and no log entry after it.
func (r *replay) silent() error {
	dirs, err := filepath.Glob(filepath.Join(r.dir, "snapshots", "shard-*"))
	if err != nil {
		return fmt.Errorf("list snapshots: %w", err)
	}
	for _, dir := range dirs {
		var id uint32
		if _, err := fmt.Sscanf(filepath.Base(dir), "shard-%d", &id); err != nil {
			return fmt.Errorf("list snapshots: %s: %w", dir, err)
		}
		if _, err := r.shard(id); err != nil {
			return err
		}
	}
	return nil
}
