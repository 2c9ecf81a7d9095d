package meta

import (
	"bytes"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"
	"github.com/vmihailenco/msgpack/v5"

	"holdfast/stock"
)

// image is the state as a snapshot holds it.
type image struct {
	Now     stock.Time
	Cluster Cluster
	Memory  []remembered
}

func (s *State) payload() []byte {
	m := image{Now: s.now, Cluster: s.cluster, Memory: s.memory}
	m.normalise()
	b, err := marshal(&m)
	if err != nil {
		panic(fmt.Sprintf("meta: a state that cannot be encoded: %v", err))
	}
	return b
}

// normalise turns empty lists into nil, so that equal states are equal bytes.
func (m *image) normalise() {
	m.Memory = some(m.Memory)
	c := &m.Cluster
	c.Partitions, c.Nodes, c.Retired, c.Shards, c.Changes = some(c.Partitions), some(c.Nodes), some(c.Retired), some(c.Shards), some(c.Changes)
}

func some[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

// Snapshot returns the state in canonical form: equal states are equal bytes.
func (s *State) Snapshot() []byte { return frame(snapshotVersion, s.payload()) }

// Hash returns a hash over the whole state; replicas at the same index have the same (rule R24).
func (s *State) Hash() uint64 { return xxhash.Sum64(s.payload()) }

// Restore reads a state that Snapshot wrote, to the end of r. It returns ErrUnknownCommand for another version, ErrUnknownLevel for a cluster on a
// level that this binary does not know, and ErrMalformed for what Snapshot does not write.
func Restore(r io.Reader) (*State, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSnapshotBytes+1))
	if err != nil {
		return nil, fmt.Errorf("meta: read snapshot: %w", err)
	}
	if len(data) > MaxSnapshotBytes {
		return nil, fmt.Errorf("%w: snapshot above %d bytes", ErrMalformed, MaxSnapshotBytes)
	}
	payload, err := unframe(snapshotVersion, data)
	if err != nil {
		return nil, err
	}
	if err := scan(payload); err != nil {
		return nil, err
	}
	var m image
	if err := msgpack.NewDecoder(bytes.NewReader(payload)).Decode(&m); err != nil {
		return nil, fmt.Errorf("%w: snapshot: %w", ErrMalformed, err)
	}
	if m.Cluster.Level > Level {
		return nil, fmt.Errorf("%w: level %d, this binary knows %d", ErrUnknownLevel, m.Cluster.Level, Level)
	}
	s := &State{now: m.Now, cluster: m.Cluster, memory: m.Memory}
	if !bytes.Equal(s.payload(), payload) {
		return nil, fmt.Errorf("%w: snapshot that is not in its one form", ErrMalformed)
	}
	return s, nil
}
