package cluster

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
)

// raftLogger carries raft's log into slog, from level warn on: below it raft speaks of every heartbeat. What belongs to every start and every change
// of members is no warning (see ordinary), and what raft says again and again, of a node that does not answer several times a second, is said once in
// a while (see repeats).
type raftLogger struct {
	to    *slog.Logger
	name  string
	args  []any
	again *repeats
}

var _ hclog.Logger = (*raftLogger)(nil)

func newRaftLogger(to *slog.Logger) *raftLogger {
	return &raftLogger{to: to, name: "raft", again: &repeats{now: time.Now}}
}

// Log passes a message on.
func (l *raftLogger) Log(level hclog.Level, msg string, args ...any) {
	to := slog.LevelWarn
	switch {
	case level < hclog.Warn:
		return
	case ordinary(msg, args):
		to = slog.LevelDebug
	case level >= hclog.Error:
		to = slog.LevelError
	}
	if !l.to.Enabled(context.Background(), to) {
		return
	}
	args = formatted(args)
	omitted, say := l.again.say(msg, args)
	if !say {
		return
	}
	if omitted > 0 {
		args = append(args, "omitted", omitted)
	}
	l.to.Log(context.Background(), to, l.name+": "+msg, args...)
}

// formatted replaces values that hclog would format by their text.
func formatted(args []any) []any {
	out := slices.Clone(args)
	for i, arg := range out {
		if f, ok := arg.(hclog.Format); ok && len(f) > 0 {
			out[i] = fmt.Sprintf(fmt.Sprint(f[0]), f[1:]...)
		}
	}
	return out
}

// Trace is dropped.
func (l *raftLogger) Trace(string, ...any) {}

// Debug is dropped.
func (l *raftLogger) Debug(string, ...any) {}

// Info is dropped.
func (l *raftLogger) Info(string, ...any) {}

// Warn passes a warning on.
func (l *raftLogger) Warn(msg string, args ...any) { l.Log(hclog.Warn, msg, args...) }

// Error passes an error on.
func (l *raftLogger) Error(msg string, args ...any) { l.Log(hclog.Error, msg, args...) }

// IsTrace is false.
func (l *raftLogger) IsTrace() bool { return false }

// IsDebug is false.
func (l *raftLogger) IsDebug() bool { return false }

// IsInfo is false.
func (l *raftLogger) IsInfo() bool { return false }

// IsWarn is true.
func (l *raftLogger) IsWarn() bool { return true }

// IsError is true.
func (l *raftLogger) IsError() bool { return true }

// ImpliedArgs returns what With added.
func (l *raftLogger) ImpliedArgs() []any { return l.args }

// With returns a logger that adds args to every message.
func (l *raftLogger) With(args ...any) hclog.Logger {
	return &raftLogger{
		to: l.to.With(args...), name: l.name, args: append(l.args[:len(l.args):len(l.args)], args...), again: &repeats{now: l.again.now},
	}
}

// Name returns the logger's name.
func (l *raftLogger) Name() string { return l.name }

// Named returns a logger below this one.
func (l *raftLogger) Named(name string) hclog.Logger { return l.ResetNamed(l.name + "." + name) }

// ResetNamed returns a logger of another name.
func (l *raftLogger) ResetNamed(name string) hclog.Logger {
	return &raftLogger{to: l.to, name: name, args: l.args, again: l.again}
}

// SetLevel does nothing: the level is warn.
func (l *raftLogger) SetLevel(hclog.Level) {}

// GetLevel returns warn.
func (l *raftLogger) GetLevel() hclog.Level { return hclog.Warn }

// StandardLogger returns a logger of the standard kind that drops everything; raft does not ask for one.
func (l *raftLogger) StandardLogger(*hclog.StandardLoggerOptions) *log.Logger {
	return log.New(io.Discard, "", 0)
}

// StandardWriter returns a writer that drops everything; raft does not ask for one.
func (l *raftLogger) StandardWriter(*hclog.StandardLoggerOptions) io.Writer { return io.Discard }
