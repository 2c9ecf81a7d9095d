package wal

import (
	"fmt"
	"hash/crc32"
)

// A batch that is not whole is one of two things. A torn tail: the crash came before its fsync returned, nobody was
// told, it is cut. Or corruption: it was whole once, somebody may have been told, the log is refused. Two things prove
// the latter, because a batch is written only after the fsync of the one before it:
//
//   - a sound frame of a later batch stands behind it;
//   - flipping one bit makes it whole. A torn write loses sectors; it does not leave a batch right up to one bit.
//
// Longer damage to the last batch alone cannot be told from a torn write by anyone; it is cut with a message.

// blame returns why the bad batch was whole once, or "" when it is a torn tail, and the bit, counted from 1, that is
// flipped if that is why. seq is the sequence it must have. The bytes are as before when it returns.
func (m image) blame(bad *badBatch, seq uint64) (reason string, flipped int) {
	switch f, ok := m.laterFrame(bad.frame, seq); {
	case ok && f.payload == nil:
		return fmt.Sprintf("batch %d is damaged (%s): there are more things behind it that look like later frames than a crash can leave", seq, bad.reason), 0
	case ok:
		return fmt.Sprintf("batch %d is damaged (%s): a frame of batch %d, written later, is sound at offset %d", seq, bad.reason, f.batch, f.offset), 0
	}
	if bit, ok := oneFlip(m.buf, bad, m.seed, seq); ok {
		return fmt.Sprintf("batch %d is damaged (%s): it is whole when bit %d of byte %d is flipped", seq, bad.reason, bit%8, bit/8), bit + 1
	}
	return "", 0
}

// mostWork is how often laterFrame reads the bytes there are, at most: what a crash leaves has hardly anything that looks
// like a frame and is none.
const mostWork = 64

// laterFrame looks for a sound frame of a batch after seq, at from or anywhere behind it. Pages that nobody has written to
// have none: what they hold of an earlier use of the file is not even looked at. Bytes made to look like frames that
// overlap could keep it busy for hours; there it gives up with a frame without a payload.
func (m image) laterFrame(from int, seq uint64) (frame, bool) {
	most := uint64(len(m.buf)-from)/endFrameBytes + 1 // so many batches could follow in this segment
	work := mostWork * (len(m.buf) + pageBytes)
	for n := from / pageBytes; n*pageBytes < len(m.buf); n++ {
		if m.untouched(n) {
			continue
		}
		first, end := max(n*pageBytes, from&^(frameAlign-1)), min((n+1)*pageBytes, len(m.buf)-frameHeaderBytes+1)
		for at := first; at < end; at += frameAlign {
			if batch := le.Uint64(m.buf[at+8:]); batch <= seq || batch-seq > most {
				continue
			}
			f, ok := frameAt(m.buf, at)
			if !ok {
				continue
			}
			if work -= f.bytes; work < 0 {
				return frame{}, true
			}
			if f.sound(m.buf, m.seed) {
				return f, true
			}
		}
	}
	return frame{}, false
}

// oneFlip looks for the one bit of the bad frame that, flipped, makes its batch whole, and returns its position counted
// from the beginning of buf.
func oneFlip(buf []byte, bad *badBatch, seed uint32, seq uint64) (bit int, ok bool) {
	whole := func(bit int) bool {
		flip(buf, bit)
		defer flip(buf, bit)
		f, ok := frameAt(buf, bad.frame)
		if !ok || f.batch != seq || !f.sound(buf, seed) {
			return false
		}
		_, still := readBatch(buf, bad.start, seed, seq)
		return still == nil
	}
	if bad.frame+frameHeaderBytes > len(buf) {
		return 0, false
	}
	for bit := bad.frame * 8; bit < (bad.frame+frameHeaderBytes)*8; bit++ {
		if whole(bit) {
			return bit, true
		}
	}
	f, ok := frameAt(buf, bad.frame)
	if !ok {
		return 0, false
	}
	covered := buf[f.offset+4 : f.offset+f.bytes]
	syndrome := crc32.Update(seed, castagnoli, covered) ^ le.Uint32(buf[f.offset:])
	if at, ok := flippedBit(len(covered), syndrome); ok && whole((f.offset+4)*8+at) {
		return (f.offset+4)*8 + at, true
	}
	return 0, false
}

// flippedBit finds the bit, counted from the front of a message of size bytes, whose flipping changes the message's
// CRC32C by exactly syndrome. A CRC is linear: what a bit changes depends on its distance from the end alone.
func flippedBit(size int, syndrome uint32) (bit int, ok bool) {
	var change [8]uint32
	for b := range change {
		change[b] = castagnoli[1<<b]
	}
	for at := size - 1; at >= 0; at-- {
		for b, c := range change {
			if c == syndrome {
				return at*8 + b, true
			}
			change[b] = castagnoli[byte(c)] ^ c>>8
		}
	}
	return 0, false
}
