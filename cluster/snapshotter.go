package cluster

import (
	"fmt"
	"sort"
	"time"
)

// snapshotRequest asks for a snapshot now.
type snapshotRequest struct {
	answer chan<- snapshotAnswer // has room for one
}

type snapshotAnswer struct {
	index uint64
	bytes int64
	err   error
}

// snapshots takes snapshots when they are due or asked for, until the replica stops.
func (r *replica) snapshots() {
	ticker := time.NewTicker(r.cfg.SnapshotPoll)
	defer ticker.Stop()
	last := r.openedAt // when the newest was taken
	next := last       // no automatic one before
	for {
		select {
		case <-ticker.C:
			now := time.Now()
			if due := r.due(now.Sub(last)); !due || now.Before(next) {
				continue
			}
			if answer := r.take(); answer.err != nil {
				next = now.Add(r.cfg.SnapshotRetry)
				r.cfg.Logger.Warn("snapshot failed", "shard", r.shard.id, "error", answer.err)
			} else {
				last = now
			}
		case ask := <-r.asked:
			now, answer := time.Now(), r.take()
			if answer.err == nil {
				last = now
			}
			ask.answer <- answer
		case <-r.stop:
			return
		}
	}
}

// hasWork reports whether a command was applied that the newest snapshot does not hold.
func (r *replica) hasWork() bool { return r.fsm.work.Load() > r.store.index() }

// due reports whether the log since the newest snapshot is large or old enough. An idle shard takes none.
func (r *replica) due(age time.Duration) bool {
	behind := r.log.BytesSince(r.store.index())
	r.shard.metrics.snapBehind.Set(float64(behind))
	return r.hasWork() && (age >= r.cfg.SnapshotAge || behind >= r.cfg.SnapshotBytes)
}

// take takes a snapshot, or returns the newest when it holds everything.
func (r *replica) take() snapshotAnswer {
	if newest := r.store.latest(); newest != nil && !r.hasWork() {
		return snapshotAnswer{index: newest.Index, bytes: newest.stateBytes}
	}
	if !r.hasWork() {
		return snapshotAnswer{err: ErrNoSnapshot}
	}
	start, m := time.Now(), r.shard.metrics
	r.store.cover(r.log.BytesSince(r.store.index()))
	if err := r.raft.Snapshot().Error(); err != nil {
		m.snapshotsFailed.Inc()
		return snapshotAnswer{err: fmt.Errorf("cluster: snapshot of shard %d: %w", r.shard.id, err)}
	}
	newest := r.store.latest()
	m.snapshotsTaken.Inc()
	m.newest(newest)
	m.snapshotAt.SetToCurrentTime()
	m.snapBehind.Set(0)
	r.shard.cluster.metrics.snapshotSeconds.Observe(since(start))
	return snapshotAnswer{index: newest.Index, bytes: newest.stateBytes}
}

// keepTrailing tells raft, which is about to cut the log, how many entries to leave: as many bytes as the snapshot before the one just written
// covered, so that a follower that was away for less than that needs no snapshot. Raft counts entries, so this is asked anew each time.
func (r *replica) keepTrailing() {
	keep := r.store.trailing()
	first, err := r.log.FirstIndex()
	last, lastErr := r.log.LastIndex()
	if err != nil || lastErr != nil || last == 0 {
		return // The log is broken or empty; raft will find out by itself.
	}
	// cut is the last index that may go: the entries after it are enough.
	cut := first - 1
	if fits := sort.Search(int(last-first+1), func(i int) bool { return r.log.BytesSince(first+uint64(i)) < keep }); fits > 0 {
		cut = first + uint64(fits) - 1
	}
	conf := r.raft.ReloadableConfig()
	conf.TrailingLogs = last - cut
	if keep > 0 {
		conf.TrailingLogs += maxAppendEntries // What arrives before raft looks pushes the window on.
	}
	if err := r.raft.ReloadConfig(conf); err != nil {
		r.cfg.Logger.Warn("the log is not cut", "shard", r.shard.id, "error", err)
	}
}

// cover says how much log the next snapshot covers.
func (s *snapshotStore) cover(bytes int64) {
	s.mu.Lock()
	s.covered = max(bytes, 0)
	s.mu.Unlock()
}

// trailing returns how many bytes of log to keep behind the newest snapshot: what the one before it covered, or this one when it is the first.
func (s *snapshotStore) trailing() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.before != nil {
		return s.before.CoveredBytes
	}
	return s.covered
}
