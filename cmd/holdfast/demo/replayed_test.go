package demo

import "testing"

func TestHashAt(t *testing.T) {
	r := Replayed{States: map[uint32][]State{1: {{5, 50}, {7, 70}, {8, 80}}}}
	for _, test := range []struct {
		shard uint32
		index uint64
		hash  uint64
		known bool
	}{{1, 4, 0, false}, {1, 5, 50, true}, {1, 6, 50, true}, {1, 7, 70, true}, {1, 9, 80, true}, {2, 9, 0, false}} {
		if hash, known := r.HashAt(test.shard, test.index); hash != test.hash || known != test.known {
			t.Errorf("shard %d at %d: %d, %t", test.shard, test.index, hash, known)
		}
	}
}
