package doctor

import (
	"time"

	"holdfast/actors"
	"holdfast/node"
)

const (
	// maxStep is what a clock may move against the monotonic one while we look: more is a step, not a correction.
	maxStep  = 100 * time.Millisecond
	setRight = "sudo timedatectl set-ntp true"
)

// ancient is before this program was written: no clock that was ever set is there.
var ancient = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func judgeClock(c *node.Config, f *facts) []Check {
	return append(judgeLogTime(c, f), judgeWall(c, f))
}

func judgeWall(c *node.Config, f *facts) Check {
	const name = "clock"
	now := f.now.UTC().Format(time.RFC3339)
	switch k := &f.clock; {
	case f.now.Before(ancient):
		return fail(name, "sudo date -s ...; "+setRight, "%s: it was never set", now)
	case k.stepped.Abs() > maxStep:
		return warn(name, setRight, "%s: it was set by %v while this ran; holds expire by it", now, k.stepped.Round(time.Millisecond))
	case !k.known:
		return warn(name, "timedatectl, or what keeps this machine's time", "%s, cannot tell whether it is synchronised: the system does not say", now)
	case !k.synchronised:
		return warn(name, setRight, "%s, not synchronised: opening times and holds are only as good as it is", now)
	case k.maxError > c.MaxClockSkew:
		return warn(name, setRight, "%s, synchronised to within %v, more than --max-clock-skew %v", now, k.maxError, c.MaxClockSkew)
	default:
		return pass(name, "%s, synchronised to within %v", now, k.maxError.Round(time.Microsecond))
	}
}

// judgeLogTime says what a start would say (rule R2).
func judgeLogTime(c *node.Config, f *facts) []Check {
	const name = "log time"
	last := f.contents.last
	if last == 0 {
		return nil
	}
	err := actors.CheckClock(f.now, last, c.MaxClockSkew, c.MaxDowntime)
	switch at := time.UnixMilli(int64(last)).UTC().Format(time.RFC3339); {
	case err == nil:
		return []Check{pass(name, "the last command is of %s", at)}
	case c.AcceptClock:
		return []Check{warn(name, "leave --accept-clock out of the next start", "%v; --accept-clock is set", err)}
	default:
		return []Check{fail(name, setRight+"; or --accept-clock, when the clock is right", "%v", err)}
	}
}
