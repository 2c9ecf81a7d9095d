package bench

// figure is which rate of a run counts.
type figure string

const (
	acceptedRate figure = "accepted"
	refusedRate  figure = "refused"
)

// work is what all contestants of a match are asked to do, under the same load.
type work struct {
	// part is P1 to P4, name the match's own; text says in words what is asked.
	part, name, text string
	scenario         string
	// orders in a call, callers unless the comparison says otherwise, and which rate counts.
	batch, clients int
	figure         figure
	// ours and theirs name contestants; theirs come with the least ratio that is wanted, 0: none is.
	ours   string
	theirs []against
	// absolute is the least rate that is wanted of ours; 0: none.
	absolute float64
}

type against struct {
	contestant string
	target     float64
}

// The contestants, by their names in results.
const (
	oursHTTP         = "holdfast-http"
	oursThree        = "holdfast-3"
	oursOne          = "holdfast-1"
	redisRival       = "redis"
	postgresRival    = "postgres"
	postgresOneRival = "postgres-one-statement"
	raftThreeRival   = "raft-3"
	raftOneRival     = "raft-1"
	nothingRival     = "nothing"
)

// The load of a match: as many callers as singles need to share an fsync, or calls large and many enough to fill the core.
const (
	singleCallers = 64
	batchCallers  = 16
	smallBatch    = 100
	largeBatch    = 1000
)

// matches are all parts, in the order in which they are measured.
var matches = []work{
	{part: "P1", name: "http-one", text: "one order a request, one hot SKU", scenario: Hot, batch: 1, clients: singleCallers, figure: acceptedRate, ours: oursHTTP,
		theirs: []against{{redisRival, 1}, {postgresRival, 30}, {postgresOneRival, 0}}},
	{part: "P2", name: "http-batch-100", text: "100 orders a request, one hot SKU", scenario: Hot, batch: smallBatch, clients: batchCallers, figure: acceptedRate,
		ours: oursHTTP, theirs: []against{{redisRival, 4}}},
	{part: "P2", name: "http-batch-1000", text: "1000 orders a request, one hot SKU", scenario: Hot, batch: largeBatch, clients: batchCallers, figure: acceptedRate,
		ours: oursHTTP, theirs: []against{{redisRival, 4}}},
	{part: "P3", name: "in-process-3", text: "by function call, one hot SKU, 3 nodes", scenario: Hot, batch: largeBatch, clients: batchCallers, figure: acceptedRate,
		ours: oursThree, theirs: []against{{raftThreeRival, 0}}, absolute: 500_000},
	{part: "P3", name: "in-process-1", text: "by function call, one hot SKU, 1 node", scenario: Hot, batch: largeBatch, clients: batchCallers, figure: acceptedRate,
		ours: oursOne, theirs: []against{{raftOneRival, 0}}, absolute: 1_000_000},
	{part: "P4", name: "soldout-in-process", text: "refusals (sold out) by function call, 3 nodes", scenario: Soldout, batch: largeBatch, clients: batchCallers,
		figure: refusedRate, ours: oursThree, theirs: []against{{redisRival, 0}}, absolute: 1_500_000},
	{part: "P4", name: "soldout-http", text: "refusals (sold out), one order a request", scenario: Soldout, batch: 1, clients: singleCallers, figure: refusedRate,
		ours: oursHTTP, theirs: []against{{nothingRival, 0.9}, {redisRival, 0}}},
}

// contestants are ours, then theirs in the order of targets.
func (w work) contestants() []string {
	names := []string{w.ours}
	for _, a := range w.theirs {
		names = append(names, a.contestant)
	}
	return names
}

// CompareParts are the parts that a comparison can run, in order.
func CompareParts() []string {
	var parts []string
	for _, w := range matches {
		if len(parts) == 0 || parts[len(parts)-1] != w.part {
			parts = append(parts, w.part)
		}
	}
	return parts
}
