package cluster

import (
	"fmt"
	"sync"
)

// installs counts the snapshots that came without bringing the replica further. A leader whose appends do not fit behind the snapshot that it has
// just sent sends it again, for ever (raft#697, for logs that keep a tail which the snapshot contradicts; ours keeps none). Opening the replica anew
// makes log and snapshot fit (reconcile).
type installs struct {
	mu    sync.Mutex // guards what follows
	index uint64     // the highest position that a snapshot brought
	given uint64     // what the machine was given when it came
	count int        // how many came since that were no higher, with nothing applied between
}

// maxInstalls is how many times in a row a replica takes the same snapshot.
const maxInstalls = 3

// installed counts a snapshot, installed or late, that was answered as a success.
func (r *replica) installed(index uint64) {
	n, given := &r.installs, r.fsm.given.Load()
	n.mu.Lock()
	if index > n.index || given != n.given {
		n.index, n.given, n.count = max(index, n.index), given, 0
	}
	n.count++
	count := n.count
	n.mu.Unlock()
	if count == maxInstalls {
		r.shard.fail(0, 0, fmt.Errorf("%w: %d times up to %d", ErrInstalls, count, index))
	}
}
