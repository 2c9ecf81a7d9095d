package meta

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

// A cluster travels between nodes as it is; a message of another version, or changed in any byte, is not read.
func TestMessageIsReadAsItWasWritten(t *testing.T) {
	type letter struct {
		Version uint64
		Table   *Cluster
	}
	s := New()
	create := &Create{
		Keyed: Keyed{Key: "k", Deadline: startMS + 1}, ClusterID: [16]byte{7}, Epoch: 1, Level: 1, Node: "n1", Incarnation: 1,
		Addresses: Addresses{Peer: "n1:1"}, Binary: Binary{Level: 1}, Shards: 1, Partitions: bytesOfOne(), Settings: DefaultSettings(),
	}
	if _, out, err := s.Apply(encodedFor(t, create)); err != nil || out.Code != OK {
		t.Fatal(out, err)
	}
	for name, sent := range map[string]letter{"table": {Version: 1, Table: s.Cluster()}, "nothing": {}} {
		data, err := EncodeMessage(&sent)
		if err != nil {
			t.Fatal(name, err)
		}
		var got letter
		if err := DecodeMessage(data, &got); err != nil || !reflect.DeepEqual(got, sent) {
			t.Errorf("%s: read %+v, %v", name, got, err)
		}
		for at := range data {
			bad := bytes.Clone(data)
			bad[at] ^= 0x10
			if err := DecodeMessage(bad, new(letter)); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnknownCommand) {
				t.Fatalf("%s with byte %d changed: %v", name, at, err)
			}
		}
		if err := DecodeMessage(data[:len(data)-1], new(letter)); err == nil {
			t.Errorf("%s cut short was read", name)
		}
	}
}

func bytesOfOne() []uint32 {
	table := make([]uint32, 1024)
	for i := range table {
		table[i] = 1
	}
	return table
}

func encodedFor(t *testing.T, c Command) []byte {
	t.Helper()
	data, err := EncodeEntry(startMS, c)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
