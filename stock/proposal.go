package stock

// Header is what a proposal says of itself.
type Header struct {
	// Term is the raft term it was admitted in. Apply drops a proposal whose entry has another term (rule R14).
	Term uint64
	// Clock is the leader's clock when it proposed (rule R2).
	Clock Time
	// Incarnation is drawn by each start of a process, Sequence counts its proposals: with the checksum they tell a leader its own batch.
	Incarnation, Sequence uint64
}

// Proposal is one Raft entry: a batch of commands and the leader's clock reading.
type Proposal struct {
	Header
	Commands []Command
}

// Position is where in the log a command is applied.
type Position struct {
	// Index is the entry's log index.
	Index uint64
	// Now is log time: max(the proposal's clock, the last log time).
	Now Time
}
