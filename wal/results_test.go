package wal_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"holdfast/internal/pagetest"
	"holdfast/wal"
)

var (
	measure = flag.Bool("measure", false, "run all rivals, write the results and the page anew")
	refresh = flag.Bool("refresh", false, "write the page anew from the results that are there")
	rounds  = flag.Int("rounds", 5, "rounds of -measure, in which the rivals take turns")
	each    = flag.Duration("each", 200*time.Millisecond, "how long one benchmark of -measure runs")
)

const (
	resultsFile = "../bench/results/wal.json"
	resultsPage = "../docs/benchmarks.md"
	rewritePage = "go test ./wal -run TestBenchmarksPage -args -refresh"
)

// results is what one run of -measure found.
type results struct {
	Machine  machine   `json:"machine"`
	Date     string    `json:"date"`
	Commit   string    `json:"commit,omitempty"` // left out when the checkout had changes
	Rounds   int       `json:"rounds"`
	Each     string    `json:"each"`
	Recovery int       `json:"recovery_mib"`
	Load     [2]string `json:"load"` // before and after, over one minute
	Fsync    times     `json:"fsync"`
	Cells    []cell    `json:"cells"`
}

type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	System string `json:"system"`
	Go     string `json:"go"`
}

type times struct {
	P50 float64 `json:"p50_us"`
	P99 float64 `json:"p99_us"`
}

// cell is one job, with the medians of all rounds for each rival, and how ours compares with raft-wal in the same round.
type cell struct {
	Bench  string                        `json:"bench"`
	Groups int                           `json:"groups"`
	Entry  string                        `json:"entry"`
	Batch  int                           `json:"batch"`
	Median map[string]map[string]float64 `json:"median"` // by rival and unit
	// Ratio is that of the rates, ours to raft-wal's; P99 that of the 99th percentiles, where less is better.
	Ratio spread `json:"ratio"`
	P99   spread `json:"p99_ratio"`
}

// spread is the least, the median and the greatest of all rounds.
type spread [3]float64

// TestBenchmarksPage holds the page to the results. With -args -measure it measures first.
func TestBenchmarksPage(t *testing.T) {
	if *measure {
		pagetest.WriteJSON(t, resultsFile, measureAll(t))
	}
	var r results
	text, err := os.ReadFile(resultsFile)
	must(t, err)
	must(t, json.Unmarshal(text, &r))
	pagetest.Part{Page: resultsPage, Name: "results of the log", Rewrite: rewritePage}.Hold(t, r.render(), *measure || *refresh)
}

// measureAll lets the rivals take turns at each job, round by round.
func measureAll(t *testing.T) results {
	must(t, flag.Set("test.benchtime", each.String()))
	r := results{Machine: thisMachine(), Date: time.Now().UTC().Format(time.DateOnly), Commit: pagetest.Commit(), Rounds: *rounds, Each: each.String(), Recovery: *recoveryMiB}
	r.Load[0] = load()
	fsyncs := hdrhistogram.New(1, int64(time.Minute), 3)
	all := jobs()
	found := make([]map[string][]map[string]float64, len(all)) // by job, rival, round, unit
	for round := range *rounds {
		probeFsync(t, fsyncs)
		for i, j := range all {
			if found[i] == nil {
				found[i] = make(map[string][]map[string]float64)
			}
			for n := range j.rivals() {
				rival := j.rivals()[(n+round)%len(j.rivals())]
				b := testing.Benchmark(func(b *testing.B) { j.run(b, rival, j) })
				if b.N == 0 {
					t.Fatalf("%s: %s fails", j.name(), rival.name)
				}
				found[i][rival.name] = append(found[i][rival.name], b.Extra)
			}
		}
		t.Logf("round %d of %d: load %s", round+1, *rounds, load())
	}
	r.Load[1] = load()
	r.Fsync = times{float64(fsyncs.ValueAtQuantile(50)) / 1e3, float64(fsyncs.ValueAtQuantile(99)) / 1e3}
	for i, j := range all {
		r.Cells = append(r.Cells, j.cell(found[i]))
	}
	return r
}

// rates are the units of which more is better; each job has one of them.
var rates = []string{"appends/s", "reads/s", "GiB/s"}

func (j job) cell(found map[string][]map[string]float64) cell {
	c := cell{Bench: j.bench, Groups: j.groups, Entry: bytesName(j.entry), Batch: j.batch, Median: make(map[string]map[string]float64)}
	for rival, all := range found {
		c.Median[rival] = make(map[string]float64)
		for unit := range all[0] {
			var values []float64
			for _, one := range all {
				values = append(values, one[unit])
			}
			c.Median[rival][unit] = spreadOf(values)[1]
		}
	}
	compare := func(unit string) spread {
		var values []float64
		for round, ours := range found["holdfast"] {
			values = append(values, ours[unit]/found["raft-wal"][round][unit])
		}
		return spreadOf(values)
	}
	c.Ratio = compare(c.rate())
	if _, timed := c.Median["holdfast"]["p99-µs"]; timed {
		c.P99 = compare("p99-µs")
	}
	return c
}

func (c cell) rate() string {
	return rates[slices.IndexFunc(rates, func(unit string) bool { _, ok := c.Median["holdfast"][unit]; return ok })]
}

func spreadOf(values []float64) spread {
	slices.Sort(values)
	n := len(values)
	return spread{values[0], (values[(n-1)/2] + values[n/2]) / 2, values[n-1]}
}

// probeFsync makes 4 KiB durable again and again, as an append does.
func probeFsync(t *testing.T, h *hdrhistogram.Histogram) {
	t.Helper()
	f, err := wal.OS{}.Open(filepath.Join(t.TempDir(), "probe"), wal.Create)
	must(t, err)
	defer func() { must(t, f.Close()) }()
	page := payload(4 << 10)
	for i := range int64(600) {
		start := time.Now()
		_, err := f.WriteAt(page, i%200*4096)
		must(t, err)
		must(t, f.Sync())
		if i >= 200 { // before, the file grew
			must(t, h.RecordValue(int64(time.Since(start))))
		}
	}
}

func thisMachine() machine {
	m := machine{CPU: runtime.GOARCH, Cores: runtime.NumCPU(), System: runtime.GOOS, Go: runtime.Version()}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(text), "model name\t: "); ok {
			m.CPU, _, _ = strings.Cut(rest, "\n")
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System += " " + strings.TrimSpace(string(text))
	}
	return m
}

// load is how many processes wanted to run in the last minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

func (r results) render() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s, %d cores, %s, %s; %s. Medians of %d rounds of %s, in which the rivals take turns. Load before and after: %s, %s.\n"+
		"One fsync of 4 KiB into a file that does not grow, in the same run: p50 %.0f µs, p99 %.0f µs.\n",
		r.Machine.CPU, r.Machine.Cores, r.Machine.System, r.Machine.Go, strings.TrimSpace(r.Date+" "+r.Commit), r.Rounds, r.Each, r.Load[0], r.Load[1], r.Fsync.P50, r.Fsync.P99)
	for _, section := range []struct{ bench, title, unit string }{
		{"Append", "Append", "entries/s"}, {"Reclaim", "Append while prefixes go and one group stands still", "entries/s"},
		{"Tail", "Read one of the last 64 entries", "entries/s"}, {"Middle", "Read one entry of the older half, past the cache", "entries/s"},
		{"Recovery", fmt.Sprintf("Open a log of %d MiB from the page cache", r.Recovery), "GiB/s"},
	} {
		fmt.Fprintf(&b, "\n**%s**, %s\n\n| groups | entry | batch | holdfast | p50 / p99 µs | raft-wal | p50 / p99 µs | memory | rate to raft-wal's: median (least to most) | p99 to raft-wal's |\n"+
			"|---|---|---|---|---|---|---|---|---|---|\n", section.title, section.unit)
		for _, c := range r.Cells {
			if c.Bench == section.bench {
				b.WriteString(c.row())
			}
		}
	}
	b.WriteString(r.floorTable())
	return b.String()
}

// floorTable shows what the disk itself gave for the bytes of each cell, in the same rounds.
func (r results) floorTable() string {
	var b strings.Builder
	for _, c := range r.Cells {
		one, each := c.Median[oneFile][c.rate()], c.Median[fileEach][c.rate()]
		if c.Bench != "Append" || one == 0 || each == 0 {
			continue
		}
		ours, theirs := c.Median["holdfast"][c.rate()], c.Median["raft-wal"][c.rate()]
		fmt.Fprintf(&b, "| %d | %s | %d | %s | %s | %s | %s | %.2f | %.2f | %.2f |\n", c.Groups, c.Entry, c.Batch, c.shown(oneFile), c.timesOf(oneFile),
			c.shown(fileEach), c.timesOf(fileEach), ours/one, ours/each, theirs/each)
	}
	if b.Len() == 0 {
		return "\n"
	}
	return "\n**What the disk gives for the same bytes**, entries/s: each write followed by fdatasync, into files written before, nothing else done; " +
		"one file takes all groups' calls as one write, or each group has a file.\n\n" +
		"| groups | entry | batch | one file | p50 / p99 µs | a file each | p50 / p99 µs | holdfast to one file | to a file each | raft-wal to a file each |\n" +
		"|---|---|---|---|---|---|---|---|---|---|\n" + b.String() + "\n"
}

func (c cell) row() string {
	p99 := "-"
	if c.P99[1] > 0 {
		p99 = fmt.Sprintf("%.2f", c.P99[1])
	}
	return fmt.Sprintf("| %d | %s | %d | %s | %s | %s | %s | %s | %.2f (%.2f to %.2f) | %s |\n", c.Groups, c.Entry, c.Batch, c.shown("holdfast"), c.timesOf("holdfast"),
		c.shown("raft-wal"), c.timesOf("raft-wal"), c.shown("memory"), c.Ratio[1], c.Ratio[0], c.Ratio[2], p99)
}

func (c cell) shown(rival string) string {
	v, ok := c.Median[rival][c.rate()]
	switch {
	case !ok:
		return "-"
	case v < 100:
		return fmt.Sprintf("%.2f", v)
	case v < 10_000:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.0f k", v/1000)
}

func (c cell) timesOf(rival string) string {
	m := c.Median[rival]
	if _, ok := m["p99-µs"]; !ok {
		return "-"
	}
	return short(m["p50-µs"]) + " / " + short(m["p99-µs"])
}

// short is a number with three digits or more.
func short(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.3g", v)
	}
	return fmt.Sprintf("%.0f", v)
}
