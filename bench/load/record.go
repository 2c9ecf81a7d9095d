package load

import "context"

// Call makes one call of a caller and fills the record. The record is empty at the beginning and belongs to the caller for the time of the call.
type Call func(ctx context.Context, caller int, r *Record)

// Record says what became of a call's orders. It is in orders, not calls.
type Record struct {
	Accepted, Refused, Failed, Unknown int
	// Reasons counts refusals and failures by code; it may be nil.
	Reasons map[string]int
}

// Because counts a reason.
func (r *Record) Because(reason string) {
	if r.Reasons == nil {
		r.Reasons = make(map[string]int)
	}
	r.Reasons[reason]++
}

// reset empties a record and keeps its map, so that a call allocates none.
func (r *Record) reset() {
	clear(r.Reasons)
	r.Accepted, r.Refused, r.Failed, r.Unknown = 0, 0, 0, 0
}

// Counts are orders by what became of them, and the calls they came in.
type Counts struct {
	Calls, Accepted, Refused, Failed, Unknown int64
}

func (c Counts) minus(d Counts) Counts {
	return Counts{c.Calls - d.Calls, c.Accepted - d.Accepted, c.Refused - d.Refused, c.Failed - d.Failed, c.Unknown - d.Unknown}
}
