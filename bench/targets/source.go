package targets

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"holdfast/bench/plot"
	"holdfast/bench/result"
)

// shape is what a run must be, so that its figure may stand for a target. Zero values are not looked at.
type shape struct {
	scenario string
	// target is how the result's target begins.
	target  string
	nodes   int
	loop    string
	clients int
	batch   int
	skus    int
	// gaps is how many losses of a leader it has at least.
	gaps int
}

// load reads a stored run of a shape.
func load(stored fs.FS, name string, want shape) (result.Result, error) {
	text, err := fs.ReadFile(stored, name)
	if err != nil {
		return result.Result{}, fmt.Errorf("a stored run: %w", err)
	}
	r, err := result.Parse(name, text)
	if err != nil {
		return r, err
	}
	if err := r.Sound(); err != nil {
		return r, fmt.Errorf("%s: %w", name, err)
	}
	for _, c := range []struct {
		what  string
		holds bool
	}{
		{"scenario " + r.Scenario, want.scenario == "" || r.Scenario == want.scenario},
		{"target " + r.Target, strings.HasPrefix(r.Target, want.target)},
		{fmt.Sprintf("%d nodes", r.Nodes), want.nodes == 0 || r.Nodes == want.nodes},
		{r.Loop + " loop", want.loop == "" || r.Loop == want.loop},
		{fmt.Sprintf("%d callers", r.Clients), want.clients == 0 || r.Clients == want.clients},
		{fmt.Sprintf("batch %d", r.Batch), want.batch == 0 || r.Batch == want.batch},
		{fmt.Sprintf("%d losses of a leader", len(r.Gaps)), len(r.Gaps) >= want.gaps},
		{fmt.Sprintf("%d SKUs", r.SKUs), want.skus == 0 || r.SKUs == want.skus},
	} {
		if !c.holds {
			return r, fmt.Errorf("%s: %w: %s", name, ErrOther, c.what)
		}
	}
	return r, nil
}

// run takes a figure from one stored run.
func run(name string, want shape, of func(result.Result) float64) Source {
	return func(stored fs.FS) (Figure, error) {
		r, err := load(stored, name, want)
		if err != nil {
			return Figure{}, err
		}
		return Figure{Value: of(r), Note: asked(r), Conditions: conditions(r)}, nil
	}
}

// ratio takes a figure from two stored runs, each with a shape of its own.
func ratio(over, under string, of, to shape, figure func(over, under result.Result) float64) Source {
	return func(stored fs.FS) (Figure, error) {
		a, err := load(stored, over, of)
		if err != nil {
			return Figure{}, err
		}
		b, err := load(stored, under, to)
		if err != nil {
			return Figure{}, err
		}
		note := fmt.Sprintf("%s orders/s to %s", plot.Number(a.AcceptedPerS), plot.Number(b.AcceptedPerS))
		return Figure{Value: figure(a, b), Note: note, Conditions: conditions(a)}, nil
	}
}

// asked is the load of a run in a few words.
func asked(r result.Result) string {
	text := fmt.Sprintf("%d callers, %d a call", r.Clients, r.Batch)
	if r.Loop == "open" {
		text = fmt.Sprintf("%s orders/s asked, %s", plot.Number(r.Rate), text)
	}
	if r.SKUs > 1 {
		text += fmt.Sprintf(", %s SKUs", plot.Number(float64(r.SKUs)))
	}
	return text
}

// conditions are those beside which a figure has to stand.
func conditions(r result.Result) string {
	parts := []string{r.Loop + " loop", fmt.Sprintf("fsync %s / %s ms", plot.Number(r.Fsync.P50), plot.Number(r.Fsync.P99))}
	if r.FsyncDelayMS > 0 {
		parts = append(parts, plot.Number(r.FsyncDelayMS)+" ms added to each")
	}
	if !r.Started.IsZero() {
		parts = append(parts, r.Started.UTC().Format(time.DateOnly))
	}
	if r.Commit != "" && r.Commit != "unknown" {
		parts = append(parts, r.Commit)
	}
	return strings.Join(parts, ", ")
}

// decode reads stored JSON.
func decode(stored fs.FS, name string, into any) error {
	text, err := fs.ReadFile(stored, name)
	if err != nil {
		return fmt.Errorf("a stored result: %w", err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
