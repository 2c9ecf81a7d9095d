package cluster

import "errors"

var (
	// ErrConfig is returned by Open for a Config that cannot work.
	ErrConfig = errors.New("cluster: bad configuration")
	// ErrClosed is returned by every call after Close.
	ErrClosed = errors.New("cluster: closed")
	// ErrDown is returned while a shard's replica is out of its group, wrapping the fault that took it out.
	ErrDown = errors.New("cluster: replica is down")
	// ErrEntryFailed is returned by Fault when the same entry of the log failed twice: the replica stays down and never skips it (rule R17).
	ErrEntryFailed = errors.New("cluster: the same entry failed twice")
	// ErrOutstanding is returned, with stock.ErrNotExecuted, when Config.MaxOutstanding proposals of a shard wait for their outcome.
	ErrOutstanding = errors.New("cluster: too many proposals outstanding")
	// ErrEntryTooLarge is returned, with stock.ErrNotExecuted, for a proposal above Config.MaxEntryBytes.
	ErrEntryTooLarge = errors.New("cluster: proposal is too large")
	// ErrStuck is returned when a replica's goroutines did not end in Config.StopTimeout: the disk or the machine does not answer.
	ErrStuck = errors.New("cluster: replica does not stop")
	// ErrNoSnapshot is returned when a snapshot is asked for and nothing was ever applied.
	ErrNoSnapshot = errors.New("cluster: nothing to take a snapshot of")

	// ErrSnapshotCorrupt is returned by Open when a shard's newest snapshot does not verify. An older one is never taken instead (rule R23).
	ErrSnapshotCorrupt = errors.New("cluster: snapshot is corrupt")
	// ErrSnapshotVersion is returned when a snapshot was written in a format version that this program does not know.
	ErrSnapshotVersion = errors.New("cluster: snapshot has an unknown version")
	// ErrSnapshotForeign is returned when a snapshot belongs to another cluster or shard.
	ErrSnapshotForeign = errors.New("cluster: snapshot belongs elsewhere")
	// ErrLogGap is returned by Open when entries between a shard's snapshot and its log are nowhere.
	ErrLogGap = errors.New("cluster: entries are missing between snapshot and log")
	// ErrStateLost is returned when a replica that once held entries has neither log nor snapshot: it must not vote again.
	ErrStateLost = errors.New("cluster: log and snapshots are gone")

	// ErrNoShard is returned by OpenReplica and RemoveReplica for a shard that the cluster does not have.
	ErrNoShard = errors.New("cluster: no such shard")
	// ErrReplicaGone is returned by OpenReplica for a number that was removed: numbers are not used again (rule R22).
	ErrReplicaGone = errors.New("cluster: the replica was removed")
	// ErrReplicaOther is returned when the directory holds, or this node runs, another replica of the shard than the one that is to be opened.
	ErrReplicaOther = errors.New("cluster: another replica is there")
	// ErrMark is returned when the file that says whose a shard's directory is cannot be read.
	ErrMark = errors.New("cluster: the replica's mark is damaged")

	// ErrNotLeader is returned, with stock.ErrNotExecuted, by what only the leader of a group can do.
	ErrNotLeader = errors.New("cluster: this replica does not lead")
	// ErrStaleConfiguration is returned, with stock.ErrNotExecuted, for a change of members that was decided on another configuration than the
	// newest.
	ErrStaleConfiguration = errors.New("cluster: the members have changed")
	// ErrNotMember is returned, with stock.ErrNotExecuted, for a change of a replica that is not in the group, or is there as something else.
	ErrNotMember = errors.New("cluster: no such member")
	// ErrLastVoter is returned, with stock.ErrNotExecuted, for a change that would leave a group without a voter.
	ErrLastVoter = errors.New("cluster: the last voter stays")
	// ErrNoHeir is returned by Transfer, with stock.ErrNotExecuted, when no voter that could lead answers.
	ErrNoHeir = errors.New("cluster: nobody to hand leadership to")
	// ErrTransferring is returned by Transfer, with stock.ErrNotExecuted, while another transfer of the group is under way.
	ErrTransferring = errors.New("cluster: leadership is being handed over already")
	// ErrTransferStuck is the fault of a leader that refuses all proposals because of a leadership transfer that is long over (raft#696).
	ErrTransferStuck = errors.New("cluster: raft refuses proposals because of a leadership transfer")
	// ErrInstalls is the fault of a replica that is sent the same snapshot again and again (raft#697).
	ErrInstalls = errors.New("cluster: snapshots come and bring nothing")

	// ErrPeerRefused is returned by a dial that the other node answered with a refusal.
	ErrPeerRefused = errors.New("cluster: peer refused the stream")
	// ErrPeerOther is returned by a dial that reached another node than the one it wanted.
	ErrPeerOther = errors.New("cluster: another node answers there")
	// ErrNotSent is returned by Peers.Call, with stock.ErrNotExecuted, when no byte of the request left this node.
	ErrNotSent = errors.New("cluster: the request was not sent")
	// ErrMaybeSent is returned by Peers.Call, with stock.ErrUnknown, when the request may have arrived and no answer came.
	ErrMaybeSent = errors.New("cluster: the request may have been sent")
	// ErrNotTaken is returned by Peers.Call, with stock.ErrNotExecuted, when the other node answered that it did nothing.
	ErrNotTaken = errors.New("cluster: the peer did not take the request")
	// ErrPeerFailed is returned by Peers.Call, with stock.ErrUnknown, when the handler at the other node failed.
	ErrPeerFailed = errors.New("cluster: the peer failed on the request")
	// ErrPeerBound is returned by Peers.Call, with ErrNotSent, when a bound on requests to a node was reached.
	ErrPeerBound = errors.New("cluster: too many requests to a peer")
	// ErrFrameTooLarge is returned when a message on a peer connection exceeds Config.FrameBytes, or a request Config.RPCFrameBytes.
	ErrFrameTooLarge = errors.New("cluster: peer message is too large")
)
