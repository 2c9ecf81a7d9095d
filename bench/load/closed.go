package load

import "context"

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
			}
		})
	}
	e.finish(ctx, cancel, func() {})
}
