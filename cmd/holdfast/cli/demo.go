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
		Use: "demo", Short: "A whole sale on three nodes, the leader killed in the middle, and a proof at the end", Args: exactly(),
		Example: "  holdfast demo",
		Long: "Three nodes on a temporary directory and free ports, a sale of 1,000 units, one per buyer, and a crowd of 20,000 over real HTTP, spread\n" +
			"over the nodes: double clicks, holds that nobody pays for, cancels, payments and payments reported twice. In the middle the node that leads\n" +
			"the sale is killed with SIGKILL; the others go on, and it comes back on its files. At the end three independent counts are compared: what the\n" +
			"clients were told, what the log of each node replays to, and what the SQLite of each holds. Exit code 98 if they disagree. With --nodes 1\n" +
			"nobody goes on until the only node is back. On a terminal the nodes then serve on until Ctrl-C.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if verbose {
				cfg.Verbose = a.Err
			}
			return a.demo(cmd.Context(), cfg)
		},
	}
	f := cmd.Flags()
	f.IntVar(&cfg.Nodes, "nodes", 3, "processes of the cluster: 1 or 3")
	f.Int64Var(&cfg.Units, "units", 1000, "units on sale")
	f.IntVar(&cfg.Buyers, "buyers", 20_000, "people who want one")
	f.IntVar(&cfg.Callers, "callers", 64, "orders under way at once")
	f.DurationVar(&cfg.HoldTTL, "hold-ttl", 2*time.Second, "how long an order waits for its payment")
	f.Uint64Var(&cfg.Seed, "seed", 1, "who does what")
	f.BoolVar(&verbose, "verbose", false, "show the nodes' logs")
	return cmd
}

func (a *app) demo(ctx context.Context, cfg demo.Config) error {
	if cfg.Nodes != 1 && cfg.Nodes != 3 {
		return usagef("--nodes must be 1 or 3: with more, not every node has a copy of the sale")
	}
	if cfg.HoldTTL < time.Millisecond {
		return usagef("--hold-ttl must be at least a millisecond")
	}
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
		a.note("On a terminal the demo serves on; here its files are removed now.")
	}
	return errors.Join(err, d.Close())
}

// proven is what demo prints as JSON.
type proven struct {
	demo.Proof
	Nodes      int        `json:"nodes"`
	Tally      demo.Tally `json:"tally"`
	AskedAgain int64      `json:"asked_again"`
	Unknown    int64      `json:"unknown"`
	LedBefore  string     `json:"led_before"`
	LedAfter   string     `json:"led_after"`
	GapMS      int64      `json:"gap_ms"`
	LogEntries int        `json:"log_entries"`
	DownMS     int64      `json:"down_ms"`
	TookMS     int64      `json:"took_ms"`
}

func (a *app) showDemo(d *demo.Demo) error {
	p := proven{
		Proof: d.Proof, Nodes: d.Nodes, Tally: d.Told.Tally, AskedAgain: d.Told.AskedAgain, Unknown: d.Told.Unknown,
		LedBefore: d.Told.LedBefore, LedAfter: d.Told.LedAfter, GapMS: d.Told.Gap.Milliseconds(), LogEntries: d.Entries,
		DownMS: d.Down.Milliseconds(), TookMS: d.Took.Milliseconds(),
	}
	t := table{head: []string{"CHECK", "CLIENTS", "LOG", "SQLITE", ""}}
	if d.Nodes > 1 {
		t.head[2], t.head[3] = fmt.Sprintf("LOG OF %d", d.Nodes), fmt.Sprintf("SQLITE OF %d", d.Nodes)
	}
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
	if d.Nodes > 1 {
		word += fmt.Sprintf(" on each of %d nodes", d.Nodes)
	}
	if !d.Proof.Pass {
		word = "the counts disagree"
	}
	if a.output == "table" {
		fmt.Fprintf(a.Out, "\n%s: %s. %d requests answered in %.1f s, %.2f s of them without %s.\n",
			verdictWord(d.Proof.Pass), word, d.Told.Requests, d.Took.Seconds(), d.Down.Seconds(), missed(d))
	}
	if !d.Proof.Pass {
		return exitWith(ExitBroken, errors.New("a promise was broken: "+word))
	}
	return nil
}

// missed is what the sale had to do without for a while.
func missed(d *demo.Demo) string {
	if d.Nodes > 1 {
		return d.Told.LedBefore
	}
	return "power"
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
