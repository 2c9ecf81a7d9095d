package forward

import (
	"time"

	"holdfast/stock"
)

// A deadline is made once, by the first node, and every copy of the command carries it: so a refusal that is remembered until then outlives every
// copy, however long one lies unread (rule R4). It is judged by the leaders' clocks. They agree with each other within the skew (rule R2); this
// node's need not, so what it reads is corrected by what the leaders say.

// now returns what the leaders' clocks say, as far as is known here.
func (f *Forwarder) now() stock.Time { return stock.TimeOf(f.cfg.Now()).Add(f.ahead.Load()) }

// deadline returns the moment of log time from which on a request of which so much time is left is refused, widened by the skew.
func (f *Forwarder) deadline(p stock.Partition, left time.Duration) stock.Time {
	now, here := f.cfg.Local.Clock(p)
	if !here {
		now = f.now()
	}
	return now.Add(left.Milliseconds() + 1 + f.cfg.MaxClockSkew.Milliseconds())
}

// correct notes what a leader's clock said when it refused a deadline that was made here. A difference within the skew is none.
func (f *Forwarder) correct(clock stock.Time) {
	ahead := int64(clock - stock.TimeOf(f.cfg.Now()))
	if skew := f.cfg.MaxClockSkew.Milliseconds(); ahead <= skew && ahead >= -skew {
		ahead = 0
	}
	if f.ahead.Swap(ahead) != ahead {
		f.metrics.ahead.Set(float64(ahead) / 1000)
		f.cfg.Logger.Warn("this node's clock is not that of the leaders; deadlines are corrected", "ahead_ms", ahead)
	}
}

// fits reports whether a deadline fits a leader's clock when so much time is left: one that would cut more than half of it comes from a slow clock or
// was long on its way, and one far ahead would be remembered for too long.
func (f *Forwarder) fits(deadline, clock stock.Time, left time.Duration) bool {
	return deadline >= clock.Add(left.Milliseconds()/2) && deadline <= clock.Add((f.cfg.MaxPatience+3*f.cfg.MaxClockSkew).Milliseconds())
}
