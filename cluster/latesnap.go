package cluster

import (
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/raft"
)

// lateSnapshots keeps snapshots from raft that bring nothing (rule R21): the copy of one that was sent twice, or one that lay in the network while
// the log went on. Raft would install it, which takes the state back and empties the log, and with it entries that this replica acknowledged and
// the leader counts on.
//
// Late is a snapshot whose position this replica already has: it is not above what the machine was given or the newest snapshot holds, or the log
// has an entry of that term there. The answer is success, as if it had been installed, and it fits what is left: the next append begins behind
// that position, where log or snapshot have the entry before it. (When the replica has cut its log above the position nobody waits for the
// answer: a leader of the present term that still sends a snapshot so old would have had to put the newer state there itself, in the same
// sequence of calls.)
type lateSnapshots struct {
	// given is the position up to which the state is there, from log or snapshot.
	given func() uint64
	log   GroupLog
	// dropped is told of each.
	dropped func(index uint64)
}

// is reports whether a snapshot is late.
func (l *lateSnapshots) is(req *raft.InstallSnapshotRequest) bool {
	if req.LastLogIndex <= l.given() {
		return true
	}
	var entry raft.Log
	return l.log.GetLog(req.LastLogIndex, &entry) == nil && entry.Term == req.LastLogTerm
}

// drop reads a late snapshot to its end, or the connection would be out of step, and answers it. In an old term it is answered as raft does.
func (l *lateSnapshots) drop(rpc raft.RPC, req *raft.InstallSnapshotRequest) {
	n, err := io.Copy(io.Discard, rpc.Reader)
	if err == nil && n != req.Size {
		err = fmt.Errorf("cluster: a late snapshot had %d of %d bytes", n, req.Size)
	}
	term, termErr := termOf(l.log)
	if err = errors.Join(err, termErr); err != nil {
		rpc.Respond(nil, err)
		return
	}
	l.dropped(req.LastLogIndex)
	rpc.Respond(&raft.InstallSnapshotResponse{Term: term, Success: req.Term >= term}, nil)
}

var errLate = errors.New("cluster: the snapshot is late")

// judgedReader asks once more whether a snapshot is late when raft begins to read it: only then raft's main goroutine is through with every append
// that came before, and no other can come between. The error makes raft give the snapshot up; the rest is still there to be drained.
type judgedReader struct {
	late   *lateSnapshots
	req    *raft.InstallSnapshotRequest
	from   io.Reader
	judged bool
}

// Read reads from the snapshot.
func (r *judgedReader) Read(p []byte) (int, error) {
	if !r.judged {
		r.judged = true
		if r.late.is(r.req) {
			r.late.dropped(r.req.LastLogIndex)
			return 0, errLate
		}
	}
	return r.from.Read(p)
}
