package wal

import "hash/crc32"

// Whatever stands behind the log's last batch must be known, byte for byte: else a torn write or a damaged batch could hide
// among what a recycled file still holds of its earlier use. Two rules see to that:
//
//   - the header has the CRC32C of every page of the file as it was when the file was made ready;
//   - every write ends with zeros up to the end of its page.
//
// So a page behind the last batch is as it was, or all zero, or somebody has written to it since.

const pageBytes = 4096

// pageEnd rounds up to whole pages.
func pageEnd(n int64) int64 { return (n + pageBytes - 1) &^ (pageBytes - 1) }

// padded appends zeros to buf, which is to be written at offset at of a file of size bytes, up to the end of a page.
func padded(buf []byte, at, size int64) []byte {
	end := at + int64(len(buf))
	return append(buf, zeros[:min(pageEnd(end), size)-end]...)
}

// zeroPage is the sum of a page of zeros.
var zeroPage = crc32.Checksum(zeros[:pageBytes], castagnoli)

// pageSums are the sums in a segment's header, of 4 bytes each. nil is version 1, in which all pages were zero.
type pageSums []byte

// add notes the pages in buf, which stands at offset at in the file.
func (s pageSums) add(buf []byte, at int64) {
	for i := 0; i < len(buf); i += pageBytes {
		le.PutUint32(s[(at+int64(i))/pageBytes*4:], crc32.Checksum(buf[i:i+pageBytes], castagnoli))
	}
}

// fill notes that all pages are zero.
func (s pageSums) fill() {
	for i := 0; i < len(s); i += 4 {
		le.PutUint32(s[i:], zeroPage)
	}
}

// image is the content of a segment's file.
type image struct {
	buf   []byte
	seed  uint32
	start int // of the first batch
	sums  pageSums
}

// page returns the bytes of a page; the last one may be shorter in version 1.
func (m image) page(n int) []byte { return m.buf[n*pageBytes : min((n+1)*pageBytes, len(m.buf))] }

// untouched reports whether nobody has written to a page since the file was made ready, or only zeros.
func (m image) untouched(n int) bool {
	p := m.page(n)
	if firstNonzero(p) < 0 {
		return true
	}
	return m.sums != nil && crc32.Checksum(p, castagnoli) == le.Uint32(m.sums[n*4:])
}

// used returns the offset after the last byte that was written, or m.start. It may lie behind what is left of an earlier
// use when a write ended within a page.
func (m image) used() int {
	for n := (len(m.buf) - 1) / pageBytes; n*pageBytes >= m.start; n-- {
		if !m.untouched(n) {
			return n*pageBytes + lastNonzero(m.page(n))
		}
	}
	return m.start
}

// unpadded reports whether what stands from end to used can be left of an earlier use of the file though the batch from
// start to end is whole: the write that brought the batch was the first one to its last page, and was torn in the zeros
// behind it.
func (m image) unpadded(start, end, used int) bool {
	last := (end - 1) / pageBytes
	return m.sums != nil && start <= last*pageBytes && used <= (last+1)*pageBytes && le.Uint32(m.sums[last*4:]) != zeroPage
}

// firstTouched returns the offset of the first page at or behind m.start that somebody has written to, or -1.
func (m image) firstTouched() int {
	for at := m.start; at < len(m.buf); at += pageBytes {
		if !m.untouched(at / pageBytes) {
			return at
		}
	}
	return -1
}
