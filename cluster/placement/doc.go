// Package placement says where things live in a cluster: which shard owns a partition, which nodes hold a shard's replicas, and which replica
// should lead. Everything here is a pure function of its arguments: no clock, no I/O, no randomness, no order of a map. Two nodes that know the
// same table and the same nodes compute the same plan.
//
// What it promises:
//   - Partitions: every partition has one shard, for good; no shard owns more than LoadCap of them.
//   - Plan: the numbers of replicas on any two nodes differ by at most one, a shard's replicas are on different nodes, and no plan of that kind
//     makes fewer moves. Adding a node to an even table moves replicas only to it; removing one moves its replicas and what evenness needs.
//   - Refill: replicas stay where they are, and what is missing goes to nodes that answer, when Plan would use one that does not.
//   - Voters: votes stay with those who are preferred, and move only when they must.
//   - Leaders: leadership is as even as the replicas allow, with the fewest transfers.
//
// Ties are broken by highest random weight (Thaler and Ravishankar, 1998) over xxhash64. What is solved exactly rather than by a greedy walk is
// a minimum-cost flow: a greedy walk over shards gets evenness and few moves, but not always the fewest.
//
// Map of the files: weight.go (highest random weight), partitions.go (partition to shard), replicas.go (Plan), refill.go (Refill),
// voters.go (Voters), leaders.go (Leaders), flow.go (the solver).
package placement
