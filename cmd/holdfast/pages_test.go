package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/cmd/holdfast/child"
	"holdfast/internal/programtest"
	"holdfast/storage/pgtest"
)

var refresh = flag.Bool("refresh", false, "write the output that pages show anew")

// walked are the pages whose commands are run as they stand, with the programs that they need besides bash.
var walked = []struct {
	page  string
	needs [][2]string // a program, and its Debian package
	// databases: the page's sudo -u postgres reaches a PostgreSQL server.
	databases bool
	// loose: who leads what differs from run to run, so that of tables and plans only the kinds of lines are compared.
	loose bool
}{
	{page: "README.md"},
	{page: "docs/operating-cluster.md", needs: [][2]string{{"sed", "sed"}}, loose: true},
	{page: "docs/start.md", needs: [][2]string{{"curl", "curl"}, {"sqlite3", "sqlite3"}, {"openssl", "openssl"}, {"psql", "postgresql-client"},
		{"prometheus", "prometheus"}, {"promtool", "prometheus"}}, databases: true},
}

var bash = [2]string{"bash", "bash"}

// What the pages show is what their commands print: each block of commands runs as it stands, and its output must have the shape of what the page
// shows. Ids, times and sizes differ from run to run and are not compared. With -args -refresh the pages are written anew.
func TestPages(t *testing.T) {
	onceOnly(t)
	for _, w := range walked {
		t.Run(w.page, func(t *testing.T) {
			for _, program := range append(w.needs, bash) {
				programtest.Find(t, program[0], program[1])
			}
			path := filepath.Join("..", "..", w.page)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			h := newHome(t)
			if w.loose {
				h.shape, h.patient = kinds, true
			}
			if w.databases {
				h.withPostgres(pgtest.Start(t, "fsync = off"))
			}
			refreshed, wrong := walk(t, h, strings.Split(string(text), "\n"))
			if !*refresh {
				for _, w := range wrong {
					t.Error(w)
				}
			} else if err := os.WriteFile(path, []byte(strings.Join(refreshed, "\n")), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A page that shows what its commands do not print is found, and one that differs only in ids and times is not.
func TestPagesThatLie(t *testing.T) {
	programtest.Find(t, bash[0], bash[1])
	page := strings.Split("```sh\necho '{\"available\":2}'\n```\n<!-- output of it begins -->\n```json\n{\"available\":3}\n```\n<!-- output of it ends -->", "\n")
	if _, wrong := walk(t, newHome(t), page); len(wrong) != 1 {
		t.Errorf("found %q", wrong)
	}
	refreshed, _ := walk(t, newHome(t), page)
	if _, wrong := walk(t, newHome(t), refreshed); len(wrong) != 0 {
		t.Errorf("found %q in a page just written", wrong)
	}
	if _, err := blocks([]string{"<!-- output of it begins -->"}); err == nil {
		t.Error("an output without an end is taken")
	}
}

// walk runs a page's commands. It returns the page with what they print, and where the page shows something else.
func walk(t *testing.T, h *home, page []string) (refreshed, wrong []string) {
	t.Helper()
	all, err := blocks(page)
	if err != nil {
		t.Fatal(err)
	}
	s := startShell(t, h.dir, h.env...)
	if _, err := s.run(h.before); err != nil {
		t.Fatal(err)
	}
	var printed, typed []string
	compared := true
	for i, b := range all {
		switch {
		case b.name == "" && (b.notRun || b.onRefresh && !*refresh):
			compared = false
		case b.name == "":
			out, err := s.run(h.typed(b.commands))
			if err != nil {
				t.Fatalf("%v:\n%s\n%s", err, b.commands, out)
			}
			printed, typed = append(printed, out), append(typed, b.commands)
			compared = compared && !b.onRefresh
		default:
			got := h.asPrinted(strings.Join(printed, "\n"))
			if strings.TrimSpace(got) == "" && len(printed) > 0 {
				wrong = append(wrong, strings.Join(typed, "\n")+"\nprints nothing")
			} else if compared && h.shape(got) != h.shape(b.output) {
				wrong = append(wrong, fmt.Sprintf("%s\nprints\n%s\nand the page shows, as the output of %s,\n%s", strings.Join(typed, "\n"), got, b.name, b.output))
			}
			if len(printed) > 0 {
				all[i].output = got
			}
			printed, typed, compared = nil, nil, true
		}
	}
	refreshed = slices.Clone(page)
	for _, b := range slices.Backward(all) {
		if b.name != "" {
			refreshed = slices.Replace(refreshed, b.first, b.last, "", "```"+b.language, b.output, "```", "")
		}
	}
	return refreshed, wrong
}

// home is where a page is walked: a directory as a clone with the program built, and ports of its own.
type home struct {
	dir string
	env []string
	// before is what the shell runs first.
	before string
	// patient: on a machine that is busy with other tests leaders are lost; what is safe to say twice is said until it is done.
	patient bool
	// shape is what is compared of an output.
	shape func(out string) string
	// there replaces the ports that pages name by those of this walk, back the other way.
	there, back map[string]string
}

// pagePorts are the ports that pages name; a server of databases has its own.
var pagePorts = []string{
	"8080", "8081", "8082", "8180", "8181", "8182", "8280", "8281", "8282", "8380", "8381", "8382", "8443", "8444", "9090",
}

func newHome(t *testing.T) *home {
	t.Helper()
	h := &home{dir: t.TempDir(), shape: shape, there: make(map[string]string), back: make(map[string]string)}
	addrs, err := child.FreeAddrs(len(pagePorts))
	if err != nil {
		t.Fatal(err)
	}
	for i, addr := range addrs {
		h.move(pagePorts[i], addr)
	}
	for _, setting := range []string{"HTTP=127.0.0.1:8080", "ADMIN=127.0.0.1:8081", "PEER=127.0.0.1:8082"} {
		h.env = append(h.env, "HOLDFAST_"+h.typed(setting))
	}
	h.env = append(h.env, "LC_ALL=C", "TZ=UTC", "HOME="+h.dir)
	if err := os.MkdirAll(filepath.Join(h.dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program(t), filepath.Join(h.dir, "bin", "holdfast")); err != nil {
		t.Fatal(err)
	}
	deploy, err := filepath.Abs(filepath.Join("..", "..", "deploy"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(deploy, filepath.Join(h.dir, "deploy")); err != nil {
		t.Fatal(err)
	}
	return h
}

// move gives a port of the pages a place of this walk.
func (h *home) move(port, addr string) {
	_, own, _ := net.SplitHostPort(addr)
	h.there[":"+port], h.back[":"+own] = ":"+own, ":"+port
}

// withPostgres lets the page's administrator of databases be that of a server of the test's own.
func (h *home) withPostgres(server *pgtest.Server) {
	h.move("5432", server.Addr())
	h.before = h.typed("sudo() { shift 2; PGHOST=127.0.0.1 PGPORT=" + strings.TrimPrefix(h.there[":5432"], ":") +
		" PGUSER=postgres PGPASSWORD=" + pgtest.Password + ` "$@"; }` + "\nexport PGPORT=" + strings.TrimPrefix(h.there[":5432"], ":"))
}

// typed makes of a page's commands those of this walk. A file of settings must not give way to where this walk has its ports.
func (h *home) typed(commands string) string {
	commands = strings.ReplaceAll(commands, "go run ./cmd/holdfast", "bin/holdfast")
	for port, own := range h.there {
		commands = strings.ReplaceAll(commands, port, own)
	}
	if h.patient {
		commands = again.ReplaceAllString(commands, "until $0; do sleep 0.5; done")
		commands = strings.ReplaceAll(commands, ">check.txt 2>&1; do sleep 0.5;", ">check.txt 2>&1; do sleep 0.5; [ $((tries++ % 10)) -lt 9 ] || "+
			"bin/holdfast cluster balance >balance.txt 2>&1;")
	}
	if strings.Contains(commands, "--config") {
		commands = "unset HOLDFAST_HTTP HOLDFAST_ADMIN HOLDFAST_PEER\n" + commands
	}
	return commands
}

// asPrinted makes of an output one that somebody else could have seen.
func (h *home) asPrinted(out string) string {
	out = strings.ReplaceAll(out, "\r", "")
	for own, port := range h.back {
		column := strings.Repeat(" ", len(own)-len(port)) // so that tables stay straight
		out = strings.ReplaceAll(strings.ReplaceAll(out, own+" ", port+column+" "), own, port)
	}
	out = regexp.MustCompile(`(?m)^bash: line \d+: +\d+ Killed.*\n`).ReplaceAllString(out, "")
	out = regexp.MustCompile(`/tmp/holdfast-demo-\d+`).ReplaceAllString(out, "/tmp/holdfast-demo")
	return strings.TrimRight(strings.ReplaceAll(out, h.dir, "~"), "\n")
}

// differs are the parts of an output that differ from run to run.
var differs = []struct {
	what *regexp.Regexp
	name string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?`), "TIME"},
	{regexp.MustCompile(`(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT`), "DATE"},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "REQUEST"},
	{regexp.MustCompile(`\b[0-9a-f]{32,64}\b`), "HEX"},
	{regexp.MustCompile(`\b000[0-9A-Za-z]{8}\b`), "ORDER"},
	{regexp.MustCompile(`hf_[0-9A-Za-z_-]{43}`), "KEY"},
	{regexp.MustCompile(`\bgo1\.\d+(\.\d+)?\b`), "GO"},
	{regexp.MustCompile(`@\[[\d.]+\]`), "@[AT]"},
	{regexp.MustCompile(`("remote":"127\.0\.0\.1):\d+`), "$1:PORT"},
	{regexp.MustCompile(`Content-Length: \d+|"(as_of_index|shard)":\d+|\d+\.\d+`), "N"},
	{regexp.MustCompile(`(?m)^(sound +).*$`), "$1 N"},
	{regexp.MustCompile(`[ \t]+`), " "},
}

// shape is an output without what differs from run to run.
func shape(out string) string {
	for _, d := range differs {
		out = d.what.ReplaceAllString(out, d.name)
	}
	return strings.TrimSpace(out)
}

// again are the commands that are safe to say twice.
var again = regexp.MustCompile(`(?m)^bin/holdfast (cluster (transfer|set)|cluster backup \S+$|order place|sku create).*$`)

// chance are the lines of a cluster's outputs that may be missing: what was told of a change before it ended, leaderships that moved, and leaders
// that were lost.
var chance = regexp.MustCompile(`(?m)^(\[\d+/\d+\] .*|.*: hand leadership to .*|Change \w+ has begun.*|There is nothing to do\.|CHANGE .*|c\d+ +balance .*` +
	`|leaderships are even .*|shards have a leader .*|no change is stuck .*|(last )?change  .*| +(open|done|failed): .*` +
	`|holdfast: (the cluster is not as|invalid_state|no_leader|deadline_exceeded|outcome_unknown|overloaded) .*)$`)

// kinds is an output of a cluster: its kinds of lines, in no order, without numbers, names of nodes and who leads.
func kinds(out string) string {
	out = chance.ReplaceAllString(out, "")
	out = regexp.MustCompile(`[+-]?\b\d+(\.\d+)?(ms|s|m|h)\b`).ReplaceAllString(out, "TOOK")
	out = regexp.MustCompile(`\b(yes|no)\b`).ReplaceAllString(out, "YESNO")
	out = regexp.MustCompile(`\d+@(-|[0-9a-f]{16})`).ReplaceAllString(out, "HASH")
	out = regexp.MustCompile(`\d+`).ReplaceAllString(shape(out), "N")
	lines := strings.Split(out, "\n")
	slices.Sort(lines)
	return strings.TrimSpace(strings.Join(slices.Compact(lines), "\n"))
}
