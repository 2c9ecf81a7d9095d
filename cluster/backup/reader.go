package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"slices"
)

// reader reads an archive in one pass. What it hands out counts only when close has returned nil: until then the archive may be cut short.
type reader struct {
	from     io.Reader
	sum      hash.Hash // over all bytes so far
	manifest Manifest
	seen     []File // what was read so far
}

// newReader reads the manifest.
func newReader(from io.Reader) (*reader, error) {
	r := &reader{from: from, sum: sha256.New()}
	// Every header carries the time in the manifest, which is not known before: its own header is looked at last.
	block, size, err := r.head(manifestName, maxJSONBytes)
	if err != nil {
		return nil, err
	}
	b, err := r.whole(manifestName, size)
	if err != nil {
		return nil, err
	}
	if r.manifest, err = decodeManifest(b); err != nil {
		return nil, err
	}
	return r, r.compare(block, manifestName, size)
}

// state hands the state of the next group to use, in the order of the archive. What use does not read is read then.
func (r *reader) state(group uint32, use func(io.Reader) error) error {
	name, most := stateName(group), int64(math.MaxInt64)
	if group == 0 {
		most = maxMetaBytes
	}
	block, size, err := r.head(name, most)
	if err == nil {
		err = r.compare(block, name, size)
	}
	if err != nil {
		return err
	}
	content := r.content(name, size)
	err = use(content)
	if _, rest := io.Copy(io.Discard, content); rest != nil {
		return rest // Why the archive cannot be read is the cause of whatever use said.
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return r.finish(content)
}

// close reads the end of the archive and returns what its checksums say, which is what was read.
func (r *reader) close() ([]File, error) {
	files := slices.Clone(r.seen)
	sum := r.sum
	r.sum = sha256.New()
	block, size, err := r.head(checksumsName, maxJSONBytes)
	if err == nil {
		err = r.compare(block, checksumsName, size)
	}
	if err != nil {
		return nil, err
	}
	b, err := r.whole(checksumsName, size)
	if err != nil {
		return nil, err
	}
	var c checksums
	if err := decode(checksumsName, b, &c); err != nil {
		return nil, err
	}
	if len(c.Files) != len(files) {
		return nil, fmt.Errorf("%w: %d files, its checksums are of %d", ErrDamaged, len(files), len(c.Files))
	}
	for i, f := range c.Files {
		files[i].Index, files[i].Term = f.Index, f.Term
		if files[i] != f {
			return nil, fmt.Errorf("%w: %s is not what its checksum is of", ErrDamaged, files[i].Name)
		}
	}
	list, err := encode(c.Files)
	if err != nil {
		return nil, err
	}
	if sumWith(sum, list) != c.SHA256 {
		return nil, fmt.Errorf("%w: its checksum is wrong", ErrDamaged)
	}
	return files, r.end()
}

// end wants the end of a tar, and nothing behind it.
func (r *reader) end() error {
	if err := r.zeros("the end", endBytes); err != nil {
		return err
	}
	var more [1]byte
	switch _, err := io.ReadFull(r.from, more[:]); {
	case err == nil:
		return fmt.Errorf("%w: something follows its end", ErrDamaged)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("backup: read: %w", err)
	}
	return nil
}

// head reads the block before a file.
func (r *reader) head(name string, most int64) (block []byte, size int64, err error) {
	block = make([]byte, blockBytes)
	if err := r.read("the header of "+name, block); err != nil {
		return nil, 0, err
	}
	size, err = sizeIn(block)
	if err != nil || size < 0 || size > most {
		return nil, 0, fmt.Errorf("%w: there is no header of %s where it should be (%d bytes, %v)", ErrDamaged, name, size, err)
	}
	return block, size, nil
}

// compare holds a header against the one that would be written.
func (r *reader) compare(block []byte, name string, size int64) error {
	want, err := header(name, size, r.manifest.TakenAt)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if !bytes.Equal(block, want) {
		return fmt.Errorf("%w: the header of %s is another one", ErrDamaged, name)
	}
	return nil
}

// whole reads a short file.
func (r *reader) whole(name string, size int64) ([]byte, error) {
	content := r.content(name, size)
	b, err := io.ReadAll(content)
	if err != nil {
		return nil, err
	}
	return b, r.finish(content)
}

// fileReader reads the content of one file.
type fileReader struct {
	of   *reader
	name string
	size int64
	left int64
	sum  hash.Hash
}

func (r *reader) content(name string, size int64) *fileReader {
	return &fileReader{of: r, name: name, size: size, left: size, sum: sha256.New()}
}

// Read reads the file; an archive that ends in it is ErrDamaged.
func (f *fileReader) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, io.EOF
	}
	n, err := f.of.from.Read(p[:min(int64(len(p)), f.left)])
	f.left -= int64(n)
	f.sum.Write(p[:n])
	f.of.sum.Write(p[:n])
	switch {
	case err == io.EOF && f.left == 0:
		err = nil
	case err == io.EOF:
		err = fmt.Errorf("%w: it ends in %s", ErrDamaged, f.name)
	case err != nil:
		err = fmt.Errorf("backup: read %s: %w", f.name, err)
	}
	return n, err
}

// finish reads what follows a content.
func (r *reader) finish(f *fileReader) error {
	r.seen = append(r.seen, File{Name: f.name, Bytes: f.size, SHA256: hex.EncodeToString(f.sum.Sum(nil))})
	return r.zeros("the padding of "+f.name, padding(f.size))
}

func (r *reader) zeros(what string, n int64) error {
	b := make([]byte, n)
	if err := r.read(what, b); err != nil {
		return err
	}
	if !bytes.Equal(b, make([]byte, n)) {
		return fmt.Errorf("%w: %s is not empty", ErrDamaged, what)
	}
	return nil
}

func (r *reader) read(what string, b []byte) error {
	_, err := io.ReadFull(r.from, b)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it ends in %s", ErrDamaged, what)
	case err != nil:
		return fmt.Errorf("backup: read %s: %w", what, err)
	}
	r.sum.Write(b)
	return nil
}
