package control

import (
	"testing"

	"holdfast/cluster/meta"
)

// A member that says it is everywhere is found, before another node looks for it on its own machine.
func TestNodesThatAreNowhere(t *testing.T) {
	for address, want := range map[string]bool{
		"[::]:8082": true, "0.0.0.0:8082": true, ":8082": true, "10.0.0.1:8082": false, "n1.internal:8082": false, "n1:1": false, "[::1]:8082": false,
	} {
		table := &meta.Cluster{}
		table.Nodes = append(table.Nodes, meta.Node{ID: "n1", Addresses: meta.Addresses{Peer: address}})
		if got := nowhere(table); (got == "n1 at "+address) != want || !want && got != "" {
			t.Errorf("%s: %q", address, got)
		}
	}
}
