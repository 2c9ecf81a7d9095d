package cluster

import (
	"fmt"

	"github.com/hashicorp/raft"
)

// answered returns the error of a call, or ErrReplicaOther when a replica answered that was not meant. A node has one address and one stream for a
// shard, whatever replica it holds: the answer of the one that came counts for the one that was removed unless somebody looks, and two leaders at once are
// possible: an old candidate, cut off when the members changed, has its vote. (The answers to a snapshot and to TimeoutNow do not say whose they are.
// Neither elects, and what a snapshot holds is committed already.)
func answered(id raft.ServerID, err error, answer raft.WithRPCHeader) error {
	if err != nil {
		return err
	}
	if by := raft.ServerID(answer.GetRPCHeader().ID); by != id {
		return fmt.Errorf("%w: %s answered for %s", ErrReplicaOther, by, id)
	}
	return nil
}

// vouch lets raft judge a candidate by term and log alone. Raft refuses its vote to one that is no voter by the configuration here. That may be
// an old one: a voter that was away while members came and went would then be of no use to those that came, and a group of which a majority is
// alive may have nobody who can be elected. That it votes for whoever asks is what the algorithm says (Ongaro, Consensus: Bridging
// Theory and Practice, 4.2.2); those who were removed and do not know it are kept from disturbing by the pre-vote and by the leader that is known.
func (t *transport) vouch(rpc raft.RPC) {
	switch req := rpc.Command.(type) {
	case *raft.RequestVoteRequest:
		req.ID = nil // as an old version sends it: its place is not looked at
	case *raft.RequestPreVoteRequest:
		if t.voter != nil {
			req.ID = []byte(t.voter()) // it must have one
		}
	}
}

// aVoter returns a voter of the newest configuration here, "" for none.
func (r *replica) aVoter() raft.ServerID {
	c := r.members.newest()
	for _, member := range c.members {
		if member.Suffrage == raft.Voter {
			return member.ID
		}
	}
	return ""
}
