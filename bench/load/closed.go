package load

import (
	"context"
	"time"
)

// closed runs a closed loop: each caller asks, waits for its answer, and asks again.
func (e *engine) closed(ctx context.Context, cancel func()) {
	for caller := range e.cfg.Clients {
		e.running.Go(func() {
			var r Record
			for ctx.Err() == nil {
				now := e.elapsed()
				if now >= e.end() {
					return
				}
				e.one(caller, &r, now)
				if r.Failed > 0 && r.Accepted+r.Refused+r.Unknown == 0 {
					e.backOff(ctx)
				}
			}
		})
	}
	e.finish(ctx, cancel, func() {})
}

// backOff waits before a caller asks again that was told nothing.
func (e *engine) backOff(ctx context.Context) {
	t := time.NewTimer(e.cfg.Backoff)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
