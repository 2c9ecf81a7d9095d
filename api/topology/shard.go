package topology

// The roles of a replica.
const (
	Voter   = "voter"
	Learner = "learner"
)

// Shards are the data shards by id.
type Shards struct {
	Shards []Shard `json:"shards"`
}

// Shard is a data shard: its replicas, and how far its rows are in storage.
type Shard struct {
	ID uint32 `json:"id"`
	// Leader is "" while there is none.
	Leader      string    `json:"leader"`
	Term        uint64    `json:"term"`
	CommitIndex uint64    `json:"commit_index"`
	Replicas    []Replica `json:"replicas"`
	Flush       []Flush   `json:"flush"`
}

// Replica is the copy of a shard on a node.
type Replica struct {
	Node string `json:"node"`
	// Role is Voter or Learner.
	Role string `json:"role"`
	// AppliedIndex is the actors', Trailing how many committed entries they have before them.
	AppliedIndex uint64 `json:"applied_index"`
	Trailing     uint64 `json:"trailing"`
	// HashIndex is where StateHash, 16 hexadecimal digits, was taken: replicas with the same index have the same hash.
	HashIndex uint64 `json:"hash_index"`
	StateHash string `json:"state_hash"`
	// Down says why the replica does not serve, as when it differs from the others or its node does not answer; "" for one that does.
	Down string `json:"down,omitempty"`
}

// Flush is how far a shard's rows are in a sink.
type Flush struct {
	Node string `json:"node"`
	// Sink is sqlite, postgres or none.
	Sink      string `json:"sink"`
	Index     uint64 `json:"index"`
	LagOrders int64  `json:"lag_orders"`
	LagMS     int64  `json:"lag_ms"`
	// Seeding: the sink is being filled from another node's, and does not count yet.
	Seeding bool `json:"seeding,omitempty"`
}

// WithLists returns the shards with empty lists where there are none.
func (s Shards) WithLists() Shards {
	shards := make([]Shard, len(s.Shards))
	for i, shard := range s.Shards {
		shard.Replicas, shard.Flush = listed(shard.Replicas), listed(shard.Flush)
		shards[i] = shard
	}
	return Shards{Shards: shards}
}
