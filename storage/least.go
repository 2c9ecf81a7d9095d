package storage

import (
	"slices"
	"time"
)

// SinkIndex is what the leader of a shard knows of one sink that must have the rows: the shared one, or that of a replica, learners included.
type SinkIndex struct {
	// Index is the log index up to which the sink has everything (Status.Index), as last reported; Known is false while nothing was reported.
	Index uint64
	Known bool
	// Late: it has held back the flush mark for too long, and is not waited for any more (Laggards).
	Late bool
}

// LeastFlushed returns how far a flush mark may go (rule R27), given the newest mark and all the sinks that must have the rows: no further than each
// sink that is waited for, and no further than a majority of all sinks is, so that no minority of disks holds the only rows of what left memory. It
// is never below mark; equal to it means that nothing more may leave memory.
//
// A sink is not waited for when it is late, or when the mark is beyond its index already. In the second case rows that it did not have may have left
// memory: it sees the same mark in its own log, notes what it lacks, and does not count (Status.Counts) until a peer has seeded it. Since that is
// told by the log and the sink's own cursor, no leader has to remember whom an earlier one left behind. A sink that is being seeded has its place in
// the minimum again as soon as its index has reached the mark: what leaves memory from then on is in it, and only what had left before has to come
// from a peer. One that was late and catches up before a mark went by lacks nothing.
func LeastFlushed(mark uint64, sinks ...SinkIndex) uint64 {
	if len(sinks) == 0 {
		return mark
	}
	indexes := make([]uint64, 0, len(sinks))
	least := ^uint64(0)
	for _, s := range sinks {
		if !s.Known {
			s.Index = 0
		}
		indexes = append(indexes, s.Index)
		passed := s.Known && s.Index < mark
		if !s.Late && !passed {
			least = min(least, s.Index)
		}
	}
	slices.Sort(indexes)
	return max(mark, min(least, indexes[(len(indexes)-1)/2]))
}

// Laggards tells which sinks of one shard have held back its flush mark for too long: those that took longer than Patience to reach what the furthest
// sink had when they were first seen behind it, or have not reached it yet. The furthest is never late. The zero value with a Patience is ready
// for use; a new leader begins with a new one.
type Laggards struct {
	// Patience is how far a sink may be behind, in time.
	Patience time.Duration

	goals map[string]goal
}

// goal is what a sink has to reach, and since when.
type goal struct {
	index uint64
	since time.Time
}

// Mark sets Late in sinks, which are named by their replicas, as of now. Sinks that are not there any more are forgotten.
func (l *Laggards) Mark(now time.Time, sinks map[string]SinkIndex) {
	furthest := uint64(0)
	for _, s := range sinks {
		if s.Known {
			furthest = max(furthest, s.Index)
		}
	}
	goals := make(map[string]goal, len(sinks))
	for name, s := range sinks {
		g, seen := l.goals[name]
		if !seen || s.Known && (s.Index >= g.index || s.Index == furthest) {
			g = goal{index: furthest, since: now}
		}
		s.Late = now.Sub(g.since) > l.Patience
		goals[name], sinks[name] = g, s
	}
	l.goals = goals
}
