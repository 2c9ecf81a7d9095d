package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/bench/load"
	"holdfast/bench/result"
	"holdfast/bench/rival/program"
	"holdfast/bench/sale"
)

// rates has, for each contestant, the rate of each round; 0: its program is missing.
type rates map[string][]float64

// measured plays contestants with these rates and writes down who came when.
func (r rates) measured(came *[]string) func(context.Context, trial) (*Result, error) {
	next := make(map[string]int)
	return func(_ context.Context, t trial) (*Result, error) {
		round := next[t.contestant]
		next[t.contestant]++
		*came = append(*came, t.contestant)
		all := r[t.contestant]
		if round >= len(all) {
			return nil, fmt.Errorf("nothing is known of round %d of %s", round, t.contestant)
		}
		if all[round] == 0 {
			return nil, fmt.Errorf("bench: open: %w", &program.MissingError{Program: t.contestant + "-server", Debian: t.contestant})
		}
		got := &Result{
			Loop: load.Closed, Latency: result.Latency{P50: 1, P99: 2}, Fsync: result.Fsync{P50: 0.1, P99: 0.2}, Machine: result.Machine{CPU: "a CPU", Cores: 2, OS: "linux", Go: "go1"},
			Commit: "abc", Details: result.Details{About: sale.About{Name: t.contestant, Durability: "fsync", Replicas: 1}, RefusedLatency: result.Latency{P50: 3, P99: 4}},
		}
		if t.figure == refusedRate {
			got.RefusedPerS = all[round]
		} else {
			got.AcceptedPerS = all[round]
		}
		return got, nil
	}
}

func TestCompareTakesTurns(t *testing.T) {
	var came []string
	r := rates{oursHTTP: {100, 60, 90}, redisRival: {50, 60, 100}, postgresRival: {1, 2, 3}, postgresOneRival: {10, 10, 10}}
	c, err := Compare(t.Context(), CompareConfig{Parts: []string{"P1"}, Rounds: 3, measure: r.measured(&came)})
	if err != nil {
		t.Fatal(err)
	}
	there := []string{oursHTTP, redisRival, postgresRival, postgresOneRival}
	back := slices.Clone(there)
	slices.Reverse(back)
	if want := slices.Concat(there, back, there); !slices.Equal(came, want) {
		t.Errorf("they came as %v, want %v", came, want)
	}
	m := c.Matches[0]
	if ours := m.Contestants[0]; ours.Name != oursHTTP || ours.Rate != (Spread{90, 60, 100}) || ours.P50MS != 1 || ours.P99MS != 2 {
		t.Errorf("ours is %+v", ours)
	}
	want := []Ratio{
		{To: redisRival, Spread: Spread{1, 0.9, 2}, Target: 1, Met: true},
		{To: postgresRival, Spread: Spread{30, 30, 100}, Target: 30, Met: true},
		{To: postgresOneRival, Spread: Spread{9, 6, 10}},
	}
	if !slices.Equal(m.Ratios, want) {
		t.Errorf("ratios are %+v, want %+v", m.Ratios, want)
	}
	if c.Loop != load.Closed || c.Fsync != (result.Fsync{P50: 0.1, P99: 0.2}) || c.Commit != "abc" || c.Broken() {
		t.Errorf("%+v", c)
	}
}

func TestCompareAbsolute(t *testing.T) {
	var came []string
	r := rates{oursThree: {400_000, 600_000}, raftThreeRival: {50_000, 50_000}, oursOne: {1, 1}, raftOneRival: {1, 1}}
	c, err := Compare(t.Context(), CompareConfig{Parts: []string{"P3"}, Rounds: 2, measure: r.measured(&came)})
	if err != nil {
		t.Fatal(err)
	}
	if three, one := c.Matches[0], c.Matches[1]; !three.Met || one.Met || three.Target != 500_000 || one.Target != 1_000_000 {
		t.Errorf("%+v\n%+v", three, one)
	}
}

func TestCompareCountsRefusals(t *testing.T) {
	var came []string
	r := rates{oursThree: {2_000_000}, redisRival: {1000, 0}, oursHTTP: {80}, nothingRival: {100}}
	c, err := Compare(t.Context(), CompareConfig{Parts: []string{"P4"}, Rounds: 1, measure: r.measured(&came)})
	if err != nil {
		t.Fatal(err)
	}
	if k := c.Matches[0].Contestants[0]; k.Rate.Median != 2_000_000 || k.P99MS != 4 {
		t.Errorf("%+v", k)
	}
	if m := c.Matches[1]; len(m.Contestants) != 2 || len(m.Ratios) != 1 || m.Ratios[0].Met || m.Ratios[0].Median != 0.8 {
		t.Errorf("%+v", m)
	}
}

func TestCompareSkipsWhoIsMissing(t *testing.T) {
	var came []string
	var told strings.Builder
	r := rates{oursHTTP: {100, 100}, redisRival: {0}, postgresRival: {2, 2}, postgresOneRival: {10, 10}}
	c, err := Compare(t.Context(), CompareConfig{
		Parts: []string{"P1"}, Rounds: 2, measure: r.measured(&came), Tell: func(text string) { fmt.Fprintln(&told, text) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Skipped) != 1 || c.Skipped[0].Name != redisRival || !strings.Contains(c.Skipped[0].Why, "apt-get install redis") {
		t.Errorf("skipped are %+v", c.Skipped)
	}
	if m := c.Matches[0]; len(m.Contestants) != 3 || len(m.Ratios) != 2 || !m.Ratios[0].Met {
		t.Errorf("%+v", m)
	}
	text := new(bytes.Buffer)
	if err := c.WriteText(text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"redis is skipped", "apt-get install redis"} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("it was not told %q, but\n%s", want, told.String())
		}
	}
	if !strings.Contains(text.String(), "Skipped: redis: redis-server is not installed; on Debian: apt-get install redis.") {
		t.Errorf("the text does not say who is missing:\n%s", text)
	}
}

func TestCompareEnds(t *testing.T) {
	var came []string
	for name, r := range map[string]rates{
		"a rival fails":     {oursHTTP: {1}, redisRival: nil},
		"ours is not there": {oursHTTP: {0}},
	} {
		if c, err := Compare(t.Context(), CompareConfig{Parts: []string{"P1"}, measure: r.measured(&came)}); err == nil {
			t.Errorf("%s: %+v", name, c)
		}
	}
	for name, cfg := range map[string]CompareConfig{
		"no such part": {Parts: []string{"P99"}}, "rounds": {Rounds: -1}, "duration": {Duration: -time.Second}, "sink": {Sink: "mysql://here"},
	} {
		if _, err := Compare(t.Context(), cfg); !errors.Is(err, ErrCompare) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCompareIsBroken(t *testing.T) {
	var came []string
	sound := rates{oursHTTP: {1}, redisRival: {1}}.measured(&came)
	c, err := Compare(t.Context(), CompareConfig{Parts: []string{"P2"}, Rounds: 1, measure: func(ctx context.Context, tr trial) (*Result, error) {
		if tr.contestant == redisRival && tr.batch == largeBatch {
			return &Result{AcceptedPerS: 1, Audit: result.Audit{Lost: 2}, Details: result.Details{Findings: []string{"2 orders are gone"}}}, nil
		}
		if tr.batch == largeBatch {
			return &Result{AcceptedPerS: 1}, nil
		}
		return sound(ctx, tr)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Broken() || c.Audit != (result.Audit{Lost: 2}) || !slices.Equal(c.Findings, []string{"redis: 2 orders are gone"}) {
		t.Errorf("%+v", c)
	}
}

// TestComparisonNames holds the names in JSON, which stored results and what reads them rely on.
func TestComparisonNames(t *testing.T) {
	var came []string
	r := rates{oursThree: {1}, oursOne: {1}, raftThreeRival: {1}, raftOneRival: {1}}
	c, err := Compare(t.Context(), CompareConfig{Parts: []string{"P3"}, Rounds: 1, measure: r.measured(&came)})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Matches []map[string]any
	}
	var all map[string]any
	if err := errors.Join(json.Unmarshal(text, &got), json.Unmarshal(text, &all)); err != nil {
		t.Fatal(err)
	}
	has(t, all, "loop", "client", "rounds", "warmup_s", "duration_s", "seed", "sink", "fsync_ms", "machine", "commit", "matches", "skipped", "audit")
	has(t, got.Matches[0], "part", "name", "work", "scenario", "batch", "clients", "figure", "contestants", "ratios", "target_per_s", "met")
	has(t, first(t, got.Matches[0]["contestants"]), "name", "about", "per_s", "rate", "p50_ms", "p99_ms", "errors", "unknown")
	has(t, first(t, got.Matches[0]["ratios"]), "to", "median", "least", "most", "target", "met")
}

func first(t *testing.T, list any) map[string]any {
	t.Helper()
	all, ok := list.([]any)
	if !ok || len(all) == 0 {
		t.Fatalf("%v is no list", list)
	}
	object, ok := all[0].(map[string]any)
	if !ok {
		t.Fatalf("%v is no object", all[0])
	}
	return object
}

func has(t *testing.T, object map[string]any, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, ok := object[name]; !ok {
			t.Errorf("%s is missing in %v", name, object)
		}
	}
}

func TestContestantsHaveOpeners(t *testing.T) {
	cfg := CompareConfig{}
	openers := cfg.openers()
	for _, w := range matches {
		for _, name := range w.contestants() {
			if openers[name] == nil {
				t.Errorf("%s: nobody opens %s", w.name, name)
			}
		}
	}
}
