// Package meta is what a cluster knows of itself: its nodes, the shard of every partition, where replicas should be, what is being changed about
// that, settings and levels. It is the state machine of the meta group, shard 0, which every node follows, and the plans by which replicas move.
// All of it is pure: no clock, no I/O, no goroutine, no randomness, and no map order in any result.
//
// What it promises:
//   - The same entries give the same outcomes and the same state, byte for byte, on every replica and from every snapshot.
//   - A key takes effect once; its outcome is remembered until its deadline (rule R5). Refusals are outcomes and name the way out.
//   - A replica's number is never given twice (rule R22); a removed node's id and the partition table are for good.
//   - An entry, level or snapshot that this binary does not know is an error: the replica stops, and never skips it (rule R1).
//   - What remains of a change is a function of the table and of what the groups really are: planning again after any crash, by anybody, gives the
//     remaining steps, never a contrary one. No step leaves a group without a majority of voters that answer, and a group has one step at a time.
//
// What it assumes: entries are applied in log order by one goroutine; whoever drives a change has applied the log up to its own term before it
// plans, gives the index of the configuration it saw (prevIndex) with each change of members, and looks again after each.
//
// Map of the files. The state: state.go (State, Apply), cluster.go (what it shows), members.go (nodes, settings, levels), changes.go (begin,
// report, finish, abort), memory.go (keys), node.go, shard.go, change.go, step.go, settings.go. Its forms: command.go, code.go, outcome.go,
// codec.go, fits.go, snapshot.go, errors.go; message.go is the form of what nodes tell each other outside the log. Plans: target.go
// (where replicas should be), view.go (what the groups are), remaining.go and closing.go (what is left to do), plan.go (a change before it
// begins, and one that is stopped). Why it is so: DESIGN.md.
package meta
