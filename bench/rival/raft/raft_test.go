package raft_test

import (
	"errors"
	"testing"

	"go.uber.org/goleak"

	"holdfast/bench/rival/raft"
	"holdfast/bench/rival/rivaltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSale(t *testing.T) {
	for name, nodes := range map[string]int{"one node": 1, "three nodes": 3} {
		t.Run(name, func(t *testing.T) {
			target, err := raft.Open(t.Context(), raft.Config{Nodes: nodes, Parent: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			rivaltest.Run(t, target)
			if about := target.About(); about.Replicas != nodes {
				t.Errorf("%+v", about)
			}
			if err := target.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNodes(t *testing.T) {
	if _, err := raft.Open(t.Context(), raft.Config{Nodes: 2}); !errors.Is(err, raft.ErrNodes) {
		t.Errorf("two nodes: %v", err)
	}
}
