package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"holdfast/cmd/holdfast/config"
)

// errForeign is returned when a page would replace a file that is none of ours.
var errForeign = errors.New("it is not a page that 'holdfast man' wrote, and is not overwritten")

// manMark is the first line of every page: a file without it is somebody else's.
const manMark = `.\" Written by 'holdfast man', which overwrites it.` + "\n"

func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write the manual pages", Args: exactly("DIR"),
		Example: `  holdfast man /usr/local/share/man/man1
  holdfast man . && man ./holdfast-serve.1`,
		Long: "Write a page of section 1 for every command into DIR, which is made when missing. The same build writes the same bytes: the date is that\n" +
			"of its commit, or of SOURCE_DATE_EPOCH. A file that is no such page is never overwritten.",
		RunE: func(cmd *cobra.Command, args []string) error { return a.man(cmd.Root(), args[0]) },
	}
}

func (a *app) man(root *cobra.Command, dir string) error {
	date, err := manDate(a.Env)
	if err != nil {
		return err
	}
	pages := make(map[string][]byte)
	if err := renderPages(root, date, pages); err != nil {
		return err
	}
	if err := writePages(dir, pages); err != nil {
		return exitWith(ExitFailed, fmt.Errorf("write the manual pages: %w", err))
	}
	t := table{head: []string{"PAGE"}}
	written := struct {
		Pages []string `json:"pages"`
	}{}
	for _, name := range pageNames(pages) {
		path := filepath.Join(dir, name)
		written.Pages = append(written.Pages, path)
		t.rows = append(t.rows, []string{path})
	}
	return a.print(written, t)
}

// manDate is what the build says of its age, never the clock; "" when it says nothing.
func manDate(env []string) (string, error) {
	for _, entry := range env {
		if text, ok := strings.CutPrefix(entry, "SOURCE_DATE_EPOCH="); ok && text != "" {
			seconds, err := strconv.ParseInt(text, 10, 64)
			if err != nil || seconds < 0 {
				return "", usagef("SOURCE_DATE_EPOCH is not a number of seconds: %q", text)
			}
			return time.Unix(seconds, 0).UTC().Format(time.DateOnly), nil
		}
	}
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			if date, _, has := strings.Cut(s.Value, "T"); s.Key == "vcs.time" && has {
				return date, nil
			}
		}
	}
	return "", nil
}

// title is the line of a page that names and dates it.
var title = regexp.MustCompile(`(?m)^\.TH .*$`)

// renderPages adds the page of a command, and of all below it.
func renderPages(cmd *cobra.Command, date string, pages map[string][]byte) error {
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	cmd.DisableAutoGenTag = true
	var page bytes.Buffer
	if err := doc.GenMan(cmd, &doc.GenManHeader{Section: "1", Date: &time.Time{}, Source: "holdfast " + release, Manual: "Holdfast"}, &page); err != nil {
		return fmt.Errorf("render the page of %s: %w", name, err)
	}
	head := fmt.Sprintf(`.TH "%s" "1" "%s" "holdfast %s" "Holdfast"`, roff(strings.ToUpper(name)), roff(date), roff(release))
	text := title.ReplaceAllLiteralString(page.String(), head)
	body, also, _ := strings.Cut(text, ".SH SEE ALSO")
	if also != "" {
		also = ".SH SEE ALSO" + also
	}
	pages[name+".1"] = []byte(manMark + body + manSections(cmd) + also)
	for _, below := range cmd.Commands() {
		if !below.IsAvailableCommand() || below.IsAdditionalHelpTopicCommand() {
			continue
		}
		if err := renderPages(below, date, pages); err != nil {
			return err
		}
	}
	return nil
}

// entry is a term of a page with its meaning.
type entry struct{ term, meaning string }

var manExits = []entry{
	{strconv.Itoa(ExitOK), "done"},
	{strconv.Itoa(ExitFailed), "refused by the server, or a file, port or directory cannot be used"},
	{strconv.Itoa(ExitUsage), "flags, arguments, environment or file of settings"},
	{strconv.Itoa(ExitUnreachable), "nobody answers there"},
	{strconv.Itoa(ExitCorrupt), "a log or snapshot is corrupt, or the disk failed or stalled"},
	{strconv.Itoa(ExitBroken), "a promise was broken: oversold, lost or doubled"},
	{strconv.Itoa(ExitThreshold), "a threshold was missed"},
}

// manSections are what cobra does not know: exit codes, environment and files.
func manSections(cmd *cobra.Command) string {
	environment := []entry{{
		envPrefix + "...", "Every flag has a variable: " + config.Variable("node-id") + " of --node-id. The flag beats it. A variable that is no command's flag is refused.",
	}}
	if cmd.Flag("api-key-file") != nil {
		environment = append(environment, entry{keyVariable, "the API key itself, where there is no --api-key-file"})
	}
	sections := manSection("EXIT STATUS", manExits) + manSection("ENVIRONMENT", environment)
	if cmd.Flag("data-dir") == nil {
		return sections
	}
	return sections + manSection("FILES", []entry{
		{"DATA/wal/", "segments of the log"}, {"DATA/snapshots/", "snapshots of the shards"}, {"DATA/orders.db", "orders and counters, with --sink sqlite"},
		{"DATA/node.json", "which node and cluster the directory belongs to"}, {"DATA/audit.log", "the audit log, unless --audit-log says another place"},
		{"FILE of --config", "YAML: the long names of flags with their values, such as node-id: n1. It is read at the start only."},
	})
}

func manSection(name string, entries []entry) string {
	text := ".SH " + name + "\n"
	for _, e := range entries {
		text += ".TP\n\\fB" + roff(e.term) + "\\fP\n" + roff(e.meaning) + "\n"
	}
	return text
}

// roff writes a text so that it means itself: no line of ours begins with a dot.
func roff(text string) string { return strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text) }

func pageNames(pages map[string][]byte) []string {
	var names []string
	for name := range pages {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// writePages writes all pages, or none when one of them would replace a file that is not ours. Each is complete or as it was.
func writePages(dir string, pages map[string][]byte) error {
	for _, name := range pageNames(pages) {
		path := filepath.Join(dir, name)
		if is, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		} else if !is.Mode().IsRegular() {
			return fmt.Errorf("%s: %w", path, errForeign)
		}
		old, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !bytes.HasPrefix(old, []byte(manMark)) {
			return fmt.Errorf("%s: %w", path, errForeign)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range pageNames(pages) {
		if err := replace(filepath.Join(dir, name), pages[name]); err != nil {
			return err
		}
	}
	return nil
}

// replace puts a page in its place in one step.
func replace(path string, page []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".holdfast-man-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(page)
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
