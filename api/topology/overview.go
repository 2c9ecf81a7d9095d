package topology

// The states of a node.
const (
	Alive       = "alive"
	Unreachable = "unreachable"
	Leaving     = "leaving"
)

// Overview is the cluster as one node sees it.
type Overview struct {
	ClusterID string `json:"cluster_id"`
	// Node is the one that answers.
	Node string `json:"node"`
	// Epoch is raised by every restore, Level by features that every node knows.
	Epoch uint16 `json:"epoch"`
	Level uint16 `json:"level"`
	Meta  Meta   `json:"meta"`
	// Nodes are sorted by id.
	Nodes []Node `json:"nodes"`
	// Changes are under way; Ended are the last that ended, the oldest first, without their steps.
	Changes  []Change `json:"changes"`
	Ended    []Change `json:"ended"`
	Settings Settings `json:"settings"`
}

// Meta is the group that keeps what the cluster knows of itself.
type Meta struct {
	// Leader is "" while there is none, or none is known.
	Leader string   `json:"leader"`
	Term   uint64   `json:"term"`
	Voters []string `json:"voters"`
}

// Node is a member of the cluster.
type Node struct {
	ID    string `json:"id"`
	Peer  string `json:"peer"`
	HTTP  string `json:"http"`
	Admin string `json:"admin"`
	// State is Alive, Unreachable or Leaving.
	State string `json:"state"`
	// ShardsLed is the number of data shards that it leads.
	ShardsLed int `json:"shards_led"`
	// Version is the build that it runs.
	Version string `json:"version"`
	// ClockOffsetMS is how far its clock is ahead of that of the node that answers; nil when it was not measured of late.
	ClockOffsetMS *int64 `json:"clock_offset_ms,omitempty"`
}

// WithLists returns the overview with empty lists where there are none.
func (o Overview) WithLists() Overview {
	o.Meta.Voters, o.Nodes = listed(o.Meta.Voters), listed(o.Nodes)
	o.Changes, o.Ended = listed(o.Changes), listed(o.Ended)
	return o
}

// listed returns a list that JSON does not write as null.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
