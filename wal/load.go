package wal

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// loaded is a log as it stands in a directory, read and checked. Nothing on disk has been changed.
type loaded struct {
	fs       FS
	dir      string
	segments []*segment // by sequence, without gap
	scans    []segmentScan
	headers  []segmentHeader
	leftover []string // files of a segment whose creation was cut short
	gap      error    // a file is missing; nil: none
	beyond   []uint64 // the segments behind the gap
	replay   *replay

	// active is the position of the segment that takes the next batch: all before it are sealed, all after it have
	// never been begun. It is -1 when there is no segment.
	active int
	// nextBatch is the sequence of the next batch.
	nextBatch uint64

	begun    time.Time
	progress Progress
}

// load reads all segments in dir. On an error what was read so far comes with it, for a report. tell is called now and
// then while that takes long; nil is nobody.
func load(fs FS, dir string, mode OpenMode, tell func(Progress)) (*loaded, error) {
	d := &loaded{fs: fs, dir: dir, replay: newReplay(), active: -1, nextBatch: 1, begun: time.Now()}
	seqs, err := d.list()
	if err != nil {
		return d, err
	}
	d.progress.OfSegments = len(seqs)
	told := time.Duration(0)
	var buf []byte
	for i, seq := range seqs {
		buf, err = d.read(seq, mode, buf)
		d.progress.Segments++
		d.progress.Bytes += int64(len(buf))
		d.progress.Elapsed = time.Since(d.begun)
		if err != nil {
			return d, d.assess(err, buf, append(seqs[i+1:], d.beyond...))
		}
		if tell != nil && d.progress.Elapsed-told >= progressEvery {
			told = d.progress.Elapsed
			tell(d.progress)
		}
	}
	if d.gap != nil {
		return d, d.assess(d.gap, nil, d.beyond)
	}
	return d, d.check()
}

// list returns the sequences of the segments, in order, up to the first gap.
func (d *loaded) list() ([]uint64, error) {
	names, err := d.fs.List(d.dir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", d.dir, err)
	}
	var seqs []uint64
	for _, name := range names {
		if seq, ok := segmentSeq(name); ok {
			seqs = append(seqs, seq)
		} else if strings.HasSuffix(name, segmentSuffix+tmpSuffix) {
			d.leftover = append(d.leftover, name)
		}
	}
	slices.Sort(seqs)
	for i := 1; i < len(seqs); i++ {
		if seqs[i] != seqs[i-1]+1 {
			d.gap = d.missing(seqs[i-1]+1, "the file is missing, though segments before and after it are there")
			d.beyond = seqs[i:]
			return seqs[:i:i], nil
		}
	}
	return seqs, nil
}

func (d *loaded) missing(seq uint64, reason string) error {
	return &CorruptionError{Segment: segmentName(seq), Reason: reason}
}

// read opens one segment and takes its batches. It returns the buffer for the next one.
func (d *loaded) read(seq uint64, mode OpenMode, buf []byte) ([]byte, error) {
	seg, err := d.openSegment(seq, mode)
	if err != nil {
		return buf, err
	}
	d.segments = append(d.segments, seg)
	d.headers = append(d.headers, segmentHeader{})
	d.scans = append(d.scans, segmentScan{end: headerBytes})
	at := len(d.segments) - 1
	if buf, err = readAll(seg, buf); err != nil {
		return buf, err
	}
	if d.headers[at], err = decodeHeader(buf, seg.name, seq, seg.size); err != nil {
		return buf, err
	}
	h := &d.headers[at]
	seg.seed, seg.start, seg.end = h.seed, int64(h.start()), int64(h.start())
	d.scans[at].end = h.start()
	if h.cluster != d.headers[0].cluster {
		return buf, fmt.Errorf("%w: segment %s does not belong to the cluster of segment %s", ErrOtherCluster, seg.name, d.segments[0].name)
	}
	return buf, d.take(at, h.imageOf(buf))
}

func (d *loaded) openSegment(seq uint64, mode OpenMode) (*segment, error) {
	name := segmentName(seq)
	file, err := d.fs.Open(filepath.Join(d.dir, name), mode)
	if err != nil {
		return nil, fmt.Errorf("open segment %s: %w", name, err)
	}
	return &segment{name: name, seq: seq, file: file, start: headerBytes, end: headerBytes}, nil
}

func readAll(seg *segment, buf []byte) ([]byte, error) {
	size, err := seg.file.Size()
	if err != nil {
		return buf, fmt.Errorf("size of segment %s: %w", seg.name, err)
	}
	if size > maxSegmentBytes {
		return buf, &CorruptionError{Segment: seg.name, Offset: maxSegmentBytes, Reason: "the file is longer than any segment can be"}
	}
	seg.size = size
	if int64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	if n, err := seg.file.ReadAt(buf, 0); n < len(buf) {
		return buf, fmt.Errorf("read segment %s: %w", seg.name, noEOF(err))
	}
	return buf, nil
}

// take scans segment at, whose content is m, and decides whether it may follow the one before it.
func (d *loaded) take(at int, m image) error {
	seg := d.segments[at]
	if at > 0 && !d.scans[at-1].sealed {
		return d.takeUnused(at, m)
	}
	if at > 0 && d.scans[at-1].dirty > 0 && m.firstTouched() >= 0 {
		before := d.segments[at-1] // its seal was durable, and the zeros behind it, before this segment was begun
		return &CorruptionError{Segment: before.name, Offset: before.end, Reason: writtenBehind}
	}
	due := d.nextBatch
	if at == 0 && seg.seq > 1 {
		due = 0 // the segments before it are gone, and the count with them
	}
	scan, err := scanSegment(seg.name, m, due, d.replay.visitor(seg))
	d.scans[at] = scan
	if err != nil {
		return err
	}
	if due == 0 && scan.batches == 0 {
		return &CorruptionError{Segment: seg.name, Offset: seg.start, Reason: "the oldest segment is empty"}
	}
	seg.end = int64(scan.end)
	d.active = at
	if scan.batches > 0 {
		d.nextBatch = scan.lastBatch + 1
	}
	return nil
}

// takeUnused checks a segment that follows one which was not sealed: it cannot have been begun.
func (d *loaded) takeUnused(at int, m image) error {
	first := m.firstTouched()
	if first < 0 {
		return nil
	}
	before := d.segments[d.active]
	if f, ok := m.laterFrame(m.start, d.nextBatch); ok && f.payload != nil {
		return &CorruptionError{Segment: before.name, Offset: before.end,
			Reason: fmt.Sprintf("batch %d is damaged or missing: segment %s goes on with batch %d", d.nextBatch, d.segments[at].name, f.batch)}
	}
	return &CorruptionError{Segment: d.segments[at].name, Offset: int64(first),
		Reason: "a page is not as it was when the segment was made ready, though the segment was never begun"}
}

// check looks at the log as a whole.
func (d *loaded) check() error {
	if len(d.segments) == 0 {
		return nil
	}
	if last := len(d.segments) - 1; d.scans[last].sealed {
		return d.missing(d.segments[last].seq+1, "the file is missing, though the segment before it says that it goes on there")
	} else if d.scans[d.active].sealed {
		d.active++ // sealed, and the next one not yet begun
	}
	if missing, err := d.replay.finish(); err != nil {
		return &CorruptionError{Segment: d.segments[0].name, Reason: err.Error() + "; a segment before this one is missing", Loss: missing}
	}
	return nil
}

// close closes the files.
func (d *loaded) close() error {
	var errs []error
	for _, seg := range d.segments {
		errs = append(errs, seg.close())
	}
	return errors.Join(errs...)
}
