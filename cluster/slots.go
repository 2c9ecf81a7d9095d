package cluster

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// slot is the place of one shard's replica on this node. Shards change independently of each other.
type slot struct {
	changing sync.Mutex            // one opens, removes or closes the replica
	shard    atomic.Pointer[Shard] // nil when there is none
}

// openReplicas opens those of Config.Replicas, as many at a time as there are processors: most of the work is decoding snapshots.
func (c *Cluster) openReplicas() error {
	var wg sync.WaitGroup
	places := make(chan struct{}, runtime.GOMAXPROCS(0))
	errs := make([]error, len(c.slots))
	for id, number := range c.cfg.Replicas {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			_, err := c.openAs(id, number, c.cfg.Bootstrap && number == firstReplica)
			if errors.Is(err, ErrReplicaGone) {
				c.cfg.Logger.Warn("a replica was being removed when the process ended: what was left of it is gone now",
					"shard", id, "replica", number)
				err = nil
			}
			errs[id] = err
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// OpenReplica opens this node's replica of a shard under a number that the meta group gave; shard 0 is the meta group itself. A replica that was
// never open here is empty and waits to be added to its group: it never begins one. When the replica of that number is open already, it is returned.
//
// It returns ErrReplicaOther when another number is open or on disk, ErrReplicaGone for a number that was removed here, ErrStateLost when the replica
// once held entries that are not there any more, ErrClosed, or why snapshot or log cannot be opened.
func (c *Cluster) OpenReplica(id uint32, number uint64) (*Shard, error) {
	return c.openAs(id, number, false)
}

func (c *Cluster) openAs(id uint32, number uint64, bootstraps bool) (*Shard, error) {
	if uint64(id) >= uint64(len(c.slots)) || number == 0 {
		return nil, fmt.Errorf("%w: replica %d of shard %d", ErrNoShard, number, id)
	}
	place := &c.slots[id]
	place.changing.Lock()
	defer place.changing.Unlock()
	if c.closing.Load() {
		return nil, ErrClosed
	}
	if s := place.shard.Load(); s != nil {
		if s.number != number || s.isClosed() {
			return nil, fmt.Errorf("%w: shard %d runs replica %d, asked for %d", ErrReplicaOther, id, s.number, number)
		}
		return s, nil
	}
	if err := c.claim(id, number); err != nil {
		return nil, fmt.Errorf("cluster: shard %d: %w", id, err)
	}
	s := newShard(c, id, number)
	m, _, err := readMark(c.cfg.FS, shardDir(c.cfg.Dir, id))
	if err != nil {
		return nil, fmt.Errorf("cluster: shard %d: %w", id, err)
	}
	s.held.Store(m.state == markHeld)
	s.bootstraps = bootstraps
	if err := s.open(); err != nil {
		c.metrics.forget(id)
		return nil, err
	}
	place.shard.Store(s)
	return s, nil
}

// RemoveReplica closes this node's replica of a shard and removes its log, term, vote and snapshots, durably. The group is not asked: take the
// replica out of it first. Nothing is left when it returns nil; after a crash, or an error, the rest goes with the next RemoveReplica, OpenReplica or
// Open. It is no error when there is no replica. ErrStuck says that the replica did not stop: nothing more is opened in its place in this process.
func (c *Cluster) RemoveReplica(id uint32) error {
	if uint64(id) >= uint64(len(c.slots)) {
		return fmt.Errorf("%w: %d", ErrNoShard, id)
	}
	place := &c.slots[id]
	place.changing.Lock()
	defer place.changing.Unlock()
	if c.closing.Load() {
		return ErrClosed
	}
	stopped := error(nil)
	if s := place.shard.Load(); s != nil {
		if stopped = s.retire(); stopped == nil {
			place.shard.Store(nil)
		}
	}
	fsys, dir := c.cfg.FS, shardDir(c.cfg.Dir, id)
	m, found, err := readMark(fsys, dir)
	if err == nil && found && m.state != markGone {
		err = writeMark(fsys, dir, mark{markGone, m.number})
	}
	if err == nil && found && stopped == nil {
		err = c.wipe(id)
	}
	c.metrics.forget(id)
	if err = errors.Join(stopped, err); err != nil {
		return fmt.Errorf("cluster: remove the replica of shard %d: %w", id, err)
	}
	return nil
}

// retire closes the shard for good. ErrStuck, also from an earlier attempt: its goroutines may still write.
func (s *Shard) retire() error {
	err := s.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.downed = err
	}
	if errors.Is(s.downed, ErrStuck) {
		return s.downed
	}
	return nil
}

func (s *Shard) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}
