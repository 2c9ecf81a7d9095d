package stock

// Moves counts what happened to orders, for metrics. Like the journal that keeps it, it is no part of the state: no replica needs it to agree.
type Moves struct {
	// Accepted orders were placed; Confirmed, Cancelled, Expired and Returned count changes into that state, a return of some of the units too.
	Accepted, Confirmed, Cancelled, Expired, Returned int64
	// FirstDue is the earliest deadline among the expired, 0 without any.
	FirstDue Time
}

// TakeMoves returns what happened to orders of ledgers that are not away since it was last asked for.
func (b *Book) TakeMoves() Moves { return b.journal.takeMoves() }

// TakeMoves is the same for a ledger that has a journal of its own.
func (l *Ledger) TakeMoves() Moves { return l.journal.takeMoves() }

func (j *Journal) takeMoves() (m Moves) {
	if j != nil {
		m, j.moves = j.moves, m
	}
	return m
}

// settled counts an order that waits no more; s is StateCancelled or StateExpired.
func (j *Journal) settled(s State, due Time) {
	switch {
	case j == nil:
	case s == StateCancelled:
		j.moves.Cancelled++
	default:
		j.moves.Expired++
		if j.moves.FirstDue == 0 || due < j.moves.FirstDue {
			j.moves.FirstDue = due
		}
	}
}

func (j *Journal) accepted() {
	if j != nil {
		j.moves.Accepted++
	}
}

func (j *Journal) confirmed() {
	if j != nil {
		j.moves.Confirmed++
	}
}

func (j *Journal) returned() {
	if j != nil {
		j.moves.Returned++
	}
}
