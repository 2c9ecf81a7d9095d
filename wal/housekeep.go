package wal

import (
	"errors"
	"fmt"
	"path/filepath"
)

// prepareChunk is how much of a new segment is written between two fsyncs: little, so that the committer's fsync never
// waits behind a large one.
const prepareChunk = 1 << 20

// errAbandoned ends the preparation of a segment that nobody waits for when the log closes.
var errAbandoned = errors.New("the log ends")

// housekeepLoop removes dead segments and keeps one prepared, so that the committer hardly ever waits for either.
func (l *Log) housekeepLoop() {
	for {
		dead, seq, ok := l.nextChore()
		if !ok {
			return
		}
		if err := l.chore(dead, seq); err != nil {
			l.fail(err)
			return
		}
	}
}

// nextChore waits for a segment to remove or, failing that, the sequence of one to prepare. While the log closes it does
// only what the committer waits for.
func (l *Log) nextChore() (dead *segment, seq uint64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.drained && l.err() == nil {
		if len(l.dead) > 0 && !l.closing {
			dead, l.dead = l.dead[0], l.dead[1:]
			return dead, 0, true
		}
		if len(l.unused) == 0 && !l.idleLocked() {
			return nil, l.segments[len(l.segments)-1].seq + 1, true
		}
		l.chores.Wait()
	}
	return nil, 0, false
}

// idleLocked reports whether no segment should be prepared: none may be begun any more, or nobody will want it.
func (l *Log) idleLocked() bool {
	over := l.cfg.HardBytes != 0 && l.used+l.cfg.SegmentBytes > l.cfg.HardBytes
	return over || l.closing && !l.starved
}

func (l *Log) chore(dead *segment, seq uint64) error {
	if dead != nil {
		return l.removeSegment(dead)
	}
	seg, err := l.createSegment(seq)
	if errors.Is(err, errAbandoned) {
		return nil
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unused = append(l.unused, seg)
	l.renewed.Broadcast()
	return nil
}

// removeSegment deletes a segment durably. They go one by one, oldest first: whatever a crash leaves has no gap.
func (l *Log) removeSegment(seg *segment) error {
	if err := seg.close(); err != nil {
		return fmt.Errorf("close segment %s: %w", seg.name, err)
	}
	err := l.watchChores.do("removal of a segment", func() error {
		if err := l.cfg.FS.Remove(filepath.Join(l.cfg.Dir, seg.name)); err != nil {
			return err
		}
		return l.cfg.FS.SyncDir(l.cfg.Dir)
	})
	if err != nil {
		return fmt.Errorf("remove segment %s: %w", seg.name, err)
	}
	l.count(-1, -seg.size)
	return nil
}

// createSegment makes a segment of full length, all of it durable. It is made under another name, so a segment's name
// never stands for a file that is not complete.
func (l *Log) createSegment(seq uint64) (*segment, error) {
	name := segmentName(seq)
	path := filepath.Join(l.cfg.Dir, name)
	file, err := l.cfg.FS.Open(path+tmpSuffix, Create)
	if err != nil {
		return nil, fmt.Errorf("create segment %s: %w", name, err)
	}
	seg := &segment{name: name, seq: seq, size: l.cfg.SegmentBytes, file: file, end: headerBytes}
	if err := l.fillSegment(seg, path); err != nil {
		_ = file.Close() // the first error is the one that tells
		return nil, fmt.Errorf("prepare segment %s: %w", name, err)
	}
	l.count(1, seg.size)
	return seg, nil
}

func (l *Log) fillSegment(seg *segment, path string) error {
	header := segmentHeader{version: formatVersion, cluster: l.cfg.ClusterID, seq: seg.seq, bytes: seg.size, salt: l.cfg.salt()}
	chunk := make([]byte, min(prepareChunk, seg.size))
	header.encode(chunk)
	seg.seed = header.seed
	for at := int64(0); at < seg.size; at += int64(len(chunk)) {
		chunk = chunk[:min(int64(len(chunk)), seg.size-at)]
		err := l.watchChores.do("preparation of a segment", func() error {
			if _, err := seg.file.WriteAt(chunk, at); err != nil {
				return err
			}
			return seg.file.Sync()
		})
		if err != nil {
			return err
		}
		clear(chunk[:headerUsed])
		if l.abandoned() {
			return errAbandoned
		}
	}
	return l.watchChores.do("naming of a segment", func() error {
		if err := l.cfg.FS.Rename(path+tmpSuffix, path); err != nil {
			return err
		}
		return l.cfg.FS.SyncDir(l.cfg.Dir)
	})
}

// abandoned reports whether the log ends before the segment that is being prepared is wanted. Its file stays behind under
// the name that the next start removes.
func (l *Log) abandoned() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err() != nil || l.closing && !l.starved
}

// count keeps the number and length of the files.
func (l *Log) count(files int, bytes int64) {
	n, b := l.files.Add(int64(files)), l.disk.Add(bytes)
	l.cfg.Observer.ObserveSegments(int(n), b)
}
