package node

import (
	"log/slog"
	"time"
)

const (
	// waitQuietly is how long a start may wait before the log says for what.
	waitQuietly = 3 * time.Second
	// waitTold is how often it says so from then on.
	waitTold = 15 * time.Second
)

// waitLog tells the log what a start waits for, when that takes longer than most starts.
type waitLog struct {
	logger *slog.Logger
	next   time.Time
}

// note is told again and again what is waited for.
func (w *waitLog) note(now time.Time, waiting string) {
	if w.next.IsZero() {
		w.next = now.Add(waitQuietly)
	}
	if now.Before(w.next) {
		return
	}
	w.next = now.Add(waitTold)
	w.logger.Warn("not ready yet", "waits_for", waiting)
}
