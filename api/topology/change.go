package topology

// The kinds and states of a change, and the states of a step.
const (
	KindAdd     = "add"
	KindRemove  = "remove"
	KindBalance = "balance"
	KindRebuild = "rebuild"

	Running   = "running"
	Completed = "completed"
	Aborted   = "aborted"

	StepOpen   = "open"
	StepDone   = "done"
	StepFailed = "failed"
)

// Change is a change of who has which replica.
type Change struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
	// Node is the one that is added, removed or rebuilt; Shard is the rebuilt replica's.
	Node  string `json:"node,omitempty"`
	Shard uint32 `json:"shard,omitempty"`
	State string `json:"state"`
	// Reason says why it was aborted.
	Reason  string `json:"reason,omitempty"`
	BeganAt Moment `json:"began_at"`
	EndedAt Moment `json:"ended_at,omitzero"`
	// StepsDone of StepsTotal steps were reported done.
	StepsDone  int `json:"steps_done"`
	StepsTotal int `json:"steps_total"`
	// Steps are there while the change runs.
	Steps []Step `json:"steps,omitempty"`
}

// Step is one thing to do for a change.
type Step struct {
	// Step is the line of the plan, State what became of it, Reason why it failed; a failed step is tried again.
	Step   string `json:"step"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
}

// Plan is what was planned: the steps, and the change that carries them out; Change is "" for a dry run, and when there is nothing to do.
type Plan struct {
	Plan   []string `json:"plan"`
	Change string   `json:"change,omitempty"`
}

// WithLists returns the plan with an empty list where there is none.
func (p Plan) WithLists() Plan {
	p.Plan = listed(p.Plan)
	return p
}

// Leadership is who leads a shard after a transfer.
type Leadership struct {
	Shard  uint32 `json:"shard"`
	Leader string `json:"leader"`
	Term   uint64 `json:"term"`
}

// Snapshot is one that was taken.
type Snapshot struct {
	Index uint64 `json:"index"`
	Bytes int64  `json:"bytes"`
}

// Settings are what outcomes depend on, alike on all shards, and the bound of nodes.
type Settings struct {
	RetentionMS         int64 `json:"retention_ms"`
	MaxOpenOrdersPerSKU int64 `json:"max_open_orders_per_sku"`
	MaxNodes            int64 `json:"max_nodes"`
}

// SettingsPatch changes the settings that are set.
type SettingsPatch struct {
	RetentionMS         *int64 `json:"retention_ms,omitempty"`
	MaxOpenOrdersPerSKU *int64 `json:"max_open_orders_per_sku,omitempty"`
	MaxNodes            *int64 `json:"max_nodes,omitempty"`
}

// NewNode is a node to add.
type NewNode struct {
	ID   string `json:"id"`
	Peer string `json:"peer"`
}
