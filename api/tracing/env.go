package tracing

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// The variables that are read here; the library reads the others, and these too.
const (
	envEndpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	envTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	envExporter       = "OTEL_TRACES_EXPORTER"
	envDisabled       = "OTEL_SDK_DISABLED"
	envQueue          = "OTEL_BSP_MAX_QUEUE_SIZE"
	envBatch          = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
	envDelay          = "OTEL_BSP_SCHEDULE_DELAY"
)

// maxQueue is what OTEL_BSP_MAX_QUEUE_SIZE is cut to.
const maxQueue = 1 << 20

// Wanted reports whether the environment asks for spans: an endpoint is set, and neither OTEL_SDK_DISABLED=true nor an OTEL_TRACES_EXPORTER other
// than otlp says otherwise.
func Wanted(env func(string) string) bool {
	if strings.EqualFold(strings.TrimSpace(env(envDisabled)), "true") {
		return false
	}
	if exporter := strings.TrimSpace(env(envExporter)); exporter != "" && exporter != "otlp" {
		return false
	}
	return endpoint(env) != ""
}

// endpoint names the variable whose endpoint counts, "" when there is none. An empty value is one that was not set, as the specification wants it.
func endpoint(env func(string) string) string {
	for _, name := range []string{envTracesEndpoint, envEndpoint} {
		if strings.TrimSpace(env(name)) != "" {
			return name
		}
	}
	return ""
}

// Check returns what Open would refuse of the environment; it wraps ErrConfig.
func Check(env func(string) string) error { return checkEndpoints(env) }

// checkEndpoints refuses an endpoint for which the library would silently take its default. The value is not repeated: it may hold a password.
func checkEndpoints(env func(string) string) error {
	for _, name := range []string{envTracesEndpoint, envEndpoint} {
		value := strings.TrimSpace(env(name))
		if value == "" {
			continue
		}
		u, err := url.Parse(value)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("%w: %s is not http://HOST:PORT or https://HOST:PORT", ErrConfig, name)
		}
	}
	return nil
}

// batching returns the options of the library's batching, and how many spans its queue holds. The library would take sizes and delays below 1 as
// they are, and end the process over the one, or keep a processor busy over the other.
func batching(env func(string) string) (size int, options []sdktrace.BatchSpanProcessorOption) {
	size = min(positive(env(envQueue), sdktrace.DefaultMaxQueueSize), maxQueue)
	batch := min(positive(env(envBatch), sdktrace.DefaultMaxExportBatchSize), size)
	delay := positive(env(envDelay), sdktrace.DefaultScheduleDelay)
	return size, []sdktrace.BatchSpanProcessorOption{
		sdktrace.WithMaxQueueSize(size), sdktrace.WithMaxExportBatchSize(batch), sdktrace.WithBatchTimeout(time.Duration(delay) * time.Millisecond),
	}
}

// positive returns the number that s is, the default when it is none, or none above 0.
func positive(s string, byDefault int) int {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 32)
	if err != nil || n < 1 {
		return byDefault
	}
	return int(n)
}
