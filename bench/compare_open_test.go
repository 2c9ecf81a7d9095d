package bench

import (
	"context"
	"errors"
	"testing"
	"time"

	"holdfast/bench/rival/program"
	"holdfast/bench/sale"
	"holdfast/internal/programtest"
)

// TestContestantsPassTheAudit plays a short sale with contestants as a comparison opens them: one of ours and one of each sort of theirs. Those that take
// longest to start are held to the same by their own packages.
func TestContestantsPassTheAudit(t *testing.T) {
	const stock = 20
	cfg := CompareConfig{Sink: DefaultCompareSink, Dir: t.TempDir()}
	for name, sells := range map[string]int64{oursHTTP: stock, redisRival: stock, raftOneRival: stock, nothingRival: 0} {
		t.Run(name, func(t *testing.T) {
			run := DefaultConfig()
			run.Target, run.Clients, run.Warmup, run.Duration, run.Dir = name, 8, 0, 500*time.Millisecond, t.TempDir()
			run.Open = func(ctx context.Context) (sale.Target, error) {
				return cfg.openers()[name](ctx, work{clients: run.Clients})
			}
			run.Scene = func(_ context.Context, target sale.Target) (Scene, error) {
				return newRush(target, stock, run.Clients), nil
			}
			r, err := Run(t.Context(), run)
			if errors.Is(err, program.ErrMissing) {
				programtest.Missing(t, err.Error())
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := Verdict(r); err != nil {
				t.Errorf("%v: %v", err, r.Findings)
			}
			// On a busy machine not all may be sold by the end, but nobody is refused before.
			if r.Accepted > sells || r.Refused > 0 && r.Accepted < sells || r.Accepted+r.Refused == 0 || r.Errors+r.Unknown > 0 {
				t.Errorf("accepted %d, refused %d, errors %d, unknown %d, because of %v; the stock is %d", r.Accepted, r.Refused, r.Errors, r.Unknown, r.Reasons, sells)
			}
			if about := r.About; about.Durability == "" || about.Nodes == 0 {
				t.Errorf("%+v", about)
			}
		})
	}
}
