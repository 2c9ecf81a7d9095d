package placement

import (
	"encoding/binary"
	"fmt"

	"holdfast/stock"
)

// MaxShards bounds the shards of a cluster: each owns two partitions on average.
const MaxShards = stock.Partitions / 2

// Partitions returns the shard of every partition, ids 1 to shards. It is the same for the whole life of a cluster and of this program: a change
// here would send orders to shards that do not own them, so a golden test holds the result.
//
// A partition goes to the shard with the highest random weight among those that own fewer than LoadCap partitions. Partitions choose in
// ascending order. It panics unless 1 <= shards <= MaxShards.
func Partitions(shards int) []uint32 {
	if shards < 1 || shards > MaxShards {
		panic(fmt.Sprintf("placement: %d shards; must be 1 to %d", shards, MaxShards))
	}
	names := make([]string, shards)
	for i := range names {
		names[i] = shardName(uint32(i + 1))
	}
	limit, load := LoadCap(shards), make([]int, shards)
	table := make([]uint32, stock.Partitions)
	for p := range table {
		rank := ranks(uint64(p), names)
		best := -1
		for i := range names {
			if load[i] < limit && (best < 0 || rank[i] < rank[best]) {
				best = i
			}
		}
		load[best]++
		table[p] = uint32(best + 1)
	}
	return table
}

// LoadCap returns how many partitions one shard may own: 1.25 times the average, rounded up.
func LoadCap(shards int) int {
	return (5*stock.Partitions + 4*shards - 1) / (4 * shards)
}

func shardName(id uint32) string {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], id)
	return string(b[:])
}
