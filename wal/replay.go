package wal

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
)

// replay builds the state of all groups from the frames of all segments, oldest first.
type replay struct {
	groups  map[uint32]*groupState
	started bool                // the oldest segment's checkpoint has been taken
	seen    map[uint32]struct{} // groups of the checkpoint that is being read
}

func newReplay() *replay {
	return &replay{groups: make(map[uint32]*groupState), seen: make(map[uint32]struct{})}
}

// visitor returns what takes the frames of one segment.
func (r *replay) visitor(seg *segment) visitor {
	return func(role uint8, f frame) error {
		switch {
		case role == roleCheckpoint && f.kind == kindCheckpoint:
			return r.checkpoint(f)
		case role == roleCheckpoint && f.kind == kindEnd:
			return r.checkpointEnd()
		case role == roleAppend && f.kind == kindEnd, role == roleSeal && f.kind == kindEnd:
			return nil
		case role == roleAppend:
			return r.group(f.group).apply(f, extent{seg: seg, offset: uint32(f.offset), bytes: uint32(f.bytes)})
		}
		return fmt.Errorf("a frame of kind %d has no place in a batch of role %d", f.kind, role)
	}
}

func (r *replay) group(id uint32) *groupState {
	s := r.groups[id]
	if s == nil {
		s = newGroupState()
		r.groups[id] = s
	}
	return s
}

// checkpoint takes the state from the oldest segment's checkpoint. Every later checkpoint must say what the frames
// before it have come to: nothing is lost between two segments unnoticed.
func (r *replay) checkpoint(f frame) error {
	s, err := decodeCheckpoint(f.payload)
	if err != nil {
		return err
	}
	if _, twice := r.seen[f.group]; twice {
		return fmt.Errorf("group %d stands twice in one checkpoint", f.group)
	}
	r.seen[f.group] = struct{}{}
	if !r.started {
		r.groups[f.group] = s
		return nil
	}
	was := r.group(f.group)
	if was.index.first != s.index.first || was.index.last != s.index.last {
		return fmt.Errorf("the checkpoint gives group %d the entries %d to %d, the batches before it %d to %d",
			f.group, s.index.first, s.index.last, was.index.first, was.index.last)
	}
	if !maps.EqualFunc(was.keys, s.keys, bytes.Equal) {
		return fmt.Errorf("the checkpoint gives group %d other keys or values than the batches before it", f.group)
	}
	return nil
}

func (r *replay) checkpointEnd() error {
	for id, s := range r.groups {
		if _, ok := r.seen[id]; !ok && !s.bare() {
			return fmt.Errorf("the checkpoint leaves out group %d", id)
		}
	}
	r.started = true
	clear(r.seen)
	return nil
}

// errIncomplete is what finish wraps.
var errIncomplete = errors.New("a live entry is in no segment")

// finish checks that every live entry has been seen, and returns what was not.
func (r *replay) finish() ([]Loss, error) {
	if missing := r.missingEntries(); len(missing) > 0 {
		return missing, fmt.Errorf("entry %d of group %d: %w", missing[0].First, missing[0].Group, errIncomplete)
	}
	return nil, nil
}
