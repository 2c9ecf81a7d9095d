package targets_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"holdfast/bench/result"
	"holdfast/bench/targets"
)

// hot is a sound run; change makes it another one.
func hot(change func(*result.Result)) result.Result {
	r := result.Result{Scenario: "hot", Target: "in-process", Nodes: 3, Loop: "closed", Clients: 16, Batch: 1000, DurationS: 30, AcceptedPerS: 400_000,
		Latency: result.Latency{P50: 1.25, P99: 2}, Fsync: result.Fsync{P50: 0.5, P99: 1}, Commit: "abcdef0"}
	if change != nil {
		change(&r)
	}
	return r
}

// alone is a sound run of one caller.
func alone(change func(*result.Result)) result.Result {
	return hot(func(r *result.Result) { r.Clients, r.Batch = 1, 1; change(r) })
}

func stored(t *testing.T, v any) *fstest.MapFile {
	t.Helper()
	if text, ok := v.(string); ok {
		return &fstest.MapFile{Data: []byte(text)}
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: text}
}

func target(t *testing.T, name string) []targets.Target {
	t.Helper()
	for _, one := range targets.All {
		if one.Name == name {
			return []targets.Target{one}
		}
	}
	t.Fatalf("no target %s", name)
	return nil
}

const memory = `goos: linux
cpu: a processor
BenchmarkMemory/state=open-2         	       1	2900000000 ns/op	       180 B/order
BenchmarkMemory/state=open-2         	       1	2900000000 ns/op	       199 B/order
BenchmarkMemory/state=open-2         	       1	2900000000 ns/op	       190 B/order
BenchmarkMemory/state=settled-2      	       1	2900000000 ns/op	        65 B/order
BenchmarkMemory/state=settled/more-2 	       1	2900000000 ns/op	         1 B/order
PASS
`

const snapshots = `BenchmarkOrders/nodes=3/what=order/callers=16/batch=256-2 	 100	 10 ns/op	 2.0 ms-p99	 5.0 ms-p99-in-snapshot	 7 orders/s
BenchmarkOrders/nodes=3/what=order/callers=16/batch=256-2 	 100	 10 ns/op	 4.0 ms-p99	 4.8 ms-p99-in-snapshot	 7 orders/s
BenchmarkOrders/nodes=3/what=order/callers=16/batch=256-2 	 100	 10 ns/op	 4.0 ms-p99	 4.4 ms-p99-in-snapshot	 7 orders/s
`

const comparison = `{"loop":"closed","rounds":5,"fsync_ms":{"p50":0.5,"p99":1},"commit":"abcdef0","audit":{"oversold":0},"matches":[
 {"part":"P1","name":"http-one","batch":1,"figure":"accepted","contestants":[{"name":"holdfast-http","rate":{"median":30000}},
  {"name":"redis","rate":{"median":10000},"about":{"durability":"appendfsync always"}},{"name":"postgres","rate":{"median":10000}}],
  "ratios":[{"to":"redis","median":3,"least":2,"most":4},{"to":"postgres","median":3,"least":2,"most":4}]},
 {"part":"P3","name":"in-process-3","batch":1024,"figure":"accepted","contestants":[{"name":"holdfast-3","rate":{"median":400000,"least":300000,"most":500000},"p50_ms":4,"p99_ms":9}]},
 {"part":"P3","name":"in-process-1","batch":1024,"figure":"accepted","contestants":[{"name":"holdfast-1","rate":{"median":1500000,"least":1400000,"most":1600000},"p50_ms":2,"p99_ms":3}]}]}`

const logs = `{"date":"2026-01-02","commit":"abcdef0","rounds":5,"fsync":{"p50_us":100,"p99_us":200},"cells":[
 {"bench":"Append","groups":1,"entry":"256B","batch":1,"ratio":[0.5,0.75,1]},{"bench":"Append","groups":1,"entry":"4KiB","batch":1,"ratio":[1,1.5,2]},
 {"bench":"Tail","groups":1,"entry":"4KiB","batch":1,"ratio":[0.1,0.1,0.1]},{"bench":"Append","groups":8,"entry":"4KiB","batch":1,"ratio":[3,4,5]}]}`

func TestFiguresComeFromStoredResults(t *testing.T) {
	for name, c := range map[string]struct {
		target string
		files  map[string]any
		want   []string
	}{
		"a ratio in turns": {"P1", map[string]any{"compare.json": comparison}, []string{
			"| ≥ 1 x | 3 x (2 to 4; 30 k orders/s to 10 k) | met | closed loop, fsync 0.5 / 1 ms, 5 rounds, abcdef0. Theirs: appendfsync always |",
			"| ≥ 30 x | 3 x (2 to 4; 30 k orders/s to 10 k) | **missed** |"}},
		"a rate": {"P3", map[string]any{"compare.json": comparison}, []string{
			"| ≥ 500 k orders/s | 400 k orders/s (300 k to 500 k; 1024 a call, p50 / p99 4 / 9 ms) | **missed** | closed loop, fsync 0.5 / 1 ms, 5 rounds, abcdef0 |",
			"| ≥ 1 M orders/s | 1.5 M orders/s (1.4 M to 1.6 M; 1024 a call, p50 / p99 2 / 3 ms) | met |"}},
		"beyond fsync": {"P5", map[string]any{"unloaded.json": hot(func(r *result.Result) { r.Clients, r.Batch = 1, 1 })},
			[]string{"| ≤ 0.2 ms | 0.25 ms (1 callers, 1 a call) | **missed** |"}},
		"open loop": {"P6", map[string]any{"hot.json": hot(nil), "half.json": hot(func(r *result.Result) { r.Loop, r.Rate, r.AcceptedPerS = "open", 200_000, 200_000 })},
			[]string{"| ≤ 3 ms | 2 ms (200 k orders/s asked, 16 callers, 1000 a call) | met | open loop,", "| ≥ 0.5 x | 0.5 x (200 k orders/s to 400 k) | met |"}},
		"Go's benchmarks":          {"P7", map[string]any{"memory.txt": memory}, []string{"| ≤ 200 B | 190 B (median of 3 runs) | met | a processor |", "| ≤ 64 B | 65 B (one run) | **missed** |"}},
		"a ratio within a line":    {"P10", map[string]any{"snapshot.txt": snapshots}, []string{"| ≤ 1.3 x | 1.2 x (median of 3 runs) | met |"}},
		"the longest of many gaps": {"P11", map[string]any{"failover.json": hot(failover(10))}, []string{"| ≤ 3 s | 3.5 s (16 callers, 1000 a call) | **missed** |"}},
		"the log": {"P12", map[string]any{"wal.json": logs}, []string{
			"| ≥ 1 x | 0.75 x (the least of 2 shapes, entries of 256B in batches of 1; the most is 1.5) | **missed** | closed loop, fsync 0.1 / 0.2 ms, 5 rounds, 2026-01-02 abcdef0 |", "| ≥ 3 x | 4 x ("}},
	} {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{}
			for file, v := range c.files {
				files[file] = stored(t, v)
			}
			page, err := targets.Page(files, target(t, c.target))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(page, want) {
					t.Errorf("%q is missing in\n%s", want, page)
				}
			}
		})
	}
}

// failover is a run in which a leader was lost so many times.
func failover(kills int) func(*result.Result) {
	return func(r *result.Result) {
		r.Scenario = "failover"
		for range kills {
			r.Gaps = append(r.Gaps, result.Gap{GapMS: 1000})
		}
		r.Gaps[kills/2].GapMS = 3500
	}
}

func TestWhatIsNotTheTargetsWorkIsNoFigure(t *testing.T) {
	for name, c := range map[string]struct {
		target, file string
		stored       any
		want         error
	}{
		"other nodes":    {"P5", "unloaded.json", alone(func(r *result.Result) { r.Nodes = 1 }), targets.ErrOther},
		"other scenario": {"P5", "unloaded.json", alone(func(r *result.Result) { r.Scenario = "soldout" }), targets.ErrOther},
		"other target":   {"P5", "unloaded.json", alone(func(r *result.Result) { r.Target = "redis" }), targets.ErrOther},
		"closed loop":    {"P6", "half.json", hot(nil), targets.ErrOther},
		"loaded":         {"P5", "unloaded.json", hot(nil), targets.ErrOther},
		"few kills":      {"P11", "failover.json", hot(failover(9)), targets.ErrOther},
		"oversold":       {"P5", "unloaded.json", alone(func(r *result.Result) { r.Audit.Oversold = 1 }), result.ErrUnsound},
		"no probe":       {"P5", "unloaded.json", alone(func(r *result.Result) { r.Fsync = result.Fsync{} }), result.ErrUnsound},
		"no result":      {"P5", "unloaded.json", "{}", result.ErrNotAResult},
		"rival oversold": {"P1", "compare.json", strings.Replace(comparison, `"oversold":0`, `"oversold":1`, 1), result.ErrUnsound},
		"rival skipped":  {"P1", "compare.json", strings.ReplaceAll(comparison, `"redis"`, `"another"`), targets.ErrOther},
		"no such work":   {"P2", "compare.json", comparison, targets.ErrOther},
		"no such unit":   {"P7", "memory.txt", "BenchmarkMemory/state=open-2 1 5 ns/op\n", targets.ErrOther},
		"no such groups": {"P12", "wal.json", `{"cells":[]}`, targets.ErrOther},
	} {
		t.Run(name, func(t *testing.T) {
			page, err := targets.Page(fstest.MapFS{c.file: stored(t, c.stored)}, target(t, c.target))
			if !errors.Is(err, c.want) {
				t.Errorf("err is %v, the page\n%s", err, page)
			}
		})
	}
}

func TestNothingStoredIsSaid(t *testing.T) {
	checks := 0
	for _, one := range targets.All {
		checks += len(one.Checks)
	}
	page, err := targets.Page(fstest.MapFS{}, targets.All)
	if err != nil || strings.Count(page, "| not measured yet | | |") != checks || strings.Contains(page, "met |") {
		t.Errorf("%v\n%s", err, page)
	}
}
