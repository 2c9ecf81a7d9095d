package backup

import (
	"archive/tar"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"holdfast/cluster/meta"
	"holdfast/cluster/placement"
)

// The archive is a tar, which any tar unpacks:
//
//	manifest.json         what it is a backup of: known before anything is read
//	meta.snapshot         the state of the meta group
//	shard-1.snapshot      the state of each shard, in this order, as its leader's snapshot has it
//	...
//	checksums.json        what the files were, and a hash over all bytes before it: only a whole archive has it
//	1024 bytes of zero    the end of every tar
//
// There is one form for each content: headers, padding and JSON included. A reader makes each header again and compares, so no byte goes unlooked at.
const (
	formatVersion = 1
	manifestName  = "manifest.json"
	metaName      = "meta.snapshot"
	checksumsName = "checksums.json"

	blockBytes = 512
	endBytes   = 2 * blockBytes
	fileMode   = 0o600
	// maxJSONBytes bounds manifest and checksums.
	maxJSONBytes = 1 << 20
	// maxMetaBytes bounds the meta group's file: the state, and its head.
	maxMetaBytes = meta.MaxSnapshotBytes + 1<<10
	// maxAncestors bounds how many restores a cluster remembers.
	maxAncestors = 64
)

// Manifest says what an archive is a backup of.
type Manifest struct {
	// Format is the version of the archive's format.
	Format int `json:"format"`
	// ClusterID is the cluster's, in hex. Ancestors are the clusters whose backups it comes from itself, the nearest first.
	ClusterID string   `json:"cluster_id"`
	Ancestors []string `json:"ancestors"`
	// Epoch is raised by every restore. Level is the meta group's.
	Epoch uint16 `json:"epoch"`
	Level uint16 `json:"level"`
	// Shards is the number of data shards: the archive has a state for each, and one of the meta group.
	Shards int `json:"shards"`
	// Node made the backup; Version is its build's.
	Node    string `json:"node"`
	Version string `json:"version"`
	// TakenAt is when it began, in whole seconds: everything that was acknowledged before is in it.
	TakenAt time.Time `json:"taken_at"`
}

// File is what an archive says of one of its files.
type File struct {
	Name string `json:"name"`
	// Index and Term are those of the last log entry in a state; 0 for the manifest.
	Index uint64 `json:"index"`
	Term  uint64 `json:"term"`
	Bytes int64  `json:"bytes"`
	// SHA256 is over the file's content, in hex.
	SHA256 string `json:"sha256"`
}

// checksums is the last file of an archive.
type checksums struct {
	Files []File `json:"files"`
	// SHA256 is over all bytes of the archive before this file's header, and Files as encode writes them, in hex.
	SHA256 string `json:"sha256"`
}

// encode returns the one form of a JSON file.
func encode(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("backup: encode %T: %w", v, err)
	}
	return append(b, '\n'), nil
}

// decode reads what encode wrote, and nothing else.
func decode(name string, b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, name, err)
	}
	if again, err := encode(v); err != nil || !bytes.Equal(again, b) {
		return fmt.Errorf("%w: %s is not in its one form", ErrDamaged, name)
	}
	return nil
}

// decodeManifest reads a manifest. That of a newer format is told from a damaged one.
func decodeManifest(b []byte) (m Manifest, err error) {
	var of struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(b, &of); err != nil {
		return m, fmt.Errorf("%w: %s: %w", ErrDamaged, manifestName, err)
	}
	if of.Format != formatVersion {
		return m, fmt.Errorf("%w: %d, this program knows %d", ErrFormat, of.Format, formatVersion)
	}
	if err := decode(manifestName, b, &m); err != nil {
		return m, err
	}
	return m, m.check()
}

func (m *Manifest) check() error {
	ids := append([]string{m.ClusterID}, m.Ancestors...)
	for _, id := range ids {
		if _, err := parseClusterID(id); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrDamaged, manifestName, err)
		}
	}
	if m.Shards < 1 || m.Shards > placement.MaxShards || len(m.Ancestors) > maxAncestors || m.TakenAt != moment(m.TakenAt) {
		return fmt.Errorf("%w: %s: %d shards, %d ancestors, taken at %v", ErrDamaged, manifestName, m.Shards, len(m.Ancestors), m.TakenAt)
	}
	return nil
}

// moment returns a time as a manifest has it.
func moment(at time.Time) time.Time { return at.UTC().Truncate(time.Second) }

func parseClusterID(text string) (id [16]byte, err error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(id) {
		return id, fmt.Errorf("%q is no cluster id", text)
	}
	copy(id[:], raw)
	return id, nil
}

// stateName returns the name of a group's file; 0 is the meta group.
func stateName(group uint32) string {
	if group == 0 {
		return metaName
	}
	return fmt.Sprintf("shard-%d.snapshot", group)
}

// header returns the block before a file's content.
func header(name string, size int64, at time.Time) ([]byte, error) {
	var block bytes.Buffer
	err := tar.NewWriter(&block).WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: size, Mode: fileMode, ModTime: at, Format: tar.FormatGNU,
	})
	if err != nil || block.Len() != blockBytes {
		return nil, fmt.Errorf("backup: header of %s, %d bytes: %w", name, size, err)
	}
	return block.Bytes(), nil
}

// sizeIn returns the length that a header block claims for its file.
func sizeIn(block []byte) (int64, error) {
	h, err := tar.NewReader(bytes.NewReader(block)).Next()
	if err != nil {
		return 0, err
	}
	return h.Size, nil
}

// padding returns how many bytes of zero follow a content.
func padding(size int64) int64 { return -size & (blockBytes - 1) }
