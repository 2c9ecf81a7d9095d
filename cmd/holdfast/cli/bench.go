package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"holdfast/api/client"
	"holdfast/bench"
	"holdfast/bench/load"
	"holdfast/bench/result"
	"holdfast/cmd/holdfast/config"
)

// benchmark is what bench was told.
type benchmark struct {
	bench.Config
	credentials
	report, baseline string
	thresholds       thresholdList
	// before is the baseline, nil when there is none.
	before *result.Result
}

func (a *app) benchCommand() *cobra.Command {
	b := &benchmark{Config: bench.DefaultConfig(), credentials: credentials{env: a.Env}}
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure a sale, and prove it", Args: exactly(),
		Example: `  holdfast bench
  holdfast bench --scenario soldout --batch 100 --rate 200000 --threshold 'p99<5ms' --report sale.html
  holdfast bench --target http://10.0.0.1:8080,http://10.0.0.2:8080 --admin-addr http://10.0.0.1:8081 --rate 5000 --duration 1m`,
		Long: "Measure a sale. With --rate the loop is open: orders come when a schedule says so, and latency counts from then, however long a call had to wait\n" +
			"to be made. Without it the loop is closed: --clients callers wait for their answers and ask again, which finds out how much there is, and says\n" +
			"little about latency. The disk is probed first; afterwards every answer is held against the target and its storage. Ctrl-C ends the asking,\n" +
			"not the audit. Without --target, nodes are opened in this process, on free ports and temporary files.\n" +
			"Exit code 98: the audit found units oversold, undersold, lost or duplicated, or a limit broken; 99: a threshold was missed.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.checkMeasured(b); err != nil {
				return err
			}
			return a.measure(cmd.Context(), b)
		},
	}
	b.flags(cmd)
	cmd.AddCommand(a.benchCompareCommand())
	return cmd
}

func (b *benchmark) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&b.Target, "target", b.Target, "in-process, http://A[,http://B...], redis://... or postgres://...")
	f.StringVar(&b.AdminAddr, "admin-addr", "", "admin listener of an http target (default: "+defaultAdminAddr+" when the target is "+defaultAddr+")")
	f.StringVar(&b.Scenario, "scenario", b.Scenario, strings.Join(bench.Scenarios, ", "))
	f.IntVar(&b.Nodes, "nodes", b.Nodes, "nodes of an in-process cluster: 1 or 3")
	f.IntVar(&b.Shards, "shards", 0, "shards of an in-process cluster (default: as serve has)")
	f.Float64Var(&b.Rate, "rate", 0, "orders a second, in an open loop; 0: a closed loop")
	f.IntVar(&b.Clients, "clients", b.Clients, "callers of a closed loop")
	f.IntVar(&b.MaxOutstanding, "max-outstanding", b.MaxOutstanding, "calls under way at most in an open loop; what comes then waits, and its wait counts")
	f.IntVar(&b.Batch, "batch", b.Batch, "orders a call")
	f.DurationVar(&b.Duration, "duration", b.Duration, "how long is measured")
	f.DurationVar(&b.Warmup, "warmup", b.Warmup, "how long before that orders are asked for and audited, but not measured")
	f.IntVar(&b.SKUs, "skus", 0, "how many SKUs are sold (default: as many as the scenario has)")
	f.Float64Var(&b.Skew, "skew", b.Skew, "exponent of the SKUs' popularity in zipf; 0: all alike")
	f.Uint64Var(&b.Seed, "seed", b.Seed, "when orders come, and who orders what")
	f.StringVar(&b.Sink, "sink", b.Sink, "where an in-process cluster stores orders: sqlite, none or postgres://USER@HOST:PORT/DATABASE")
	f.BoolVar(&b.AdoptSink, "adopt-sink", false, "take over a database that another cluster wrote, such as an earlier run's")
	f.StringVar(&b.Storage, "storage", "", "where an http target stores orders, to be audited, too: a SQLite file or postgres://...")
	f.DurationVar(&b.FsyncDelay, "fsync-delay", 0, "added to every flush of an in-process cluster's logs")
	f.StringVar(&b.Dir, "dir", "", "directory for an in-process cluster's files, which are removed in the end (default: the system's for temporary files)")
	f.Var(&b.thresholds, "threshold", "a limit that the result must keep, such as p99<5ms or accepted_per_s>100000; may be repeated")
	f.StringVar(&b.report, "report", "", "write the result as a page into this file, which needs nothing else to be read")
	f.StringVar(&b.baseline, "baseline", "", "an earlier result (-o json) to show the difference to")
	f.StringVar(&b.keyFile, "api-key-file", "", "file that holds the API key (or the key itself in "+keyVariable+")")
	f.StringVar(&b.caFile, "ca", "", "PEM file of the certificates that vouch for the server (default: the system's)")
}

// checkMeasured refuses what is wrong before anything is opened.
func (a *app) checkMeasured(b *benchmark) error {
	switch {
	case b.AdminAddr == "" && usualTarget(b.Target):
		b.AdminAddr = defaultAdminAddr
	case !strings.HasPrefix(b.Target, "http") && a.settings["admin-addr"].Origin.Kind != config.Flag:
		b.AdminAddr = "" // A variable is meant for other commands.
	}
	if b.MaxOutstanding < 1 {
		return usagef("--max-outstanding must be at least 1")
	}
	for _, flag := range []string{"nodes", "shards", "sink", "adopt-sink", "dir"} {
		// A variable may be meant for other commands, too.
		if b.Target != bench.InProcess && a.settings[flag].Origin.Kind == config.Flag {
			return usagef("--%s is for --target %s", flag, bench.InProcess)
		}
	}
	b.Config.Thresholds = nil
	for _, text := range b.thresholds {
		limit, err := bench.ParseThreshold(text)
		if err != nil {
			return exitWith(ExitUsage, err)
		}
		b.Config.Thresholds = append(b.Config.Thresholds, limit)
	}
	var c client.Config
	if err := b.credentials.apply(&c); err != nil {
		return err
	}
	b.APIKey, b.RootCAs, b.Version = c.APIKey, c.RootCAs, build().Version
	if err := b.Check(); err != nil {
		return exitWith(ExitUsage, err)
	}
	if b.baseline != "" {
		before, err := result.Read(b.baseline)
		if err != nil {
			return usagef("--baseline: %w", err)
		}
		b.before = &before
	}
	return nil
}

// usualTarget reports whether a target is one node at the address where nodes are when nobody says otherwise: so is its admin listener then.
func usualTarget(target string) bool {
	u, err := url.Parse(target)
	return err == nil && u.Scheme == "http" && slices.Contains([]string{"127.0.0.1:8080", "localhost:8080"}, u.Host)
}

// measure runs, shows what was found, and gives it its exit code.
func (a *app) measure(ctx context.Context, b *benchmark) error {
	page, err := newPageFile(b.report)
	if err != nil {
		return usagef("--report: %w", err)
	}
	defer page.discard()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := newMeter(a.Err, columns(a.Err), &b.Config)
	b.OnPhase, b.OnInterval = p.phase, p.interval
	interrupted := context.AfterFunc(ctx, func() {
		p.say("interrupted: no more orders; what was asked is audited. Once more to end at once.")
		stop()
	})
	r, err := bench.Run(ctx, b.Config)
	interrupted()
	p.finish()
	if err != nil {
		return measureError(err)
	}
	return a.judge(b, page, r)
}

// judge shows a result, writes its page, and says whether it is a good one.
func (a *app) judge(b *benchmark, page *pageFile, r *result.Result) error {
	if err := a.showMeasured(b, r); err != nil {
		return err
	}
	if err := page.write(r, b.before); err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	err := bench.Verdict(r)
	switch {
	case errors.Is(err, bench.ErrBroken):
		return exitWith(ExitBroken, err)
	case errors.Is(err, bench.ErrThreshold):
		return exitWith(ExitThreshold, err)
	}
	return err
}

// measureError gives what ended a run without a result its exit code.
func measureError(err error) error {
	switch {
	case errors.Is(err, bench.ErrConfig), errors.Is(err, load.ErrConfig):
		return exitWith(ExitUsage, err)
	case errors.Is(err, bench.ErrBroken):
		return exitWith(ExitBroken, err)
	}
	return remoteError(err)
}

// thresholdList is a flag that may be repeated. Its texts are read when all flags are known.
type thresholdList []string

// Set adds a threshold, or several with commas between them: one variable holds them all.
func (l *thresholdList) Set(text string) error {
	*l = append(*l, strings.Split(text, ",")...)
	return nil
}

// String puts them together again.
func (l *thresholdList) String() string { return strings.Join(*l, ",") }

// Type is what help shows as the value.
func (*thresholdList) Type() string { return "limit" }
