package monitoring

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// read returns a file of the repository.
func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// table returns the table of the page.
func table(t testing.TB) Catalogue {
	t.Helper()
	c, err := Read(read(t, "docs/monitoring.md"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestReadFindsWhatIsWrong(t *testing.T) {
	const row = "| `a_total` | counter | shard sink | what | do |\n"
	for name, page := range map[string]string{
		"no table": "# Monitoring\n", "twice": row + row, "no advice": "| `a_total` | counter | - | what |\n",
		"an empty meaning": "| `a_total` | counter | - |  | do |\n",
	} {
		if c, err := Read(page); !errors.Is(err, ErrPage) {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	c, err := Read("| flag | in use |\n| `max-conns` | `a_total` |\n" + row)
	if err != nil || len(c) != 1 || !slices.Equal(c["a_total"].Labels, []string{"shard", "sink"}) || c["a_total"].Line != 3 {
		t.Errorf("%+v, %v", c, err)
	}
}

// sample is a table to check expressions against.
var sample = Catalogue{
	"up":      {Name: "up", Type: "gauge"},
	"a_total": {Name: "a_total", Type: "counter", Labels: []string{"code"}},
	"b_bytes": {Name: "b_bytes", Type: "gauge"},
	"c_s":     {Name: "c_s", Type: "histogram", Labels: []string{"route"}},
	"d_s":     {Name: "d_s", Type: "summary"},
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	for expr, want := range map[string]string{
		`sum by (code) (rate(a_total{code=~"x|y", job="h"}[5m])) > 1e3`:                                          "",
		`histogram_quantile(0.99, sum by (le) (rate(c_s_bucket{route="POST /v1/a", le="1"}[$__rate_interval])))`: "",
		`b_bytes > on (job, instance) group_left 0.8 * b_bytes or abs(up) == 0`:                                  "",
		`rate(c_s_sum[5m]) / rate(c_s_count[5m]) and d_s{quantile="1"} unless d_s_sum offset 5m`:                 "",
		`a_totl`:                        "no metric a_totl",
		`sum(rate(a_total_sum[5m]))`:    "no metric a_total_sum",
		`c_s > 1`:                       "no metric c_s",
		`a_total{cod="x"}`:              "a_total has no label cod",
		`b_bytes{quantile="1"}`:         "b_bytes has no label quantile",
		`c_s_sum{le="1"}`:               "c_s_sum has no label le",
		`a_total{code}`:                 "no matcher",
		`sum by (sku) (a_total)`:        "no metric has a label sku",
		`up == 0 or on (user) a_total`:  "no metric has a label user",
		`rate(b_bytes[5m]) + nonsense0`: "no metric nonsense0",
	} {
		got := strings.Join(sample.Check(expr), "; ")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}

var (
	boundRow = regexp.MustCompile("(?m)^\\| (`[a-z_-]+`(?:, `[a-z_-]+`)*) \\| ([^|]*) \\| ([^|]*) \\| ([^|]*) \\|$")
	quoted   = regexp.MustCompile("`([^`]+)`")
)

// The page has a row for each flag that sets a bound, with metrics that exist.
func TestBoundsAreDocumented(t *testing.T) {
	c, documented := table(t), map[string]bool{}
	for _, row := range boundRow.FindAllStringSubmatch(read(t, "docs/monitoring.md"), -1) {
		for _, name := range quoted.FindAllStringSubmatch(row[1], -1) {
			documented[name[1]] = true
		}
		for _, metric := range quoted.FindAllStringSubmatch(row[2]+row[3], -1) {
			if _, ok := c[metric[1]]; !ok && strings.HasPrefix(metric[1], "holdfast_") {
				t.Errorf("%s: no metric %s in the table", row[1], metric[1])
			}
		}
	}
	flags := regexp.MustCompile(`Var\(&c\.\w+, "([a-z-]+)"`).FindAllStringSubmatch(read(t, "cmd/holdfast/cli/bounds.go"), -1)
	if len(flags) < 10 {
		t.Fatalf("vacuous: %d flags", len(flags))
	}
	for _, flag := range flags {
		if !documented[flag[1]] {
			t.Errorf("docs/monitoring.md says nothing about the bound %s", flag[1])
		}
	}
}
