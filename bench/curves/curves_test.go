package curves_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/bench/curves"
	"holdfast/internal/pagetest"
)

var (
	measure  = flag.Bool("measure", false, "run all points, write the results, the page and the plots anew")
	refresh  = flag.Bool("refresh", false, "write the page and the plots anew from the results that are there")
	only     = flag.String("only", "", "the sweeps of -measure, separated by commas; empty: all")
	rounds   = flag.Int("rounds", 3, "how often -measure runs each point")
	warmup   = flag.Duration("warmup", 2*time.Second, "warm-up of each run of -measure")
	dir      = flag.String("dir", "", "where the clusters of -measure have their files; empty: the system's directory for such")
	duration = flag.Duration("duration", 3*time.Second, "measured time of each run of -measure")
)

const (
	resultsFile = "../results/curves.json"
	page        = "../../docs/benchmarks.md"
	folder      = "../../docs/benchmarks"
	rewrite     = "go test ./bench/curves -run TestCurves -args -refresh"
)

// TestCurves holds the page and the plots to the results. With -args -measure it measures first.
func TestCurves(t *testing.T) {
	m, err := curves.Read(resultsFile)
	if err != nil {
		t.Fatal(err)
	}
	if *measure {
		m = measureAll(t, m)
	}
	write := *measure || *refresh
	pagetest.Part{Page: page, Name: "curves", Rewrite: rewrite}.Hold(t, curves.Page(m, curves.Sweeps, filepath.Base(folder)), write)
	plots := curves.Plots(m, curves.Sweeps)
	for name, text := range plots {
		pagetest.File(t, filepath.Join(folder, name), text, write, rewrite)
	}
	there, err := filepath.Glob(filepath.Join(folder, "*.svg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range there {
		if plots[filepath.Base(name)] != nil {
			continue
		}
		if !write {
			t.Errorf("%s shows nothing that was measured: %s", name, rewrite)
		} else if err := os.Remove(name); err != nil {
			t.Error(err)
		}
	}
}

// chosen are the sweeps that -only names.
func chosen(t *testing.T) []curves.Sweep {
	t.Helper()
	if *only == "" {
		return curves.Sweeps
	}
	var sweeps []curves.Sweep
	for name := range strings.SplitSeq(*only, ",") {
		before := len(sweeps)
		for _, s := range curves.Sweeps {
			if s.Name == name {
				sweeps = append(sweeps, s)
			}
		}
		if len(sweeps) == before {
			t.Fatalf("there is no sweep %q", name)
		}
	}
	return sweeps
}

func measureAll(t *testing.T, there curves.Measured) curves.Measured {
	t.Helper()
	plan := curves.Plan{Sweeps: chosen(t), Run: curves.InProcess(*dir), Rounds: *rounds, Warmup: *warmup, Duration: *duration, Seed: 1, Commit: pagetest.Commit(), Log: t.Logf}
	plan.Save = func(m curves.Measured) error {
		text, err := m.Encode()
		if err == nil {
			pagetest.Write(t, resultsFile, text)
		}
		return err
	}
	m, err := curves.Measure(t.Context(), plan, there)
	if err != nil {
		t.Error(err)
	}
	return m
}
