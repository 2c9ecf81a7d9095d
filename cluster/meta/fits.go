package meta

import (
	"holdfast/cluster/placement"
	"holdfast/stock"
)

// fits reports whether every field of a command is short enough to be kept. Encoding and decoding hold to it alike; whether a value makes sense
// is for apply to say, with an outcome.
func fits(c Command) bool {
	if h := c.Head(); len(h.Caller) > stock.MaxNameBytes || len(h.Key) > stock.MaxKeyBytes {
		return false
	}
	switch c := c.(type) {
	case *Create:
		return len(c.Node) <= MaxNodeIDBytes && c.Addresses.fits() && c.Binary.fits() && len(c.Partitions) <= stock.Partitions
	case *AddNode:
		return len(c.Node) <= MaxNodeIDBytes && c.Addresses.fits() && c.Binary.fits()
	case *UpdateNode:
		return len(c.Node) <= MaxNodeIDBytes && c.Addresses.fits()
	case *Adopt:
		return len(c.Node) <= MaxNodeIDBytes && c.Binary.fits()
	case *Begin:
		return len(c.Node) <= MaxNodeIDBytes && shardsFit(c.Shards) && stepsFit(c.Steps)
	case *Report:
		return c.Step.fits() && len(c.Reason) <= stock.MaxReasonBytes
	case *Abort:
		return len(c.Reason) <= stock.MaxReasonBytes && shardsFit(c.Shards)
	}
	return true
}

func (a *Addresses) fits() bool {
	return len(a.Peer) <= MaxAddressBytes && len(a.HTTP) <= MaxAddressBytes && len(a.Admin) <= MaxAddressBytes
}

func (b *Binary) fits() bool { return len(b.Version) <= MaxVersionBytes }

func shardsFit(shards []Shard) bool {
	if len(shards) > placement.MaxShards+1 {
		return false
	}
	for i := range shards {
		if len(shards[i].Replicas) > MaxMaxNodes {
			return false
		}
		for _, r := range shards[i].Replicas {
			if len(r.Node) > MaxNodeIDBytes {
				return false
			}
		}
	}
	return true
}

func stepsFit(steps []Step) bool {
	if len(steps) > MaxSteps {
		return false
	}
	for i := range steps {
		if !steps[i].fits() {
			return false
		}
	}
	return true
}
