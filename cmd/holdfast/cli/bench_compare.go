package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"holdfast/bench"
)

func (a *app) benchCompareCommand() *cobra.Command {
	cfg := bench.CompareConfig{
		Rounds: bench.DefaultCompareRounds, Duration: bench.DefaultCompareDuration, Warmup: bench.DefaultCompareWarmup, Seed: 1, Sink: bench.DefaultCompareSink,
		Version: build().Version,
	}
	cmd := &cobra.Command{
		Use: "compare", Short: "Measure ours and rivals in turn, and print ratios", Args: exactly(),
		Example: `  holdfast bench compare
  holdfast bench compare --parts P1,P2 --rounds 9 --duration 20s -o json > compare.json`,
		Long: "Measure ours and rivals in turn, under the same load by the same callers, in alternating order, and print ratios: of one order a request (P1) and\n" +
			"batches (P2) over HTTP against Redis with a Lua script and PostgreSQL with a transaction, of orders by function call (P3) against one Raft entry an\n" +
			"order, and of refusals (P4) against a handler that does nothing. All servers are started by the command, with files and ports of their own, and sync\n" +
			"before they answer; one that is not installed is skipped. The durability of each is printed beside its figure: no rival has a replica. The loop is\n" +
			"closed. Every run is audited; exit code 98 when a run of anybody broke a promise.",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.compare(cmd.Context(), cfg) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&cfg.Parts, "parts", nil, strings.Join(bench.CompareParts(), ", ")+" (default: all)")
	f.IntVar(&cfg.Rounds, "rounds", cfg.Rounds, "how often each contestant is measured")
	f.DurationVar(&cfg.Duration, "duration", cfg.Duration, "how long is measured each time")
	f.DurationVar(&cfg.Warmup, "warmup", cfg.Warmup, "how long before that orders are asked for and audited, but not measured")
	f.IntVar(&cfg.Clients, "clients", 0, "callers in every part (default: each part's own)")
	f.Uint64Var(&cfg.Seed, "seed", cfg.Seed, "who orders what")
	f.StringVar(&cfg.Sink, "sink", cfg.Sink, "where ours stores orders beside its log: none, sqlite or postgres://USER@HOST:PORT/DATABASE")
	f.StringVar(&cfg.Dir, "dir", "", "directory for the files of nodes and servers, which are removed in the end (default: the system's for temporary files)")
	f.StringVar(&cfg.Redis, "redis", "", "a running server's redis:// address (default: one is started)")
	f.StringVar(&cfg.Postgres, "postgres", "", "a running server's postgres:// address (default: one is started)")
	return cmd
}

func (a *app) compare(ctx context.Context, cfg bench.CompareConfig) error {
	if cfg.Rounds < 1 || cfg.Duration <= 0 {
		return usagef("--rounds and --duration must be above zero")
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg.Tell = func(text string) { a.note("%s", text) }
	c, err := bench.Compare(ctx, cfg)
	if errors.Is(err, bench.ErrCompare) {
		return exitWith(ExitUsage, err)
	}
	if err != nil {
		return err
	}
	if err := a.showComparison(c); err != nil {
		return err
	}
	if c.Broken() {
		return exitWith(ExitBroken, fmt.Errorf("%w: a run failed its audit", bench.ErrBroken))
	}
	return nil
}

func (a *app) showComparison(c *bench.Comparison) error {
	if a.output == "json" {
		return a.print(c, table{})
	}
	return c.WriteText(a.Out)
}
