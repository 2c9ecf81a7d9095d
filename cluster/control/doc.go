// Package control keeps the cluster in the shape that package cluster/meta wants: it holds this node's replica of the meta group, or a copy of its
// table, exchanges statuses with the other nodes, and drives changes on the node that leads the meta group.
//
// What it promises:
//   - Do sends a command again under the same key until there is an outcome: it takes effect once, and what is unknown stays unknown (rule R5).
//   - A change goes on after any crash, of whoever drives it too: nothing but the table and the groups says what remains. Each change of members
//     carries the index of the configuration it rests on, so two drivers do no harm (rule R22).
//   - A driver has applied everything committed before its term before it plans. A term of the meta group opens while the clock of its leader
//     agrees with a majority (rule R2).
//   - An empty replica is never opened in the place of one that votes, and a replica is removed only when its group's leader says, in a
//     configuration that is committed and not older than the replica's own, that it is no member.
//   - An idle cluster writes nothing to any log.
//
// What it assumes: the groups refuse a change of members whose prevIndex is not theirs, and a leader that lost its majority stops leading soon.
// Node ids are what the peer port proved them to be.
//
// Map of the files: control.go (New, Start, Close, the loop), config.go, groups.go and adapter.go (what it needs of others), errors.go, metrics.go.
// The log: machine.go, clock.go (the leader's), do.go (commands), waiting.go (who waits for outcomes). The others: status.go (what a node says of
// itself), exchange.go (asking and answering), nodes.go (what is known of the others, leaders, the view of the groups), clocks.go (rule R2),
// filling.go (whose storage is waited for), join.go. The driver: driver.go, steps.go (one step, and which change is needed), admin.go (what a group's
// leader is asked to do), here.go (replicas of this node), operations.go (what operators ask for), transfer.go (what they ask of a shard's leader),
// shards.go (what they are shown). Why it is so: DESIGN.md.
package control
