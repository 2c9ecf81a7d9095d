package cli

import (
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"holdfast/api"
)

// logging is how the node logs.
type logging struct {
	level, format string
	requests      api.RequestLog
}

func (l *logging) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.level, "log-level", "info", "debug, info, warn or error")
	cmd.Flags().StringVar(&l.format, "log-format", "text", "text or json")
	cmd.Flags().StringVar(&l.requests.Which, "log-requests", api.LogErrors,
		"which requests are logged: off, errors (5xx) or all; 500, 504 and slow ones always are")
	cmd.Flags().IntVar(&l.requests.PerSecond, "log-requests-rate", api.DefaultLogPerSecond,
		"records about requests a second; what is beyond is counted")
	cmd.Flags().DurationVar(&l.requests.Slow, "slow-request", api.DefaultSlowRequest, "a request that takes longer is logged as a warning")
}

// check refuses what is no way to log.
func (l *logging) check() error {
	switch {
	case l.requests.Which != api.LogOff && l.requests.Which != api.LogErrors && l.requests.Which != api.LogAll:
		return usagef("--log-requests is off, errors or all, not %q", l.requests.Which)
	case l.requests.PerSecond < 1 || l.requests.PerSecond > api.MaxLogPerSecond:
		return usagef("--log-requests-rate must be 1 to %d", api.MaxLogPerSecond)
	case l.requests.Slow <= 0:
		return usagef("--slow-request must be positive")
	}
	_, err := l.logger(io.Discard)
	return err
}

func (l *logging) logger(to io.Writer) (*slog.Logger, error) {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	level, ok := levels[l.level]
	if !ok {
		return nil, usagef("--log-level is debug, info, warn or error, not %q", l.level)
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: durationsInWords}
	switch l.format {
	case "text":
		return slog.New(slog.NewTextHandler(to, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(to, options)), nil
	}
	return nil, usagef("--log-format is text or json, not %q", l.format)
}

// durationsInWords writes 20s where JSON would have 20000000000 of something.
func durationsInWords(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}
