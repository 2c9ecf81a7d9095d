package raft_test

import (
	"fmt"
	"testing"

	"holdfast/bench/rival/raft"
	"holdfast/bench/rival/rivaltest"
)

func BenchmarkPlace(b *testing.B) {
	for _, load := range []struct{ nodes, callers, batch int }{{1, 64, 1}, {1, 16, 1000}, {3, 64, 1}, {3, 16, 64}, {3, 16, 1000}} {
		b.Run(fmt.Sprintf("nodes=%d/callers=%d/batch=%d", load.nodes, load.callers, load.batch), func(b *testing.B) {
			target, err := raft.Open(b.Context(), raft.Config{Nodes: load.nodes, Parent: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			rivaltest.Bench(b, target, load.callers, load.batch)
			if err := target.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}
