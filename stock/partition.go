package stock

import "github.com/cespare/xxhash/v2"

// Partitions is the number of partitions of a cluster, fixed forever.
const Partitions = 1024

// Partition is a slice of the SKU names. A partition belongs to one shard for the whole life of a cluster.
type Partition uint16

// PartitionOf returns the partition of a SKU: xxhash64 of its name modulo Partitions.
func PartitionOf(sku string) Partition { return Partition(xxhash.Sum64String(sku) % Partitions) }
