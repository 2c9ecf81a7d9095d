package stock

import "time"

// Time is a moment of log time: milliseconds since 1970-01-01 UTC as the leader's clock read it when it proposed.
// Zero means "none" wherever a time is optional. Log time never goes back within a shard.
type Time int64

// TimeOf returns t in log time, truncated to milliseconds.
func TimeOf(t time.Time) Time { return Time(t.UnixMilli()) }

// Std returns t as a standard time in UTC.
func (t Time) Std() time.Time { return time.UnixMilli(int64(t)).UTC() }

// Add returns t plus d milliseconds; it saturates rather than overflow.
func (t Time) Add(dMS int64) Time {
	if s := int64(t) + dMS; (s > int64(t)) == (dMS > 0) {
		return Time(s)
	}
	if dMS > 0 {
		return Time(maxInt64)
	}
	return Time(-maxInt64)
}

const maxInt64 = 1<<63 - 1
