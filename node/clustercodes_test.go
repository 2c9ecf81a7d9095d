package node

import (
	"slices"
	"testing"

	"holdfast/api/topology"
	"holdfast/cluster/meta"
)

// Every refusal of the meta group's has a code of the API by the same name, so that none is answered as a fault of ours. The one exception belongs to keys,
// which nodes make themselves.
func TestEveryRefusalOfMetaIsKnownToTheAPI(t *testing.T) {
	others := []topology.Code{topology.InvalidValue, topology.UnknownNode, topology.UnknownShard, topology.UnknownChange, topology.Overloaded,
		topology.DeadlineExceeded}
	seen := 0
	for code := meta.NotCreated; code <= meta.DeadlineExceeded; code++ {
		if code == meta.KeyReused {
			continue
		}
		seen++
		if name := topology.Code(code.String()); !slices.Contains(topology.States, name) && !slices.Contains(others, name) {
			t.Errorf("the API does not know %s", name)
		}
	}
	if seen < 20 {
		t.Errorf("only %d codes were looked at", seen)
	}
}
