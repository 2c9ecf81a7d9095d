package meta

import (
	"strconv"

	"holdfast/stock"
)

// ChangeKind says what a change is for.
type ChangeKind uint8

const (
	// AddingNode gives a new node its replicas.
	AddingNode ChangeKind = iota + 1
	// RemovingNode takes a node's replicas away, then the node.
	RemovingNode
	// Balancing evens replicas and leaderships out.
	Balancing
	// Rebuilding replaces one replica on its node by a new one.
	Rebuilding
)

var changeNames = [...]string{AddingNode: "add", RemovingNode: "remove", Balancing: "balance", Rebuilding: "rebuild"}

// String returns the kind's name in the API.
func (k ChangeKind) String() string { return nameOf(changeNames[:], int(k), "ChangeKind") }

// ChangeState says how a change stands.
type ChangeState uint8

const (
	// Running is a change that somebody should drive. Who does is not recorded: two may, and neither is believed.
	Running ChangeState = iota + 1
	// Completed is a change whose replicas are where they should be.
	Completed
	// Aborted is a change that was stopped where it was.
	Aborted
)

var changeStateNames = [...]string{Running: "running", Completed: "completed", Aborted: "aborted"}

// String returns the state's name in the API.
func (s ChangeState) String() string { return nameOf(changeStateNames[:], int(s), "ChangeState") }

// StepState says what is known of a step.
type StepState uint8

const (
	// StepOpen is a step that nobody reported yet.
	StepOpen StepState = iota + 1
	// StepDone is final.
	StepDone
	// StepFailed was tried in vain. It is tried again, but for the last transfers, which are given up.
	StepFailed
)

var stepStateNames = [...]string{StepOpen: "open", StepDone: "done", StepFailed: "failed"}

// String returns the state's name in the API.
func (s StepState) String() string { return nameOf(stepStateNames[:], int(s), "StepState") }

// Change is a change of membership: under way, or one of the last that ended.
type Change struct {
	ID    ChangeID
	Kind  ChangeKind
	Node  string
	Shard uint32
	State ChangeState
	// Reason says why it was aborted.
	Reason       string
	Began, Ended stock.Time
	// Steps is the plan as it was shown, and what was reported of it. What is still to do is not read from here but from the groups.
	Steps []StepReport
	// Before is where the replicas should have been when it began; nil when it ended.
	Before []Shard
}

// StepReport is a step and what was reported of it.
type StepReport struct {
	Step   Step
	State  StepState
	Reason string
}

// ChangeID numbers the changes of a cluster from 1.
type ChangeID uint64

// String returns the id as the API shows it.
func (id ChangeID) String() string { return "c" + strconv.FormatUint(uint64(id), 10) }

// ParseChangeID returns the id that String printed; ok is false for any other text.
func ParseChangeID(s string) (id ChangeID, ok bool) {
	if len(s) < 2 || s[0] != 'c' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[1:], 10, 64)
	if err != nil || n == 0 || ChangeID(n).String() != s {
		return 0, false
	}
	return ChangeID(n), true
}

const (
	// MaxSteps bounds the steps of a change.
	MaxSteps = 8192
	// keptChanges is how many ended changes are remembered.
	keptChanges = 16
)

// Done returns how many steps of the plan were reported done.
func (c *Change) Done() int {
	n := 0
	for i := range c.Steps {
		if c.Steps[i].State == StepDone {
			n++
		}
	}
	return n
}

// report returns what was reported of a step, nil for nothing.
func (c *Change) report(s Step) *StepReport {
	for i := range c.Steps {
		if c.Steps[i].Step == s {
			return &c.Steps[i]
		}
	}
	return nil
}
