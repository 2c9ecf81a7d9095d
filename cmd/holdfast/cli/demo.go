package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"holdfast/cmd/holdfast/demo"
)

func (a *app) demoCommand() *cobra.Command {
	cfg := demo.Config{}
	verbose := false
	cmd := &cobra.Command{
		Use: "demo", Short: "A whole sale with a power cut in the middle, and a proof at the end", Args: exactly(),
		Example: "  holdfast demo",
		Long: "A node on a temporary directory and free ports, a sale of 1,000 units, one per buyer, and a crowd of 50,000 over real HTTP: double\n" +
			"clicks, holds that nobody pays for, cancels, payments and payments reported twice. In the middle the node is killed with SIGKILL and\n" +
			"comes back on its files. At the end three independent counts are compared: what the clients were told, what the log replays to, and what\n" +
			"SQLite holds. Exit code 98 if they disagree. On a terminal the node then serves on until Ctrl-C.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if verbose {
				cfg.Verbose = a.Err
			}
			return a.demo(cmd.Context(), cfg)
		},
	}
	f := cmd.Flags()
	f.Int64Var(&cfg.Units, "units", 1000, "units on sale")
	f.IntVar(&cfg.Buyers, "buyers", 50_000, "people who want one")
	f.IntVar(&cfg.Callers, "callers", 64, "orders under way at once")
	f.DurationVar(&cfg.HoldTTL, "hold-ttl", 1500*time.Millisecond, "how long an order waits for its payment")
	f.Uint64Var(&cfg.Seed, "seed", 1, "who does what")
	f.BoolVar(&verbose, "verbose", false, "show the node's log")
	return cmd
}

func (a *app) demo(ctx context.Context, cfg demo.Config) error {
	if cfg.Units < 1 || cfg.Callers < 1 || int64(cfg.Buyers) < 3*cfg.Units {
		return usagef("--units and --callers must be at least 1, and --buyers at least three times --units")
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	cfg.Program, cfg.Log, cfg.Columns = program, a.Err, columns(a.Err)
	d, err := demo.Run(ctx, cfg)
	if err != nil {
		return err
	}
	err = a.showDemo(d)
	switch {
	case err != nil:
	case isTerminal(a.Out) && isTerminal(a.In):
		err = d.Serve(ctx, func() {
			a.tryIt(d)
			a.note("\nServing until Ctrl-C.")
		})
	default:
		a.tryIt(d)
		a.note("On a terminal the node serves on; here its files are removed now.")
	}
	return errors.Join(err, d.Close())
}

// proven is what demo prints as JSON.
type proven struct {
	demo.Proof
	Tally      demo.Tally `json:"tally"`
	AskedAgain int64      `json:"asked_again"`
	LogEntries int        `json:"log_entries"`
	DownMS     int64      `json:"down_ms"`
	TookMS     int64      `json:"took_ms"`
}

func (a *app) showDemo(d *demo.Demo) error {
	p := proven{
		Proof: d.Proof, Tally: d.Told.Tally, AskedAgain: d.Told.AskedAgain, LogEntries: d.Entries,
		DownMS: d.Down.Milliseconds(), TookMS: d.Took.Milliseconds(),
	}
	t := table{head: []string{"CHECK", "CLIENTS", "LOG", "SQLITE", ""}}
	for _, r := range d.Proof.Rows {
		t.rows = append(t.rows, []string{r.Check, r.Told, r.Log, r.Stored, verdictWord(r.Pass)})
	}
	if a.output == "table" {
		fmt.Fprintln(a.Out)
	}
	if err := a.print(p, t); err != nil {
		return err
	}
	for _, fault := range d.Proof.Faults {
		a.note("wrong: %s", fault)
	}
	word := "three independent counts agree"
	if !d.Proof.Pass {
		word = "the counts disagree"
	}
	if a.output == "table" {
		fmt.Fprintf(a.Out, "\n%s: %s. %d requests answered in %.1f s, %.2f s of them without power.\n",
			verdictWord(d.Proof.Pass), word, d.Told.Requests, d.Took.Seconds(), d.Down.Seconds())
	}
	if !d.Proof.Pass {
		return exitWith(ExitBroken, errors.New("a promise was broken: "+word))
	}
	return nil
}

func verdictWord(pass bool) string {
	if pass {
		return "PASS"
	}
	return "FAIL"
}

// tryIt shows one request and one query.
func (a *app) tryIt(d *demo.Demo) {
	a.note("\nTry it:")
	a.note(`  curl -i http://%s/v1/orders -H 'Content-Type: application/json' -H 'Idempotency-Key: mine' -d '{"sku":"sneaker","user":"me"}'`, d.Addr)
	a.note(`  sqlite3 %s 'select state, count(*), sum(qty) from orders group by state'`, d.DatabasePath())
}

// columns is the width of a terminal, 0 of anything else.
func columns(stream any) int {
	f, ok := stream.(*os.File)
	if !ok || !isTerminal(f) {
		return 0
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		return width
	}
	return 80
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
