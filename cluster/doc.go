// Package cluster runs a node's shards as Raft groups and speaks to the other nodes.
//
// What it promises:
//   - Committed entries reach a shard's Machine in log order, each once in a replica's life, and from the start after a rebuild.
//   - Propose tells its outcome exactly once: committed, not executed, or unknown. Never "committed" for an entry the machine did not get.
//   - A snapshot counts only when it is durable; on start the newest is taken or the node refuses to start (rule R23).
//   - A machine that fails takes its replica out of the group; the replica is rebuilt, and stays down when the same entry fails twice (rule R17).
//   - A log that fails ends the replica, not the process: raft's own goroutine ends instead of panicking (raftlog.go).
//   - Nothing that reaches the peer port from outside the cluster reaches raft or a handler. With certificates that holds against anybody; without,
//     against mistakes.
//   - A request to another node ends as done, certainly not executed, or unknown, and nothing in between.
//
// What it assumes: the GroupLog is durable when StoreLogs returns; the Machine is deterministic and honours the contract in machine.go.
//
// Map of the files: cluster.go (Open, Close), slots.go (replicas that open and go), mark.go (whose a shard's directory is), config.go, route.go
// (partition to shard to leader), shard.go (Propose and what may be asked), raftid.go (the names of replicas), memberlog.go (who is in a group),
// kinds.go (what nodes ask each other), supervise.go (faults and rebuilds), replica.go (one life of a shard's copy), watch.go (leadership), fsm.go
// (raft to Machine), machine.go (the contract), outcome.go (what Apply's answer means), raftconfig.go, raftlog.go (the log as raft gets it),
// recentlog.go (its newest entries), reconcile.go (log against snapshot, bootstrap), snapshotter.go (when), snapstore.go, snapsink.go, snapfile.go
// (how, format), fs.go (the file system under them), peer.go (the peer port), peermeet.go, handshake.go (who is there), peerdrop.go (who was turned
// away), stream.go (one kind of traffic), transport.go, votes.go (raft over it), contact.go (who answered raft), latesnap.go, installs.go (snapshots that bring
// nothing), members.go (changes of members), transfer.go (handing leadership over), barrier.go (all that was acknowledged), found.go (groups that
// begin with a state), prompt.go (heartbeats now), trailing.go (who stands still), join.go (nodes that are no members yet), peers.go (requests beside
// raft), rpcconn.go (asking), rpcserve.go (answering), rpcframe.go (the format), logger.go, logrepeats.go (what raft says, and how often),
// metrics.go, errors.go. Certificates are in peercert, placement is in placement. Why it is so: DESIGN.md.
//
// Below it: meta (what a cluster knows of itself, and the plans by which replicas move; pure), placement (where things go; pure), peercert (the
// certificates of nodes).
package cluster
