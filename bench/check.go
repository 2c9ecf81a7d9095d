package bench

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"

	"holdfast/storage"
)

// Kinds of targets.
const (
	kindInProcess = "in-process"
	kindHTTP      = "http"
	kindRedis     = "redis"
	kindPostgres  = "postgres"
	kindRaft      = "raft"
)

// Check refuses with ErrConfig what cannot be meant. Messages name the flags of `holdfast bench`. Run begins with it.
func (c *Config) Check() error {
	if c.Open == nil {
		if err := c.checkTarget(); err != nil {
			return err
		}
	}
	if c.Scene == nil && !slices.Contains(Scenarios, c.Scenario) {
		return badf("--scenario is one of %s, not %q", strings.Join(Scenarios, ", "), c.Scenario)
	}
	return c.checkNumbers()
}

func (c *Config) checkNumbers() error {
	for _, wrong := range []struct {
		is   bool
		text string
	}{
		{c.Nodes != 1 && c.Nodes != 3, "--nodes is 1 or 3: with more, not every node has a copy of the sale"},
		{!(c.Rate >= 0) || math.IsInf(c.Rate, 0), "--rate is in orders a second, 0 or above; without it, or with 0, the loop is a closed one"},
		{c.Clients < 1, "--clients must be at least 1"},
		{c.MaxOutstanding < 0, "--max-outstanding must be at least 1"},
		{c.Batch < 1 || c.Batch > MaxBatch, fmt.Sprintf("--batch is 1 to %d orders a call", MaxBatch)},
		{c.Duration <= 0, "--duration must be positive"},
		{c.Warmup < 0, "--warmup must not be negative"},
		{c.SKUs < 0, "--skus must not be negative; 0 leaves it to the scenario"},
		{!(c.Skew >= 0) || math.IsInf(c.Skew, 0), "--skew is 0 (all alike) or above"},
		{c.FsyncDelay < 0, "--fsync-delay must not be negative"},
		{c.Shards < 0 || c.Preload < 0 || c.PayloadBytes < 0, "shards, orders stored before and payload must not be negative"},
		{c.Scenario == Failover && c.Nodes != 3 && c.kind() == kindInProcess, "--scenario failover needs --nodes 3: nobody goes on for a single node"},
		{c.Scenario == Failover && c.Open == nil && c.kind() != kindInProcess, "--scenario failover needs --target in-process: it kills the leader, which only its own process can do"},
	} {
		if wrong.is {
			return badf("%s", wrong.text)
		}
	}
	return nil
}

// checkTarget looks at what is measured, and at the flags that are for some kinds of targets only.
func (c *Config) checkTarget() error {
	if err := c.checkAddress(); err != nil {
		return err
	}
	kind := c.kind()
	for _, wrong := range []struct {
		is   bool
		text string
	}{
		{kind == kindHTTP && c.AdminAddr == "", "--admin-addr is missing: bench creates the SKUs that it sells at the cluster's admin listener"},
		{kind != kindHTTP && c.AdminAddr != "", "--admin-addr is for http targets; " + c.shownTarget() + " has no admin listener"},
		{kind != kindHTTP && c.Storage != "", "--storage is for http targets: where such a cluster stores its orders. The storage of an in-process one is --sink, and always audited"},
		{kind != kindInProcess && c.FsyncDelay > 0, "--fsync-delay is for --target in-process: nobody else's disk can be slowed down from here"},
	} {
		if wrong.is {
			return badf("%s", wrong.text)
		}
	}
	if kind == kindInProcess {
		if err := storage.CheckSink(c.Sink); err != nil {
			return badf("--sink: %v", err)
		}
	}
	if strings.Contains(c.Storage, "://") {
		if err := storage.CheckSink(c.Storage); err != nil {
			return badf("--storage: %v", err)
		}
	}
	return nil
}

// checkAddress wants a target that exists, and addresses that are URLs.
func (c *Config) checkAddress() error {
	switch c.kind() {
	case kindHTTP:
		for _, address := range c.addresses() {
			u, err := url.Parse(address)
			if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
				return badf("--target: %q is not the address of a public listener, such as http://127.0.0.1:8080", address)
			}
		}
	case "":
		return badf("--target is in-process, http://A[,http://B...], redis://... or postgres://..., not %q", c.shownTarget())
	}
	return nil
}

// kind is what sort of target it is; "" when there is no such.
func (c *Config) kind() string {
	for _, k := range []struct{ prefix, kind string }{
		{"http://", kindHTTP}, {"https://", kindHTTP}, {"redis://", kindRedis}, {"rediss://", kindRedis}, {"postgres://", kindPostgres}, {"postgresql://", kindPostgres},
	} {
		if strings.HasPrefix(c.Target, k.prefix) {
			return k.kind
		}
	}
	if c.Target == kindInProcess || c.Target == kindRaft || c.Target == kindRedis || c.Target == kindPostgres {
		return c.Target
	}
	return ""
}

// addresses are those of an http target.
func (c *Config) addresses() []string { return strings.Split(c.Target, ",") }

// shownTarget is the target without any password.
func (c *Config) shownTarget() string { return redacted(c.Target) }

// redacted takes the password out of a URL.
func redacted(text string) string {
	u, err := url.Parse(text)
	switch {
	case err == nil && u.Scheme != "" && strings.HasPrefix(u.Scheme, "postgres"):
		return storage.RedactSink(text)
	case err == nil:
		return u.Redacted()
	case strings.Contains(text, "@"):
		return storage.RedactSink(text)
	}
	return text
}

// configError is what is wrong with a configuration, in words for who typed it.
type configError struct{ text string }

// Error returns the words.
func (e *configError) Error() string { return e.text }

// Unwrap makes it an ErrConfig.
func (e *configError) Unwrap() error { return ErrConfig }

func badf(format string, args ...any) error { return &configError{fmt.Sprintf(format, args...)} }
