package wal

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
)

// recover takes the directory, reads what is in it and makes it fit to be appended to. Only when everything has been
// read and found sound is anything changed.
func (l *Log) recover() (err error) {
	if err := l.cfg.FS.MkdirAll(l.cfg.Dir); err != nil {
		return fmt.Errorf("wal: create %s: %w", l.cfg.Dir, err)
	}
	if l.lock, err = l.cfg.FS.Lock(filepath.Join(l.cfg.Dir, lockName)); err != nil {
		return fmt.Errorf("wal: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.closeFiles())
		}
	}()
	d, err := load(l.cfg.FS, l.cfg.Dir, ReadWrite, l.tellProgress)
	if err != nil {
		return errors.Join(err, d.close())
	}
	l.cfg.Observer.ObserveRecovery(d.progress)
	l.segments = d.segments[:d.active+1]
	l.unused = d.segments[d.active+1:]
	if len(d.headers) > 0 && d.headers[0].cluster != l.cfg.ClusterID {
		return fmt.Errorf("%w: %s belongs to cluster %x, not %x", ErrOtherCluster, l.cfg.Dir, d.headers[0].cluster, l.cfg.ClusterID)
	}
	if err := l.clean(d); err != nil {
		return fmt.Errorf("wal: recover %s: %w", l.cfg.Dir, err)
	}
	if err := l.adopt(d); err != nil {
		return fmt.Errorf("wal: recover %s: %w", l.cfg.Dir, err)
	}
	return nil
}

// tellProgress says how far the reading of a long log is.
func (l *Log) tellProgress(p Progress) {
	l.cfg.Logger.Info("the log is being read", "dir", l.cfg.Dir, "segments", p.Segments, "of", p.OfSegments, "bytes", p.Bytes, "elapsed", p.Elapsed)
	l.cfg.OnProgress(p)
}

// clean removes what a cut creation left, cuts the torn tail, and makes durable what was accepted: it may so far be only in
// the page cache of a process that was killed or met an error, and raft will build on it.
func (l *Log) clean(d *loaded) error {
	for _, name := range d.leftover {
		if err := l.cfg.FS.Remove(filepath.Join(l.cfg.Dir, name)); err != nil {
			return err
		}
	}
	other := func(seg *segment) bool { return seg.size != l.cfg.SegmentBytes }
	for n := len(l.unused); n > maxPrepared || slices.ContainsFunc(l.unused, other); n = len(l.unused) {
		seg := l.unused[n-1]
		if err := errors.Join(seg.close(), l.cfg.FS.Remove(filepath.Join(l.cfg.Dir, seg.name))); err != nil {
			return err
		}
		if err := l.cfg.FS.SyncDir(l.cfg.Dir); err != nil {
			return err
		}
		l.unused = l.unused[:n-1]
	}
	for at := max(0, d.active-1); at <= d.active; at++ {
		seg, scan := d.segments[at], d.scans[at]
		if err := l.cut(seg, scan); err != nil {
			return err
		}
		if at == d.active || d.scans[d.active].batches == 0 {
			if err := repeat(seg, scan); err != nil {
				return err
			}
		}
		if err := seg.file.Sync(); err != nil {
			return err
		}
	}
	return l.cfg.FS.SyncDir(l.cfg.Dir)
}

// repeat writes the last whole batch of a segment once more, where it stands. Its fsync may have failed: then the kernel
// has taken the pages for clean, what is read of them is not on the disk, and no fsync brings it there. All batches
// before the last one of the log have been fsynced.
func repeat(seg *segment, scan segmentScan) error {
	if scan.batches == 0 {
		return nil
	}
	buf := make([]byte, scan.end-scan.last)
	if n, err := seg.file.ReadAt(buf, int64(scan.last)); n < len(buf) {
		return fmt.Errorf("read segment %s at offset %d: %w", seg.name, scan.last, noEOF(err))
	}
	if _, bad := readBatch(buf, 0, seg.seed, scan.lastBatch); bad != nil {
		return &CorruptionError{Segment: seg.name, Offset: int64(scan.last + bad.frame), Reason: "the last batch has changed since it was read"}
	}
	return writeFull(seg.file, padded(buf, int64(scan.last), seg.size), int64(scan.last))
}

// cut overwrites a torn tail with zeros. dirty is behind the last byte of its page that is not zero, so whole pages are.
func (l *Log) cut(seg *segment, scan segmentScan) error {
	if scan.dirty == 0 {
		return nil
	}
	l.cfg.Logger.Warn("the log ends in a batch that was never acknowledged: it is cut", "dir", l.cfg.Dir,
		"segment", seg.name, "offset", scan.end, "bytes", scan.dirty-scan.end,
		"entries", describe(scan.torn))
	for at := scan.end; at < scan.dirty; {
		n := min(scan.dirty-at, len(zeros))
		if err := writeFull(seg.file, zeros[:n], int64(at)); err != nil {
			return err
		}
		at += n
	}
	return nil
}

// adopt goes on from what was read.
func (l *Log) adopt(d *loaded) error {
	l.nextBatch = d.nextBatch
	for _, seg := range d.segments[:len(l.segments)+len(l.unused)] {
		l.count(1, seg.size)
	}
	if len(l.segments) == 0 {
		first, err := l.prepareSegment(chore{seq: 1})
		if err != nil {
			return err
		}
		if err := l.whitenAll(first); err != nil {
			return errors.Join(err, first.close())
		}
		l.segments = append(l.segments, first)
	}
	for _, seg := range l.segments {
		l.used += seg.size
	}
	l.peak = len(l.segments)
	for _, seg := range l.unused {
		seg.white = seg.size // mostly; it would be too long to find out
	}
	for id, s := range d.replay.groups {
		l.groupLocked(id, s)
		l.reserved += s.checkpointBytes()
	}
	if l.reserved > l.cfg.maxCheckpoint() {
		return fmt.Errorf("%w: the stable keys of all groups need %d bytes in each segment, segments of %d have room for %d", ErrConfig, l.reserved, l.cfg.SegmentBytes, l.cfg.maxCheckpoint())
	}
	l.active = l.segments[len(l.segments)-1]
	l.pass.died = l.spaceLocked().Reclaimable // who knows since when
	if l.active.end == l.active.start {
		return l.checkpoint()
	}
	l.buryLocked()
	l.chooseVictimLocked()
	l.space = l.spaceLocked()
	return nil
}

// checkpointBytes is at least the length of the group's frame in a checkpoint.
func (s *groupState) checkpointBytes() int {
	n := frameBytes(checkpointFixedBytes)
	for key, value := range s.keys {
		n += frameBytes(keyBytes(key, len(value)))
	}
	return n
}

// closeFiles closes whatever is open and gives up the lock.
func (l *Log) closeFiles() error {
	var errs []error
	for _, list := range [][]*segment{l.dead, l.segments, l.unused} {
		for _, seg := range list {
			errs = append(errs, seg.close())
		}
	}
	return errors.Join(append(errs, l.lock.Close())...)
}
