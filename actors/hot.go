package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// lingering is about how long the actor of a SKU that is hot no more goes on passing requests to the shard's actor after the last one came.
const lingering = time.Second

// hotActor is the actor of one hot SKU: a mailbox, a ledger and a window of its own.
type hotActor struct {
	r     *Replica
	shard *actor.PID
	box   *mailbox
	// desk is nil once it was given back.
	desk  *desk
	tray  tray
	alarm alarmClock
	// lingerer rings after the desk was given back; asked says that a request came since it was set.
	lingerer *time.Timer
	asked    bool
}

// Receive takes turns and the actor system's own messages.
func (h *hotActor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *turn:
		h.turn(ctx, m)
	case *actor.Stopping:
		h.alarm.stop()
		if h.lingerer != nil {
			h.lingerer.Stop()
		}
	case *actor.Stopped:
		h.r.abandon(h.box)
		if h.desk != nil {
			h.desk.close()
		}
		h.tray.abandon()
	}
}

func (h *hotActor) turn(ctx actor.Context, t *turn) {
	for _, msg := range t.committed {
		h.committed(ctx, msg)
	}
	clock := h.r.clock.now() // once a turn: everything in it has come before
	for _, p := range t.requests {
		if h.desk == nil {
			h.asked = true
			ctx.Send(h.shard, p)
			continue
		}
		h.desk.admit(p, clock)
	}
	if h.desk != nil {
		at, ok := h.desk.expire()
		h.alarm.set(h.r.clock, at, ok, h.box)
	}
	h.r.handOn(&h.tray)
}

func (h *hotActor) committed(ctx actor.Context, msg any) {
	switch m := msg.(type) {
	case *wake:
		h.alarm.stop() // the end of the turn sets it again
	case *giveBack:
		d := h.desk
		h.desk = nil
		h.alarm.stop()
		h.r.handOn(&h.tray)
		ctx.Send(h.shard, &handBack{d, m.of})
		h.lingerer = time.AfterFunc(lingering, func() { h.box.PostUserMessage(&linger{}) })
	case *sweep:
		if h.desk.ledger.Evictable(h.r.clock.now(), m.flushed) {
			ctx.Send(h.shard, &evictable{h.desk.ledger.Number()})
		}
	case *linger:
		if h.asked {
			h.asked = false
			h.lingerer.Reset(lingering)
			return
		}
		ctx.Stop(ctx.Self())
	case *portion:
		h.box.applying = m.at.Index
		h.desk.handle(m)
	default:
		h.desk.handle(msg)
	}
}
