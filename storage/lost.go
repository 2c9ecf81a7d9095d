package storage

import (
	"fmt"
	"strings"

	"holdfast/stock"
)

// lostInRestore stands in the state of an order, and in the mode of a SKU, that a sink had from the time after the backup: the state that was
// restored does not know it (rule R27). It is none of the domain's states, so no query for one of these finds it.
const lostInRestore = "lost_in_restore"

// Lost says which rows a restore has lost, once all that the restored state knows is written: those of a shard's partitions that an earlier epoch
// wrote last, after the backup. An earlier epoch's rows from before the backup had left memory by then, and are as they should be.
type Lost struct {
	// After is the index of the last log entry in the backup; 0: nothing was lost.
	After      uint64
	Partitions []stock.Partition
}

// loses returns what is lost when the cursor of a shard goes on from one index to another: all at once, in the transaction with which all that was
// restored is written.
func (f *shardFlusher) loses(from, to uint64) Lost {
	if f.restored == 0 || from >= f.restored || to < f.restored {
		return Lost{}
	}
	return Lost{After: f.restored, Partitions: f.shard.Partitions}
}

// indexMask takes the log index out of a version.
const indexMask = 1<<indexBits - 1

// lostSKUs selects the SKUs of all shards that may be lost; their partition is a hash, which SQL does not have.
const lostSKUs = "select sku from %s where version < %s and (version & %d) > %s"

// placeOfID is SQL for the number that the first ten digits of an order's id are; find is the database's function that finds a text in another.
func placeOfID(find string) string {
	const digits = "'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'"
	terms, weight := make([]string, placeChars), int64(1)
	for i := placeChars; i > 0; i-- {
		terms[i-1] = fmt.Sprintf("(%s(%s, substr(id, %d, 1)) - 1) * cast(%d as bigint)", find, digits, i, weight)
		weight *= 62
	}
	return "(" + strings.Join(terms, " + ") + ")"
}

// markLostOrders returns the statement that marks the lost orders; its parameters are the first version of this epoch, the last index of the backup,
// and the partitions, of which owned says how a partition is looked for among them.
func markLostOrders(orders, find, base, after, owned string) string {
	return fmt.Sprintf("update %s set state = '%s' where version < %s and (version & %d) > %s and ((%s >> 32) & %d) %s",
		orders, lostInRestore, base, int64(indexMask), after, placeOfID(find), stock.Partitions-1, owned)
}
