package demo

import (
	"fmt"
	"slices"

	"holdfast/api/topology"
)

// Row is one line of the proof: what was checked, what each of the three says about it, and whether that is as promised.
type Row struct {
	Check  string `json:"check"`
	Told   string `json:"clients"`
	Log    string `json:"log"`
	Stored string `json:"sqlite"`
	Pass   bool   `json:"pass"`
}

// Proof is the comparison of the three counts.
type Proof struct {
	Pass bool  `json:"pass"`
	Rows []Row `json:"checks"`
	// Faults say what is wrong, order by order, as far as there is room.
	Faults []string `json:"faults,omitempty"`
}

// Expected is what the sale had to come to.
type Expected struct {
	// Units is the stock, all of which had to be sold.
	Units int64
	// Limit is how many units a buyer may have at once.
	Limit int64
	// Cuts is how often the power was cut.
	Cuts int
}

// Copy is what one node's files say: the second count and the third.
type Copy struct {
	Node   string
	Log    Replayed
	Stored Stored
}

// Prove compares three counts that know nothing of each other: what the clients were told, what the log of every node replays to, what the SQLite of
// every node holds. Of a cluster it also compares the replicas, with what they said of themselves when the sale had ended.
func Prove(want Expected, t Told, copies []Copy, ended []topology.Shard) Proof {
	c := comparison{want: want, told: t, ended: ended}
	for _, one := range copies {
		c.sources = append(c.sources, newSource(one, len(copies) > 1))
	}
	p := Proof{Rows: []Row{
		c.sold(), c.peak(), c.acknowledged(), c.untold(), c.definite(), c.perBuyer(), c.keys(), c.released(), c.payments(), c.alike(),
	}}
	if len(copies) > 1 {
		p.Rows = append(p.Rows, c.identical(), c.lost(), c.unknown(), c.gap())
	}
	p.Pass = len(copies) > 0 && !slices.ContainsFunc(p.Rows, func(r Row) bool { return !r.Pass })
	p.Faults = c.faults
	return p
}

type comparison struct {
	want    Expected
	told    Told
	sources []*source
	ended   []topology.Shard
	faults  []string
}

// fault notes what is wrong, for a few.
func (c *comparison) fault(format string, args ...any) {
	if len(c.faults) < maxFaults {
		c.faults = append(c.faults, fmt.Sprintf(format, args...))
	}
}

// of asks every node for a figure.
func (c *comparison) of(ask func(s *source) int64) figures {
	var f figures
	for _, s := range c.sources {
		f = append(f, ask(s))
	}
	return f
}
