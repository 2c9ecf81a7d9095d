package wal

import (
	"errors"
	"fmt"
	"path/filepath"
)

// A segment is made ready in four steps, each durable before the next:
//
//	1  an empty file under the temporary name of the segment to come, or a dead segment renamed to it
//	2  a new file: room for its whole length; a recycled one: the sums of its pages. Then the header
//	3  the segment's own name
//	4  the committer may begin it
//
// A dead segment loses its old name before a byte of it changes, so a crash finds the old segment as it was or not at
// all; and nobody sees the new name before the header says of every page what it holds, so nothing of the old use is ever
// taken for something written since. What a crash leaves under the temporary name is removed by the next start.
//
// A new file that only has room reads as zeros, but each first write of a page changes the file's metadata, which doubles
// the time of a small append. So it is whitened while it waits: zeros are written over all of it, chunk by chunk. That
// writes every byte twice once in a file's life, and so it rests while appends are so large that the disk is what they
// wait for.

// whitenBytes is how much of a segment is whitened between two fsyncs: little, so that the committer's fsync never waits
// behind a large one.
const whitenBytes = 1 << 20

// whitenBelow is the length of a batch from which on whitening costs the appends more than it saves them.
const whitenBelow = 256 << 10

// errAbandoned ends the preparation of a segment that nobody waits for when the log closes.
var errAbandoned = errors.New("the log ends")

// prepareSegment makes the segment c.seq, out of c.dead if that is there.
func (l *Log) prepareSegment(c chore) (*segment, error) {
	name, event := segmentName(c.seq), SegmentPrepared
	path := filepath.Join(l.cfg.Dir, name)
	var file File
	var err error
	if c.dead == nil {
		file, err = l.cfg.FS.Open(path+tmpSuffix, Create)
	} else {
		file, err = l.retire(c.dead, path+tmpSuffix)
		event = SegmentRecycled
	}
	if err != nil {
		return nil, fmt.Errorf("create segment %s: %w", name, err)
	}
	start := int64(headerLength(formatVersion, l.cfg.SegmentBytes))
	seg := &segment{name: name, seq: c.seq, size: l.cfg.SegmentBytes, file: file, start: start, end: start}
	if err := l.fillSegment(seg, c.dead != nil); err != nil {
		_ = file.Close() // the first error is the one that tells
		return nil, fmt.Errorf("prepare segment %s: %w", name, err)
	}
	if c.dead == nil {
		l.count(1, seg.size)
	}
	l.cfg.Observer.ObserveSegment(event)
	return seg, nil
}

// retire takes the name from a dead segment, waits for those who still read it, and returns its file.
func (l *Log) retire(dead *segment, to string) (File, error) {
	dead.mu.Lock()
	defer dead.mu.Unlock()
	err := l.watchChores.do("renaming of a segment", func() error {
		return l.syncedDir(l.cfg.FS.Rename(filepath.Join(l.cfg.Dir, dead.name), to))
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("take segment %s for it: %w", dead.name, err), dead.file.Close())
	}
	return dead.file, nil
}

// fillSegment makes the file ready and gives it the segment's name.
func (l *Log) fillSegment(seg *segment, recycled bool) error {
	page := make([]byte, seg.start)
	sums := pageSums(page[headerUsed:][:seg.size/pageBytes*4])
	var err error
	if recycled {
		err = l.sumPages(seg, sums)
	} else {
		sums.fill()
		err = l.makeRoom(seg)
	}
	if err != nil {
		return err
	}
	header := segmentHeader{version: formatVersion, cluster: l.cfg.ClusterID, seq: seg.seq, bytes: seg.size, salt: l.cfg.salt()}
	header.encode(page)
	seg.seed = header.seed
	if err := l.writeChore(seg, page, 0); err != nil {
		return err
	}
	return l.watchChores.do("naming of a segment", func() error {
		path := filepath.Join(l.cfg.Dir, seg.name)
		return l.syncedDir(l.cfg.FS.Rename(path+tmpSuffix, path))
	})
}

// sumPages reads what a recycled file holds.
func (l *Log) sumPages(seg *segment, sums pageSums) error {
	chunk := make([]byte, min(whitenBytes, seg.size))
	for at := seg.start; at < seg.size; at += int64(len(chunk)) {
		chunk = chunk[:min(int64(len(chunk)), seg.size-at)]
		if l.abandoned() {
			return errAbandoned
		}
		err := l.watchChores.do("preparation of a segment", func() error {
			n, err := seg.file.ReadAt(chunk, at)
			if n < len(chunk) {
				return noEOF(err)
			}
			return l.err()
		})
		if err != nil {
			return err
		}
		sums.add(chunk, at)
	}
	seg.white = seg.size
	return nil
}

// makeRoom gives a new file its length. A file system that cannot reserve room is written full of zeros.
func (l *Log) makeRoom(seg *segment) error {
	err := l.watchChores.do("preparation of a segment", func() error {
		return errors.Join(seg.file.Allocate(seg.size), l.err())
	})
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return l.whitenAll(seg)
}

// whitenAll whitens a segment at once.
func (l *Log) whitenAll(seg *segment) error {
	for seg.white < seg.size {
		if l.abandoned() {
			return errAbandoned
		}
		n, err := l.whiten(seg)
		if err != nil {
			return err
		}
		seg.white += n
	}
	return nil
}

// whiten writes zeros over the next chunk of a segment that nobody has begun, and returns how many.
func (l *Log) whiten(seg *segment) (int64, error) {
	at := max(seg.white, seg.start)
	n := min(whitenBytes, seg.size-at)
	if l.white == nil {
		l.white = make([]byte, whitenBytes)
	}
	return at + n - seg.white, l.writeChore(seg, l.white[:n], at)
}

// writeChore writes to a segment that nobody has begun, and syncs it.
func (l *Log) writeChore(seg *segment, b []byte, at int64) error {
	return l.watchChores.do("preparation of a segment", func() error {
		if err := errors.Join(writeFull(seg.file, b, at), l.err()); err != nil {
			return err
		}
		return seg.file.Sync()
	})
}

// syncedDir makes durable what was just done to names, unless that failed or hung until the log had failed.
func (l *Log) syncedDir(done error) error {
	if err := errors.Join(done, l.err()); err != nil {
		return err
	}
	return l.cfg.FS.SyncDir(l.cfg.Dir)
}

// abandoned reports whether the log ends before the segment that is being prepared is wanted. Its file stays behind under
// the name that the next start removes.
func (l *Log) abandoned() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err() != nil || l.closing && !l.starved
}
