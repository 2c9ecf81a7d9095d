package cluster

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// Messages of raft that belong to a start, a new replica or a leadership that is handed over, where nothing is wrong. lastLeader is the argument by
// which raft names the leader that fell silent, "" when it knew of none: that is the election of every start, by which the only voter of a group
// makes itself leader too.
const (
	electionWarning  = "heartbeat timeout reached, starting election"
	lastLeader       = "last-leader-id"
	noPreviousLog    = "failed to get previous log"
	sendingOlderLogs = "appendEntries rejected, sending older logs"
	newerTerm        = "peer has newer term, stopping replication"
	brokenOff        = "failed to decode incoming command"
)

// ordinary reports whether a message is news only to who debugs: an election of a replica that has heard of no leader yet; what a leader and an empty
// replica say to each other first, and before the replica is open; that a leader learns of the next one; connections that this node itself closed.
func ordinary(msg string, args []any) bool {
	switch msg {
	case electionWarning:
		return argument(args, lastLeader) == ""
	case noPreviousLog:
		return argument(args, "last-index") == "0"
	case sendingOlderLogs:
		return argument(args, "next") == "1"
	case newerTerm:
		return true
	}
	return slices.ContainsFunc(args, func(arg any) bool {
		err, ok := arg.(error)
		var refused *dialRefused
		return ok && (errors.As(err, &refused) && refused.verdict == verdictStream || msg == brokenOff && errors.Is(err, net.ErrClosed))
	})
}

// argument returns the text of a named argument, "-" when there is none of that name.
func argument(args []any, name string) string {
	if at := slices.Index(args, any(name)); at >= 0 && at+1 < len(args) {
		return fmt.Sprint(args[at+1])
	}
	return "-"
}

const (
	// repeatEvery is how often the log has the same message about the same peer.
	repeatEvery = time.Minute
	// maxRepeats bounds how many messages are remembered; peers and messages are few.
	maxRepeats = 256
)

// repeats knows what was said of late.
type repeats struct {
	now func() time.Time

	mu   sync.Mutex // guards said
	said map[string]repeat
}

type repeat struct {
	at      time.Time
	omitted int
}

// say reports whether a message is to be said, and how many like it were left out before. Only those that are about a peer are ever left out: they
// come with every heartbeat.
func (r *repeats) say(msg string, args []any) (omitted int, say bool) {
	peer := argument(args, "peer")
	if peer == "-" {
		if peer = argument(args, "target"); peer == "-" {
			return 0, true
		}
	}
	key, now := msg+" "+peer, r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	last, known := r.said[key]
	if known && now.Sub(last.at) < repeatEvery {
		last.omitted++
		r.said[key] = last
		return 0, false
	}
	if r.said == nil || len(r.said) >= maxRepeats {
		r.said = make(map[string]repeat)
	}
	r.said[key] = repeat{at: now}
	return last.omitted, true
}
