package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/cmd/holdfast/child"
)

var refresh = flag.Bool("refresh", false, "write the output that pages show anew")

// walked are the pages whose commands are run as they stand, with the programs that they need besides bash.
var walked = []struct {
	page  string
	needs []string
}{
	{"README.md", nil},
	{"docs/start.md", []string{"curl", "sqlite3"}},
}

// What the pages show is what their commands print: each block of commands runs as it stands, and its output must have the shape of what the page
// shows. Ids, times and sizes differ from run to run and are not compared. With -args -refresh the pages are written anew.
func TestPages(t *testing.T) {
	for _, w := range walked {
		t.Run(w.page, func(t *testing.T) {
			for _, program := range append(w.needs, "bash") {
				need(t, program)
			}
			path := filepath.Join("..", "..", w.page)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			refreshed, wrong := walk(t, strings.Split(string(text), "\n"))
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
	need(t, "bash")
	page := strings.Split("```sh\necho '{\"available\":2}'\n```\n<!-- output of it begins -->\n```json\n{\"available\":3}\n```\n<!-- output of it ends -->", "\n")
	if _, wrong := walk(t, page); len(wrong) != 1 {
		t.Errorf("found %q", wrong)
	}
	refreshed, _ := walk(t, page)
	if _, wrong := walk(t, refreshed); len(wrong) != 0 {
		t.Errorf("found %q in a page just written", wrong)
	}
	if _, err := blocks([]string{"<!-- output of it begins -->"}); err == nil {
		t.Error("an output without an end is taken")
	}
}

// walk runs a page's commands. It returns the page with what they print, and where the page shows something else.
func walk(t *testing.T, page []string) (refreshed, wrong []string) {
	t.Helper()
	all, err := blocks(page)
	if err != nil {
		t.Fatal(err)
	}
	h := newHome(t)
	s := startShell(t, h.dir, h.env...)
	var printed, typed []string
	compared := true
	for i, b := range all {
		switch {
		case b.name == "" && (b.notRun || b.onRefresh && !*refresh):
			compared = false
		case b.name == "":
			out, err := s.run(h.ports.Replace(b.commands))
			if err != nil {
				t.Fatalf("%v:\n%s\n%s", err, b.commands, out)
			}
			printed, typed = append(printed, out), append(typed, b.commands)
			compared = compared && !b.onRefresh
		default:
			got := h.asPrinted(strings.Join(printed, "\n"))
			if compared && shape(got) != shape(b.output) {
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
	dir   string
	env   []string
	ports *strings.Replacer // those of the pages to those of this walk
	back  *strings.Replacer
}

// pagePorts are the ports that pages name.
var pagePorts = []string{"8080", "8081", "8082", "8443", "8444"}

func newHome(t *testing.T) *home {
	t.Helper()
	h := &home{dir: t.TempDir()}
	addrs, err := child.FreeAddrs(len(pagePorts))
	if err != nil {
		t.Fatal(err)
	}
	there, back := []string{"go run ./cmd/holdfast", "bin/holdfast"}, []string(nil)
	for i, addr := range addrs {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		there, back = append(there, ":"+pagePorts[i], ":"+port), append(back, ":"+port, ":"+pagePorts[i])
	}
	h.ports, h.back = strings.NewReplacer(there...), strings.NewReplacer(back...)
	for _, flag := range []string{"HTTP=127.0.0.1:8080", "ADMIN=127.0.0.1:8081", "PEER=127.0.0.1:8082"} {
		h.env = append(h.env, "HOLDFAST_"+h.ports.Replace(flag))
	}
	h.env = append(h.env, "HOLDFAST_"+h.ports.Replace("ADDR=http://127.0.0.1:8080"), "HOLDFAST_"+h.ports.Replace("ADMIN_ADDR=http://127.0.0.1:8081"),
		"LC_ALL=C", "TZ=UTC", "HOME="+h.dir)
	if err := os.MkdirAll(filepath.Join(h.dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program(t), filepath.Join(h.dir, "bin", "holdfast")); err != nil {
		t.Fatal(err)
	}
	return h
}

// asPrinted makes of an output one that somebody else could have seen.
func (h *home) asPrinted(out string) string {
	out = h.back.Replace(strings.ReplaceAll(out, "\r", ""))
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

// need skips a test whose program is not installed, with the reason; where CI is set, nothing may skip.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", program)
	}
	t.Skipf("%s is not installed", program)
}
