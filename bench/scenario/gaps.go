package scenario

import (
	"context"
	"math"
	"sync"
	"time"
)

// gap is a time without an acceptance, and the kill it is of.
type gap struct {
	at     time.Time
	length time.Duration
}

// gaps watches acceptances.
type gaps struct {
	mu    sync.Mutex // guards what follows
	last  time.Time  // the last acceptance
	over  time.Time  // the kill of the gap that is looked for; zero while none is
	worst gap
	found []gap
}

func (g *gaps) begin(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = now
}

// accepted notes an acceptance.
func (g *gaps) accepted(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !now.After(g.last) {
		return
	}
	if length := now.Sub(g.last); !g.over.IsZero() && now.After(g.over) {
		g.worst.length = max(g.worst.length, length)
	}
	g.last = now
}

// open begins to look for the gap of a kill.
func (g *gaps) open(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over, g.worst = now, gap{at: now}
}

// await returns when somebody was accepted after now, which is after the kill.
func (g *gaps) await(ctx context.Context) {
	after := time.Now()
	for pause(ctx, retryPause) {
		g.mu.Lock()
		last := g.last
		g.mu.Unlock()
		if last.After(after) {
			return
		}
	}
}

// close ends the looking. A gap in which nobody was accepted any more is as long as it is known to be.
func (g *gaps) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.last.Before(g.over) {
		g.worst.length = max(g.worst.length, time.Since(g.over))
	}
	g.found, g.over = append(g.found, g.worst), time.Time{}
}

func (g *gaps) all() []gap {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]gap(nil), g.found...)
}

// rounded rounds to thousandths.
func rounded(x float64) float64 { return math.Round(x*1000) / 1000 }
