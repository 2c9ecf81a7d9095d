package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"
)

// writer writes an archive, file by file.
type writer struct {
	to    io.Writer
	at    time.Time
	sum   hash.Hash // over all bytes so far
	files []File
	n     int64
}

// newWriter begins an archive.
func newWriter(to io.Writer, m *Manifest) (*writer, error) {
	w := &writer{to: to, at: m.TakenAt, sum: sha256.New()}
	b, err := encode(m)
	if err != nil {
		return nil, err
	}
	return w, w.file(File{Name: manifestName, Bytes: int64(len(b))}, bytes.NewReader(b))
}

// Write writes bytes of the archive.
func (w *writer) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	w.sum.Write(p[:n])
	w.n += int64(n)
	return n, err
}

// file writes one file of f.Bytes bytes. An error of the content is returned as it is.
func (w *writer) file(f File, content io.Reader) error {
	block, err := header(f.Name, f.Bytes, w.at)
	if err != nil {
		return err
	}
	if _, err := w.Write(block); err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), io.LimitReader(content, f.Bytes))
	if err != nil {
		return err
	}
	if n != f.Bytes {
		return fmt.Errorf("%w: %s has %d bytes, not the %d that were promised", ErrBrokenOff, f.Name, n, f.Bytes)
	}
	f.SHA256 = hex.EncodeToString(sum.Sum(nil))
	w.files = append(w.files, f)
	_, err = w.Write(make([]byte, padding(f.Bytes)))
	return err
}

// end writes the checksums and the end.
func (w *writer) end() error {
	last, err := w.checksums()
	if err != nil {
		return err
	}
	if err := w.file(File{Name: checksumsName, Bytes: int64(len(last))}, bytes.NewReader(last)); err != nil {
		return err
	}
	_, err = w.Write(make([]byte, endBytes))
	return err
}

func (w *writer) checksums() ([]byte, error) {
	files, err := encode(w.files)
	if err != nil {
		return nil, err
	}
	last, err := encode(&checksums{Files: w.files, SHA256: sumWith(w.sum, files)})
	if err == nil && len(last) > maxJSONBytes {
		err = errors.New("backup: the checksums are too long")
	}
	return last, err
}

// sumWith returns a sum with some more bytes, in hex, and leaves the sum as it is in the end: nothing reads it afterwards.
func sumWith(sum hash.Hash, more []byte) string {
	sum.Write(more)
	return hex.EncodeToString(sum.Sum(nil))
}
