package curves

// Sweep varies one condition and holds the others.
type Sweep struct {
	// Name is that of its files, Axis what is varied, as it stands on an axis.
	Name, Axis, Title string
	// Held says what is held, Law what must grow with the condition and why.
	Held, Law string
	// Base are the conditions that are held.
	Base Point
	// Set puts a value of the axis into a run's conditions.
	Set func(p *Point, x int64)
	// Lines are the numbers of nodes, each with the values of the axis at which it is measured.
	Lines []Line
	// TableOnly is a sweep with too few values for a plot.
	TableOnly bool
}

// Line is one number of nodes.
type Line struct {
	Nodes int
	At    []int64
}

// both measures one node and three at the same values.
func both(at ...int64) []Line { return []Line{{1, at}, {3, at}} }

// loaded is a load that keeps the core busy rather than the calls.
var loaded = Point{Scenario: "hot", Clients: 16, Batch: 100}

// many is loaded, over SKUs that are not alike.
func many(skus int) Point {
	p := loaded
	p.Scenario, p.SKUs, p.Skew = "zipf", skus, zipfSkew
	return p
}

// zipfSkew is the exponent of the SKUs' popularity: the most popular of 1,000 gets 18 % of all orders.
const zipfSkew = 1.1

// Sweeps are all curves, in the order of the page.
var Sweeps = []Sweep{
	{Name: "clients", Axis: "callers", Title: "Callers", Base: Point{Scenario: "hot", Batch: 1}, Lines: both(1, 4, 16, 64, 256, 1024),
		Held: "one hot SKU, one order a call",
		Law: "Callers who wait at the same time share a log entry and its fsync, so the rate grows with them until a core is full. " +
			"From there on latency is callers divided by rate: in a closed loop each further caller only waits behind the others.",
		Set: func(p *Point, x int64) { p.Clients = int(x) }},
	{Name: "batch", Axis: "orders a call", Title: "Orders a call", Base: Point{Scenario: "hot", Clients: 16}, Lines: both(1, 10, 100, 1000),
		Held: "one hot SKU, 16 callers",
		Law: "A call costs the same wake, message and wait for the disk whatever it carries; the more orders share it, the less each pays, until only " +
			"the work on the order itself is left. A call's latency then grows with the orders in flight.",
		Set: func(p *Point, x int64) { p.Batch = int(x) }},
	{Name: "skus", Axis: "SKUs", Title: "SKUs", Base: many(1), Lines: both(1, 10, 100, 1000, 10_000, 100_000),
		Held: "zipf of exponent 1.1, 16 callers, 100 orders a call, four shards",
		Law: "Orders of many SKUs are spread over the shards, and each shard's entries are smaller; a call is answered when its last order is. " +
			"More ledgers than the caches hold cost memory accesses, not more work.",
		Set: func(p *Point, x int64) { p.SKUs = int(x) }},
	{Name: "shards", Axis: "shards", Title: "Shards", Base: many(1000), Lines: both(1, 2, 4, 8, 16),
		Held: "1,000 SKUs, zipf of exponent 1.1, 16 callers, 100 orders a call",
		Law: "Shards are Raft groups of their own; they share the log's fsync and the cores. More of them use more cores, as long as there are cores; " +
			"beyond that the same orders come in more and smaller entries.",
		Set: func(p *Point, x int64) { p.Shards = int(x) }},
	{Name: "replicas", Axis: "replicas", Title: "Replicas", Base: loaded, Lines: []Line{{1, []int64{1}}, {3, []int64{3}}}, TableOnly: true,
		Held: "one hot SKU, 16 callers, 100 orders a call; a replica is a node on the same two cores",
		Law: "With three replicas each order is encoded once, sent twice and applied three times, and it is acknowledged after two fsyncs in turn, the leader's " +
			"and the faster follower's. On one machine all three share its cores; on three machines only the wait remains.",
		Set: func(*Point, int64) {}},
	{Name: "stored", Axis: "orders stored before", Title: "Stored orders", Base: loaded, Lines: []Line{{1, []int64{1e4, 1e5, 1e6, 1e7}}, {3, []int64{1e4, 1e5, 1e6}}},
		Held: "one hot SKU, 16 callers, 100 orders a call",
		Law: "Looking up a key or a user takes the same steps in a table of any size, but a large one lies in memory rather than in a cache, grows in larger steps, " +
			"and gives the collector more to look at.",
		Set: func(p *Point, x int64) { p.Preload = x }},
	{Name: "payload", Axis: "bytes of user and key", Title: "Payload", Base: loaded, Lines: both(32, 64, 128, 256),
		Held: "one hot SKU, 16 callers, 100 orders a call",
		Law:  "Each byte is copied into the entry, hashed, written to the log of each replica, sent to the others, and kept.",
		Set:  func(p *Point, x int64) { p.PayloadBytes = int(x) }},
}
