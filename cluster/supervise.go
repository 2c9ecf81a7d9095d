package cluster

import (
	"errors"
	"fmt"
	"time"

	"holdfast/stock"
)

// fault is why a replica left its group. First and last are 0 when no entry is to blame.
type fault struct {
	first, last uint64
	err         error
}

// sameAs reports whether two faults are about the same entry. A machine that does not name the entry of a batch names the batch, and a replay
// cuts batches elsewhere: overlapping is enough.
func (f *fault) sameAs(other *fault) bool {
	return f.first != 0 && other.first != 0 && f.first <= other.last && other.first <= f.last
}

// Error names the entry.
func (f *fault) Error() string {
	switch {
	case f.first == 0:
		return f.err.Error()
	case f.first == f.last:
		return fmt.Sprintf("entry %d: %v", f.first, f.err)
	}
	return fmt.Sprintf("entries %d to %d: %v", f.first, f.last, f.err)
}

// Unwrap returns the cause.
func (f *fault) Unwrap() error { return f.err }

// Fail takes this replica out of its group at once, so that another leads, and rebuilds it from snapshot and log with a new machine (rule R17).
// Index is the entry to blame, 0 for none; the same entry failing twice keeps the replica down. It returns at once and may be called from
// anywhere, also from the machine's own methods; while a fault is being handled further ones are ignored, and so is one about an entry that the
// present machine was not given yet: it comes late, from the machine before.
func (s *Shard) Fail(index uint64, err error) { s.fail(index, index, err) }

func (s *Shard) fail(first, last uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.fault != nil || s.downed != nil {
		return
	}
	r := s.replica.Load()
	if r != nil && first > r.fsm.given.Load() {
		s.cluster.cfg.Logger.Warn("a fault of an earlier machine comes late", "shard", s.id, "entry", first, "error", err)
		return
	}
	s.fault = &fault{first: first, last: last, err: err}
	if r != nil {
		r.halt()
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Fault returns why no replica serves here: ErrDown wrapping the cause, with ErrEntryFailed when it stays down for an entry; nil when one serves.
func (s *Shard) Fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.downed != nil:
		return s.downed
	case s.fault != nil:
		return fmt.Errorf("%w: shard %d: %w", ErrDown, s.id, s.fault)
	case s.closed:
		return ErrClosed
	}
	return nil
}

// open opens the shard's first replica and starts its supervisor.
func (s *Shard) open() error {
	r, err := s.openReplica()
	if err != nil {
		return fmt.Errorf("cluster: shard %d: %w", s.id, err)
	}
	s.install(r)
	s.wg.Go(s.supervise)
	return nil
}

// install lets a replica serve.
func (s *Shard) install(r *replica) {
	s.mu.Lock()
	s.replica.Store(r)
	if s.fault != nil {
		r.halt() // The machine failed while it was opened.
	}
	s.mu.Unlock()
	r.serve()
}

// supervise rebuilds the replica after each fault until the shard closes or stays down.
func (s *Shard) supervise() {
	for {
		select {
		case <-s.wake:
			if !s.rebuild() {
				<-s.closing
				return
			}
		case <-s.closing:
			return
		}
	}
}

// rebuild handles the recorded fault; false when the shard stays down or closes.
func (s *Shard) rebuild() bool {
	s.mu.Lock()
	f := s.fault
	delay, again := s.judgeLocked(f)
	s.mu.Unlock()
	s.metrics.faults.Inc()
	s.metrics.down.Set(1)
	s.report("replica left its group", fmt.Errorf("cluster: shard %d: %w", s.id, f))
	// Propose, Leads and the rest find no replica from here on.
	if err := s.replica.Swap(nil).close(); err != nil {
		return s.stayDown(errors.Join(err, f))
	}
	switch {
	case again:
		return s.stayDown(fmt.Errorf("%w: %w", ErrEntryFailed, f))
	case errors.Is(f, stock.ErrDiverged):
		return s.stayDown(f) // snapshot and log here may hold the wrong state (rule R24)
	}
	select {
	case <-time.After(delay):
	case <-s.closing:
		return false
	}
	s.mu.Lock()
	s.fault = nil
	s.mu.Unlock()
	r, err := s.openReplica()
	if err != nil {
		return s.stayDown(fmt.Errorf("rebuild: %w", err))
	}
	s.install(r)
	s.metrics.down.Set(0)
	return true
}

// maxDoublings bounds Config.RebuildDelay's growth.
const maxDoublings = 6

// judgeLocked says how long to wait before the rebuild, and whether the entry has failed before.
func (s *Shard) judgeLocked(f *fault) (delay time.Duration, again bool) {
	if f.first == 0 {
		delay = s.cluster.cfg.RebuildDelay << min(s.spells, maxDoublings)
		s.spells++
		return delay, false
	}
	again = f.sameAs(&s.last)
	s.last, s.spells = *f, 0
	return 0, again
}

func (s *Shard) stayDown(cause error) bool {
	err := fmt.Errorf("%w: shard %d: %w", ErrDown, s.id, cause)
	s.mu.Lock()
	s.downed = err
	s.mu.Unlock()
	s.report("replica stays down", err)
	return false
}

func (s *Shard) report(msg string, err error) {
	s.cluster.cfg.Logger.Error(msg, "shard", s.id, "error", err)
	if s.cluster.cfg.OnFault != nil {
		s.cluster.cfg.OnFault(s.id, err)
	}
}

// close stops the supervisor and the replica.
func (s *Shard) close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	close(s.closing)
	s.wg.Wait()
	if r := s.replica.Swap(nil); r != nil {
		return r.close()
	}
	return nil
}
