package tracing

import (
	"context"
	"log/slog"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
)

// bridge carries the library's own messages into our log, which they would otherwise bypass on their way to standard error. Only the sentence and the
// error come along: the values beside them may be those of OTEL_EXPORTER_OTLP_HEADERS, which holds keys.
type bridge struct{ to *slog.Logger }

var _ slog.Handler = bridge{}

// hear makes the library speak to the logger. It has one place in a process for that.
func hear(logger *slog.Logger) {
	otel.SetLogger(logr.FromSlogHandler(bridge{logger}))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		logger.Warn("opentelemetry", "error", clip(err.Error()))
	}))
}

// libraryWarning is the level at which the library warns; what it says below that is for its own authors.
const libraryWarning = slog.LevelInfo - 1

// Enabled drops what is less than a warning.
func (b bridge) Enabled(ctx context.Context, level slog.Level) bool {
	return level == libraryWarning && b.to.Enabled(ctx, slog.LevelWarn) || level >= slog.LevelError && b.to.Enabled(ctx, level)
}

// Handle passes a message on.
func (b bridge) Handle(ctx context.Context, r slog.Record) error {
	level, why := slog.LevelWarn, ""
	if r.Level >= slog.LevelError {
		level = slog.LevelError
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "err" {
			why = clip(a.Value.String())
		}
		return true
	})
	b.to.LogAttrs(ctx, level, "opentelemetry: "+r.Message, slog.String("error", why))
	return nil
}

// WithAttrs drops what is added to every message.
func (b bridge) WithAttrs([]slog.Attr) slog.Handler { return b }

// WithGroup drops the group: there is nothing in it.
func (b bridge) WithGroup(string) slog.Handler { return b }
