package forward

import (
	"testing"
	"testing/synctest"
	"time"
)

// Parcels travel together in their order, as far as a frame goes and while their deadlines lie near each other: none has its time cut short by another.
func TestWhatTravelsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 1, func(c *Config) { c.MaxFrameRequests = 4 })
		defer w.close()
		o := w.nodes["n1"].forward.outbox
		now := time.Now()
		l := &lane{laneKey: laneKey{node: "n2", shard: 1}, flying: 1}
		o.lanes[l.laneKey] = l
		for _, p := range []struct {
			after time.Duration
			count int
			over  bool
		}{
			{8 * time.Second, 1, false}, {9 * time.Second, 1, false}, {7 * time.Second, 1, true}, {7 * time.Second, 2, false},
			{7 * time.Second, 1, false}, {time.Second, 1, false}, {20 * time.Second, 1, false},
		} {
			l.queue = append(l.queue, &parcel{body: []byte{0xc0}, count: p.count, deadline: now.Add(p.after), attempt: 2, over: p.over})
		}
		for i, want := range []struct {
			parcels int
			left    time.Duration
		}{{3, 7*time.Second - maxWayBack}, {1, 7*time.Second - maxWayBack}, {1, time.Second - maxWayBack}, {1, 20*time.Second - maxWayBack}, {0, 0}} {
			ctx, fr, _, attempt := o.gather(l)
			if fr == nil {
				if want.parcels != 0 || l.flying != 0 || o.lanes[l.laneKey] != nil {
					t.Errorf("frame %d: none, want %d parcels; %d flying", i, want.parcels, l.flying)
				}
				return
			}
			until, _ := ctx.Deadline()
			if len(fr.parcels) != want.parcels || until.Sub(now) != want.left || attempt != 2 {
				t.Errorf("frame %d: %d parcels, %v left, attempt %d, want %d and %v", i, len(fr.parcels), until.Sub(now), attempt, want.parcels, want.left)
			}
			fr.cancel()
		}
	})
}
