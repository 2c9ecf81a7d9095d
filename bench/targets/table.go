package targets

import "holdfast/bench/result"

// The stored results, by what measures them.
const (
	compareFile = "compare.json"
	threeFile   = "hot.json"
	idleFile    = "unloaded.json"
	idleHTTP    = "unloaded-http.json"
	halfFile    = "half.json"
	manyFile    = "many.json"
	failFile    = "failover.json"
	memoryFile  = "memory.txt"
	restartFile = "restart.txt"
	cutFile     = "snapshot.txt"
	moveFile    = "transfer.txt"
	logFile     = "wal.json"
)

// The commands that store them.
const (
	compareCommand = "holdfast bench compare --rounds 5 -o json > bench/results/" + compareFile
	threeCommand   = "holdfast bench --clients 16 --batch 1000 --sink none --duration 30s -o json > bench/results/" + threeFile
	logCommand     = "go test ./wal -run TestBenchmarksPage -timeout 1h -args -measure -rounds 5 -recovery-mib 1024"
	restartCommand = "go test ./node -run NONE -bench Restart -benchtime 3x -timeout 1h -args -restart-orders 10000000 | tee bench/results/" + restartFile
	memoryCommand  = "go test ./stock -run NONE -bench Memory -count 3 | tee bench/results/" + memoryFile
)

// The contestants of ours, and theirs, as a comparison calls them.
const (
	oursHTTP, oursThree, oursOne  = "holdfast-http", "holdfast-3", "holdfast-1"
	redis, postgres, emptyHandler = "redis", "postgres", "nothing"
)

var hotThree = shape{scenario: "hot", target: "in-process", nodes: 3}

// All are the targets, in their order.
var All = []Target{
	{Name: "P1", Work: "HTTP, one order a request, one hot SKU, 3 replicas", Checks: []Check{
		{"to Redis, Lua, AOF always, not pipelined, no replica", atLeast(1, "x"), compareCommand, toRival(compareFile, "http-one", oursHTTP, redis)},
		{"to PostgreSQL's hot row", atLeast(30, "x"), compareCommand, toRival(compareFile, "http-one", oursHTTP, postgres)},
	}},
	{Name: "P2", Work: "HTTP, batches, one hot SKU, 3 replicas, to Redis, Lua, AOF always, pipelined", Checks: []Check{
		{"batches of 100", atLeast(4, "x"), compareCommand, toRival(compareFile, "http-batch-100", oursHTTP, redis)},
		{"batches of 1,000", atLeast(4, "x"), compareCommand, toRival(compareFile, "http-batch-1000", oursHTTP, redis)},
	}},
	{Name: "P3", Work: "in process, one hot SKU, whole state machine", Checks: []Check{
		{"3 replicas", atLeast(500_000, "orders/s"), compareCommand, alone(compareFile, "in-process-3", oursThree)},
		{"one", atLeast(1_000_000, "orders/s"), compareCommand, alone(compareFile, "in-process-1", oursOne)},
	}},
	{Name: "P4", Work: "refusals of a sold-out SKU", Checks: []Check{
		{"in process", atLeast(1_500_000, "orders/s"), compareCommand, alone(compareFile, "soldout-in-process", oursThree)},
		{"HTTP, to a handler that does nothing", atLeast(0.9, "x"), compareCommand, toRival(compareFile, "soldout-http", oursHTTP, emptyHandler)},
	}},
	{Name: "P5", Work: "unloaded latency, one caller, 3 replicas", Checks: []Check{
		{"p50 less two fsyncs, a round trip over loopback included", atMost(0.2, "ms"), "holdfast bench --clients 1 --sink none -o json > bench/results/" + idleFile,
			run(idleFile, shape{scenario: "hot", target: "in-process", nodes: 3, clients: 1, batch: 1}, beyondFsync)},
		{"the same over HTTP", atMost(0.4, "ms"), "holdfast bench --target http://127.0.0.1:8080 --admin-addr http://127.0.0.1:8081 --clients 1 -o json > bench/results/" + idleHTTP,
			run(idleHTTP, shape{scenario: "hot", target: "http", clients: 1, batch: 1}, beyondFsync)},
	}},
	{Name: "P6", Work: "loaded latency, one hot SKU, 3 replicas, open loop", Checks: []Check{
		{"p99", atMost(3, "ms"), "holdfast bench --rate HALF --clients 64 --batch 100 --sink none -o json > bench/results/" + halfFile,
			run(halfFile, shape{scenario: "hot", target: "in-process", nodes: 3, loop: "open"}, func(r result.Result) float64 { return r.Latency.P99 })},
		{"its rate to that of P3", atLeast(0.5, "x"), threeCommand, ratio(halfFile, threeFile, shape{loop: "open", nodes: 3}, hotThree, rates)},
	}},
	{Name: "P7", Work: "memory, 10^6 orders", Checks: []Check{
		{"heap per open order, all told", atMost(200, "B"), memoryCommand, goBench(memoryFile, "Memory/state=open", "B/order")},
		{"heap per settled order", atMost(64, "B"), memoryCommand, goBench(memoryFile, "Memory/state=settled", "B/order")},
	}},
	{Name: "P8", Work: "many SKUs", Checks: []Check{
		{"zipf over 100,000, to P3", atLeast(0.7, "x"), "holdfast bench --scenario zipf --skus 100000 --nodes 3 --clients 16 --batch 1000 --sink none --duration 30s -o json > bench/results/" + manyFile,
			ratio(manyFile, threeFile, shape{scenario: "zipf", target: "in-process", nodes: 3, skus: 100_000}, hotThree, rates)},
		{"heap of 10^6 idle SKUs", atMost(400, "MB"), memoryCommand, goBench(memoryFile, "Memory/state=idle-sku", "MB")},
	}},
	{Name: "P9", Work: "restart", Checks: []Check{
		{"orders restored, from snapshot and log", atLeast(1_000_000, "orders/s"), restartCommand, goBench(restartFile, "Restart", "orders/s")},
		{"kill -9 to serving, 10^7 orders in log and snapshot", atMost(5, "s"), restartCommand, goBench(restartFile, "Restart", "s")},
	}},
	{Name: "P10", Work: "orders while a snapshot is taken", Checks: []Check{
		{"p99 to that without", atMost(1.3, "x"), "go test ./node -run NONE -bench 'Orders/nodes=3/what=order/callers=16/batch=256' -benchtime 4000000x -count 5 -args -bench-snapshot | tee bench/results/" + cutFile,
			goBenchRatio(cutFile, "Orders/nodes=3/what=order/callers=16/batch=256", "ms-p99-in-snapshot", "ms-p99")},
	}},
	{Name: "P11", Work: "a leader is lost", Checks: []Check{
		{"kill -9 to the next order acknowledged, p99", atMost(3, "s"), "holdfast bench --scenario failover --nodes 3 --duration 5m -o json > bench/results/" + failFile,
			run(failFile, shape{scenario: "failover", nodes: 3, gaps: 10}, longestGap)},
		{"planned transfer", atMost(100, "ms"), "go test ./node -run NONE -bench Transfer -count 5 | tee bench/results/" + moveFile, goBench(moveFile, "Transfer", "ms-p99")},
	}},
	{Name: "P12", Work: "the log's appends, to raft-wal's in the same round", Checks: []Check{
		{"1 group", atLeast(1, "x"), logCommand, logRatio(logFile, 1)},
		{"8 groups on one disk", atLeast(3, "x"), logCommand, logRatio(logFile, 8)},
	}},
}

func rates(over, under result.Result) float64 { return over.AcceptedPerS / under.AcceptedPerS }

// beyondFsync is what a call took beyond the two fsyncs in turn that it has to wait for, in ms.
func beyondFsync(r result.Result) float64 { return r.Latency.P50 - 2*(r.Fsync.P50+r.FsyncDelayMS) }

// longestGap is in seconds. With fewer than a hundred kills the longest stands for the 99th percentile.
func longestGap(r result.Result) float64 {
	var most float64
	for _, g := range r.Gaps {
		most = max(most, g.GapMS/1000)
	}
	return most
}
