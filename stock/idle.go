package stock

// tables is what a ledger has once something happened to its SKU. There are many SKUs to which nothing has, yet.
type tables struct {
	rows    rows
	users   people
	returns pages[returned]
	adjusts []*adjusted
	callers []string

	// adjustsHash is the hash of the adjustments, kept up with each change (rule R24).
	adjustsHash chain

	// What follows is derived from the tables above.
	keys       index                // of callers and keys: counters
	names      index                // of names of users: their numbers, plus one
	returnKeys map[scopedKey]uint64 // caller and key -> place in returns
	lastReturn map[uint64]uint64    // counter -> place in returns
	adjustAt   map[memoryKey]*adjusted
	callerAt   map[string]uint32 // nil while callers are few
	// due are deadlines of waiting orders, settled last changes of settled rows; some entries are out of date.
	// Invariant: these are no more than about as many as there are others, and tidyFrom.
	due, settled agenda
	// buf holds texts while one command is applied.
	buf []byte
}

// noTables is what idle ledgers have in common. It is read and never written: wake comes first.
// Invariant: it is zero.
var noTables = new(tables)

func (l *Ledger) idle() bool { return l.tables == noTables }

// wake gives a ledger tables of its own.
func (l *Ledger) wake() {
	if l.idle() {
		l.tables = new(tables)
	}
}

// rest takes the tables of a ledger away when there never was anything in one.
func (l *Ledger) rest() {
	if l.rows.len() == 0 && l.users.len() == 0 && l.returns.len() == 0 && len(l.adjusts) == 0 && len(l.callers) == 0 {
		l.tables = noTables
	}
}

// pass takes a command for all ledgers that finds nothing in the tables.
func (l *Ledger) pass(c Command) Outcome {
	out := Outcome{Code: OK}
	switch c.(type) {
	case *FlushMark, *FlushSpan:
		if l.broken {
			out = refuse(Frozen)
		}
	default:
		out = l.apply(c)
	}
	l.check()
	return out
}

// created returns the spec that the SKU was created with.
func (l *Ledger) created() *Spec {
	if l.creation == nil {
		return &l.spec
	}
	return l.creation
}

// keepCreation must come before a change of the spec.
func (l *Ledger) keepCreation() {
	if l.creation == nil {
		first := l.spec
		l.creation = &first
	}
}
