package stock

const (
	// MaxHashReports bounds the reports of one hash mark.
	MaxHashReports = 9
	// MaxReplicaBytes bounds the name of a replica in a report.
	MaxReplicaBytes = 160
)

// HashMark is a place of the log at which every replica notes the hash of its state, that after the whole entry, and a verdict on the states at an
// earlier mark (rule R24). It changes nothing of the state.
type HashMark struct {
	// Index is the earlier mark's; 0 when there is nothing to tell about one.
	Index uint64
	// Reports are what replicas said of their states there, in the order of their names, each once.
	Reports []HashReport
}

// HashReport is what a replica says of its state at a mark.
type HashReport struct {
	// Replica is its id in the raft group.
	Replica string
	Hash    uint64
}

// Kind returns the command's number in the log.
func (*HashMark) Kind() Kind { return KindHashMark }

// Head returns nil: leaders make the command, and nobody waits for it.
func (*HashMark) Head() *Meta { return nil }

// Odd returns the replicas that must stop: those that did not report what more than half of all reports say; without such a majority, every
// replica that reported. One report alone, or none, says nothing, and a replica that has not reported is not judged.
func (c *HashMark) Odd() (odd []string) {
	if len(c.Reports) < 2 {
		return nil
	}
	hash, major := c.majority()
	for _, r := range c.Reports {
		if !major || r.Hash != hash {
			odd = append(odd, r.Replica)
		}
	}
	return odd
}

// majority returns the hash that more than half of the reports say.
func (c *HashMark) majority() (hash uint64, ok bool) {
	for _, r := range c.Reports {
		n := 0
		for _, o := range c.Reports {
			if o.Hash == r.Hash {
				n++
			}
		}
		if 2*n > len(c.Reports) {
			return r.Hash, true
		}
	}
	return 0, false
}

// fits reports whether every field is within its bound, and the reports are in their one order.
func (c *HashMark) fits() bool {
	if len(c.Reports) > MaxHashReports {
		return false
	}
	for i, r := range c.Reports {
		if r.Replica == "" || len(r.Replica) > MaxReplicaBytes || (i > 0 && r.Replica <= c.Reports[i-1].Replica) {
			return false
		}
	}
	return true
}
