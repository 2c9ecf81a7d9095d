package api

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/stock"
)

// RequestLog says which requests are logged. An answer of 500 or 504, and a slow request, are logged in any case.
type RequestLog struct {
	// Which is LogOff, LogErrors or LogAll; "" stands for LogErrors.
	Which string
	// PerSecond bounds the records of a second, and as many again about 500, 504 and slow requests, so that these are not lost in a flood of others.
	// What is beyond is counted: the next record has the number, and a metric.
	PerSecond int
	// Slow is the time from head to answer from which a request is slow.
	Slow time.Duration
}

// The values of RequestLog.Which.
const (
	LogOff = "off"
	// LogErrors logs every 5xx, and no refusal.
	LogErrors = "errors"
	LogAll    = "all"
)

// The defaults of RequestLog.
const (
	DefaultLogPerSecond = 100
	DefaultSlowRequest  = time.Second
)

// MaxLogPerSecond is the most that RequestLog.PerSecond can be.
const MaxLogPerSecond = 1_000_000

func (c *RequestLog) withDefaults() bool {
	if c.Which == "" {
		c.Which = LogErrors
	}
	known := c.Which == LogOff || c.Which == LogErrors || c.Which == LogAll
	return known && c.PerSecond <= MaxLogPerSecond && fill(&c.PerSecond, DefaultLogPerSecond) && fill(&c.Slow, DefaultSlowRequest)
}

// requestLog writes the records about requests.
type requestLog struct {
	RequestLog
	to *slog.Logger
	// grave bounds what is logged in any case, other the rest.
	grave, other pace
}

func newRequestLog(cfg *Config, suppressed prometheus.Counter) *requestLog {
	bucket := func() pace {
		return pace{perSecond: cfg.RequestLog.PerSecond, tokens: cfg.RequestLog.PerSecond, filled: cfg.Now(), counted: suppressed}
	}
	return &requestLog{RequestLog: cfg.RequestLog, to: cfg.Logger, grave: bucket(), other: bucket()}
}

// pace is a bucket of tokens, one for each record, full at the start and filled again at an even rate.
type pace struct {
	perSecond int
	counted   prometheus.Counter

	mu         sync.Mutex // guards what follows
	tokens     int
	filled     time.Time
	suppressed int64
}

// take takes a token, if there is one, and returns how many times there was none before.
func (p *pace) take(now time.Time) (suppressed int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	each := time.Second / time.Duration(p.perSecond)
	if n := now.Sub(p.filled) / each; n > 0 {
		p.tokens = int(min(int64(p.tokens)+int64(n), int64(p.perSecond)))
		p.filled = p.filled.Add(n * each)
	}
	if p.tokens == 0 {
		p.suppressed++
		p.counted.Inc()
		return 0, false
	}
	p.tokens--
	suppressed, p.suppressed = p.suppressed, 0
	return suppressed, true
}

// answered logs a request that was answered, when it is one to be logged.
func (l *requestLog) answered(x *exchange, end time.Time) {
	took := end.Sub(x.start)
	slow := took >= l.Slow && !x.handed
	level, bucket := slog.LevelInfo, &l.other
	switch {
	case x.status == http.StatusInternalServerError:
		level, bucket = slog.LevelError, &l.grave
	case x.status == http.StatusGatewayTimeout || x.unknown > 0 || slow:
		level, bucket = slog.LevelWarn, &l.grave
	case l.Which == LogOff:
		return
	case x.status >= 500 || x.failed > 0:
		level = slog.LevelWarn
	case l.Which != LogAll:
		return
	}
	if !l.to.Enabled(context.Background(), level) {
		return
	}
	suppressed, ok := bucket.take(end)
	if !ok {
		return
	}
	attrs := append(x.names(), slog.Int("status", x.status))
	if x.code != "" {
		attrs = append(attrs, slog.String("code", x.code))
	}
	attrs = x.figures(append(attrs, slog.Float64("took_ms", inMS(took))))
	if slow {
		attrs = append(attrs, slog.Bool("slow", true))
	}
	if suppressed > 0 {
		attrs = append(attrs, slog.Int64("suppressed", suppressed))
	}
	l.to.LogAttrs(context.Background(), level, "request", attrs...)
}

// figures appends what there is to tell of some requests only.
func (x *exchange) figures(attrs []slog.Attr) []slog.Attr {
	if x.bound != "" {
		attrs = append(attrs, slog.String("bound", x.bound))
	}
	if x.code == problems[stock.Internal].name {
		attrs = append(attrs, slog.Int("outcome", int(x.cause)))
	}
	if !x.answered.IsZero() {
		attrs = append(attrs, slog.Float64("admit_ms", inMS(x.asked.Sub(x.start))), slog.Float64("commit_ms", inMS(x.answered.Sub(x.asked))))
	}
	if x.items > 0 {
		attrs = append(attrs, slog.Int("items", x.items), slog.Int("items_failed", x.failed), slog.Int("items_unknown", x.unknown))
	}
	return attrs
}

func inMS(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// names are what every record about a request begins with. The path is not among them, nor anything else that says what was bought, by whom, or with
// which key: only names that are ours, and the id that the caller gave the request for this purpose.
func (x *exchange) names() []slog.Attr {
	t := x.traced()
	return append(make([]slog.Attr, 0, 16), slog.String("request_id", x.id), slog.String("trace_id", t.traceID()), slog.String("span_id", t.spanID()),
		slog.String("caller", x.who.Name), slog.String("route", x.counted.name))
}

// note logs something else about the request.
func (x *exchange) note(level slog.Level, msg string, attrs ...slog.Attr) {
	if to := x.s.cfg.Logger; to.Enabled(context.Background(), level) {
		to.LogAttrs(context.Background(), level, msg, append(x.names(), attrs...)...)
	}
}
