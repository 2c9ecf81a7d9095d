package actors

import (
	"context"
	"log/slog"
)

// atLeast is a handler that passes on only what is as grave as a level.
type atLeast struct {
	slog.Handler
	level slog.Level
}

// Enabled reports whether a level is grave enough.
func (h atLeast) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.level && h.Handler.Enabled(ctx, l)
}

// WithAttrs keeps the level.
func (h atLeast) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeast{h.Handler.WithAttrs(attrs), h.level}
}

// WithGroup keeps the level.
func (h atLeast) WithGroup(name string) slog.Handler {
	return atLeast{h.Handler.WithGroup(name), h.level}
}
