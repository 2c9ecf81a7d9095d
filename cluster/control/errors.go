package control

import (
	"errors"
	"fmt"
	"strings"

	"holdfast/cluster"
	"holdfast/cluster/meta"
	"holdfast/stock"
)

var (
	// ErrConfig is returned by New for a Config that cannot work.
	ErrConfig = errors.New("control: bad configuration")
	// ErrClosed is returned by every call after Close.
	ErrClosed = errors.New("control: closed")
	// ErrBusy is returned, with stock.ErrNotExecuted, when Bounds.MaxCommands commands of this node wait for their outcome.
	ErrBusy = errors.New("control: too many commands outstanding")
	// ErrNoLeader is returned, with stock.ErrNotExecuted, while nobody is known to lead the group, or this node does not.
	ErrNoLeader = errors.New("control: the group has no leader that answers")
	// ErrElsewhere is returned, with stock.ErrNotExecuted, when leadership that was handed over came to another node than the one asked for.
	ErrElsewhere = errors.New("control: another node leads the group now")
	// ErrNoReplica is returned, with stock.ErrNotExecuted, when this node was asked about a shard of which it has no replica.
	ErrNoReplica = errors.New("control: there is no replica of the shard here")
	// ErrNotEligible is returned, with stock.ErrNotExecuted, when leadership is to go to a node that is no voter.
	ErrNotEligible = errors.New("control: the node has no vote in the shard")
	// ErrSilent is returned, with stock.ErrNotExecuted, when leadership is to go to a node that does not answer.
	ErrSilent = errors.New("control: the node does not answer")
	// ErrNotJoined is returned, with stock.ErrNotExecuted, when replicas are to go to a node that never joined.
	ErrNotJoined = errors.New("control: the node has not joined yet")
	// ErrUnknownShard is returned, with stock.ErrNotExecuted, for a shard that the cluster does not have.
	ErrUnknownShard = errors.New("control: there is no such shard")
	// ErrUnknownNode is returned, with stock.ErrNotExecuted, for a node that the cluster does not have.
	ErrUnknownNode = errors.New("control: there is no such node")
	// ErrNoTable is returned, with stock.ErrNotExecuted, while this node knows nothing of its cluster.
	ErrNoTable = errors.New("control: the cluster's table is not known here yet")
	// ErrClocks is returned by ClocksAgree when the clock of this machine does not agree with a majority of the shard's voters (rule R2).
	ErrClocks = errors.New("control: the clock of this machine does not agree with a majority")
	// ErrMessage is returned, with stock.ErrNotExecuted, for a request of another node that cannot be read.
	ErrMessage = errors.New("control: malformed message")
	// ErrNowhere is returned, with stock.ErrNotExecuted, to a node that asks its way in while a member advertises every address of its machine: the
	// others would look for it on theirs.
	ErrNowhere = errors.New("control: a member is bound to every address of its machine and says no other: start it again with --advertise-peer")
	// ErrNobodyToJoin is returned by Join when no address answered in time.
	ErrNobodyToJoin = errors.New("control: nobody to join")
	// ErrJoinRefused is returned by Join, within a *Refusal, when the cluster does not take the node.
	ErrJoinRefused = errors.New("control: the cluster refused the node")
)

// Refusal is a refused join: what is the matter and what to do about it.
type Refusal struct {
	Outcome meta.Outcome
}

// Error says both.
func (r *Refusal) Error() string {
	return fmt.Sprintf("%v: %s: %s", ErrJoinRefused, r.Outcome.Text(), r.Outcome.WayOut())
}

// Unwrap returns ErrJoinRefused.
func (r *Refusal) Unwrap() error { return ErrJoinRefused }

// plainly takes from a text what tells programs whose error it is.
var plainly = strings.NewReplacer(stock.ErrNotExecuted.Error()+": ", "", stock.ErrUnknown.Error()+": ", "", cluster.ErrNotSent.Error()+": ", "",
	"control: ", "", "cluster: ", "")

// plain is an error whose text is for people.
type plain struct{ error }

// Plain returns an error as it was, with a text for people: without the names of packages, and without what follows from the rest.
func Plain(err error) error { return plain{err} }

// Error returns the text.
func (p plain) Error() string { return plainly.Replace(p.error.Error()) }

// Unwrap returns the error as it was.
func (p plain) Unwrap() error { return p.error }
