package audit

import "time"

// Lines about refused callers: so many at once, and one more in each interval. At a line a second the default files hold a week of them.
const (
	refusalBurst    = 100
	refusalInterval = time.Second
)

// pace is a bucket of tokens.
type pace struct {
	tokens  int
	filled  time.Time
	omitted int64
}

func newPace(now time.Time) pace { return pace{tokens: refusalBurst, filled: now} }

// take takes a token, if there is one.
func (p *pace) take(now time.Time) bool {
	if n := now.Sub(p.filled) / refusalInterval; n > 0 {
		p.tokens = int(min(int64(p.tokens)+int64(n), refusalBurst))
		p.filled = p.filled.Add(n * refusalInterval)
	}
	if p.tokens == 0 {
		return false
	}
	p.tokens--
	return true
}
