package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
)

// heldFile is where a directory says which replicas it holds.
const heldFile = "replicas.json"

// held is DATA/replicas.json: the number of this directory's replica of each shard, 0 for the meta group. A node opens these before it knows anything
// of its cluster. It is written before a replica is opened, and after one was removed.
type held struct {
	dir string

	mu      sync.Mutex // guards what follows
	numbers map[uint32]uint64
}

type heldContent struct {
	Format   int               `json:"format"`
	Replicas map[uint32]uint64 `json:"replicas"`
}

// readHeld reads the file. Without one a founder holds the first replica of every group, and any other node nothing yet.
func readHeld(dir string, id *identity) (*held, error) {
	h := &held{dir: dir, numbers: make(map[uint32]uint64)}
	path := filepath.Join(dir, heldFile)
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if id.Founder {
			for shard := range uint32(id.Shards) + 1 {
				h.numbers[shard] = 1
			}
		}
		return h, nil
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrDataDir, err)
	}
	var c heldContent
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, fmt.Errorf("%w: %s is damaged: restore it from a backup: %w", ErrDataDir, path, err)
	}
	if c.Format > 1 {
		return nil, fmt.Errorf("%w: %s has format %d: start with a newer build", ErrDataDir, path, c.Format)
	}
	for shard, number := range c.Replicas {
		if uint64(shard) > uint64(id.Shards) || number == 0 {
			return nil, fmt.Errorf("%w: %s is damaged: replica %d of shard %d: restore it from a backup", ErrDataDir, path, number, shard)
		}
		h.numbers[shard] = number
	}
	return h, nil
}

// all returns a copy.
func (h *held) all() map[uint32]uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.numbers)
}

// put notes that a replica is held, durably.
func (h *held) put(shard uint32, number uint64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.numbers[shard] == number {
		return nil
	}
	next := maps.Clone(h.numbers)
	next[shard] = number
	return h.writeLocked(next)
}

// drop notes that a shard's replica is gone, durably.
func (h *held) drop(shard uint32) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.numbers[shard]; !ok {
		return nil
	}
	next := maps.Clone(h.numbers)
	delete(next, shard)
	return h.writeLocked(next)
}

func (h *held) writeLocked(next map[uint32]uint64) error {
	b, err := json.MarshalIndent(heldContent{Format: 1, Replicas: next}, "", "  ")
	if err != nil {
		return fmt.Errorf("node: encode %s: %w", heldFile, err)
	}
	if err := writeDurably(filepath.Join(h.dir, heldFile), append(b, '\n')); err != nil {
		return fmt.Errorf("%w: %w", ErrDataDir, err)
	}
	h.numbers = next
	return nil
}
