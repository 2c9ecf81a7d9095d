// Package forward answers requests at any node: what is led here at once, the rest at the node of its leader, in one hop, until it is decided or the
// caller's time is up (rule R18 of docs/protocol.md).
//
// What it promises:
//   - A request has one answer. The acceptance of any of its copies is the answer; a refusal is, of the last copy only.
//   - "Not executed" is said only when no copy can have been proposed; otherwise "unknown".
//   - After a refusal, or an acceptance, no copy takes effect: all copies of a command have one key and one deadline, and those beside another one
//     are marked (rule R4).
//   - A node that does not lead says so and keeps nothing; nothing is forwarded twice.
//   - While everything is led here it adds no goroutine and no allocation to a call of the gateway.
//   - Everything that waits is bounded, in number and bytes, and in time by the caller's deadline.
//
// What it assumes: the gateway answers honestly, and in the time it is given; a leader refuses a marked copy only through the log and remembers that
// until the deadline; the clocks of leaders agree within Config.MaxClockSkew (rule R2).
//
// Map of the files: forwarder.go (Do, DoAll), config.go (what it works with, and its bounds), errand.go (the requests of a call for one shard, from
// leader to leader), attempt.go (one try, and what its answer means), item.go (what is known of a request's copies), clock.go (deadlines), hints.go
// (who leads, as others say), outbox.go (frames to other nodes), frame.go (their format), serve.go (answering), listing.go (SKUs of all shards),
// metrics.go, errors.go. Why it is so: DESIGN.md.
package forward
