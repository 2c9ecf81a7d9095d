package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// lingering is how long the actor of a SKU that is hot no more goes on passing requests to the shard's actor after the last one came.
const lingering = time.Second

// hotActor is the actor of one hot SKU: a mailbox, a ledger and a window of its own.
type hotActor struct {
	r     *Replica
	shard *actor.PID
	box   *mailbox
	// desk is nil once it was given back.
	desk  *desk
	out   []item
	alarm alarmClock
}

// Receive takes turns and the actor system's own messages.
func (h *hotActor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *turn:
		h.turn(ctx, m)
	case *actor.ReceiveTimeout:
		ctx.Stop(ctx.Self())
	case *actor.Stopping:
		h.alarm.stop()
	case *actor.Stopped:
		h.r.abandon(h.box)
	}
}

func (h *hotActor) turn(ctx actor.Context, t *turn) {
	for _, msg := range t.committed {
		h.committed(ctx, msg)
	}
	for _, p := range t.requests {
		if h.desk == nil {
			ctx.Send(h.shard, p)
			continue
		}
		h.desk.admit(p)
	}
	if h.desk == nil {
		return
	}
	at, ok := h.desk.expire()
	h.alarm.set(h.r.clock, at, ok, h.box)
	h.out = h.r.submit(h.out, h.desk.term)
}

func (h *hotActor) committed(ctx actor.Context, msg any) {
	switch m := msg.(type) {
	case *wake:
		h.alarm.rang(h.r.clock)
	case *giveBack:
		d := h.desk
		h.desk = nil
		h.alarm.stop()
		h.out = h.r.submit(h.out, d.term)
		ctx.Send(h.shard, &handBack{d})
		ctx.SetReceiveTimeout(lingering)
	case *sweep:
		if h.desk.ledger.Evictable(h.r.clock.now(), m.flushed) {
			ctx.Send(h.shard, &evictable{})
		}
	case *actor.ReceiveTimeout:
		ctx.Stop(ctx.Self())
	default:
		h.desk.handle(msg)
	}
}
