package node

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/api/client"
	"holdfast/internal/monitoring"
)

var described = regexp.MustCompile(`^Desc\{fqName: "([^"]*)", help: "(.*)", constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)

// shown are the labels of all metrics that a registry has, those included that have not moved yet.
func shown(t *testing.T, reg *prometheus.Registry) map[string][]string {
	t.Helper()
	descs, metrics := make(chan *prometheus.Desc), make(map[string][]string)
	go func() {
		defer close(descs)
		reg.Describe(descs)
	}()
	for d := range descs {
		found := described.FindStringSubmatch(d.String())
		if found == nil {
			t.Fatalf("cannot read %s", d)
		}
		var labels []string
		for pair := range strings.SplitSeq(found[3], ",") {
			label, _, _ := strings.Cut(pair, "=")
			labels = append(labels, label)
		}
		labels = append(labels, strings.Split(found[4], ",")...)
		metrics[found[1]] = slices.DeleteFunc(labels, func(l string) bool { return l == "" })
	}
	return metrics
}

// A running node shows what docs/monitoring.md says and nothing else, by name, type and labels; and what it shows keeps Prometheus' conventions.
func TestMetricsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	table, err := monitoring.Read(string(page))
	if err != nil {
		t.Fatal(err)
	}
	n := open(t, config(t.TempDir()))
	defer drain(t, n)
	sellOne(t, n.client(t))
	has := shown(t, n.registry)
	for name, labels := range has {
		row, ok := table[name]
		ours := strings.HasPrefix(name, "holdfast_")
		if !ok && ours {
			t.Errorf("%s (%s) is not in docs/monitoring.md", name, strings.Join(labels, ", "))
		}
		if slices.Sort(labels); ok && !slices.Equal(labels, slices.Sorted(slices.Values(row.Labels))) {
			t.Errorf("%s has labels %q, docs/monitoring.md line %d says %q", name, labels, row.Line, row.Labels)
		}
		for _, label := range labels {
			if ours && !slices.Contains(monitoring.AllowedLabels, label) {
				t.Errorf("%s: label %s is not allowed", name, label)
			}
		}
	}
	for name, row := range table {
		// Prometheus itself makes this one.
		if _, ok := has[name]; !ok && name != "up" {
			t.Errorf("docs/monitoring.md line %d: no node shows %s", row.Line, name)
		}
	}
	typesAreDocumented(t, n.registry, table)
	limitsAreFlags(t, n.registry)
	promtoolLint(t, n)
}

// sellOne moves what an order moves.
func sellOne(t *testing.T, c *client.Client) {
	t.Helper()
	if _, err := c.CreateSKU(context.Background(), client.SKUSpec{SKU: "shoe", Stock: 1}); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		key := fmt.Sprint(i)
		if _, err := c.PlaceOrder(context.Background(), key, client.NewOrder{SKU: "shoe", User: "u"}); (err == nil) != (i == 0) {
			t.Fatalf("order %d: %v", i, err)
		}
	}
}

func typesAreDocumented(t *testing.T, reg *prometheus.Registry, table monitoring.Catalogue) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		typed := strings.ToLower(f.GetType().String())
		if row, ok := table[f.GetName()]; ok && row.Type != typed {
			t.Errorf("%s is a %s, docs/monitoring.md line %d says %s", f.GetName(), typed, row.Line, row.Type)
		}
		if ours := strings.HasPrefix(f.GetName(), "holdfast_"); ours && strings.HasSuffix(f.GetName(), "_total") != (typed == "counter") {
			t.Errorf("%s is a %s", f.GetName(), typed)
		}
	}
}

// limitsAreFlags holds the limits that are shown against the flags that set bounds: each has one.
func limitsAreFlags(t *testing.T, reg *prometheus.Registry) {
	t.Helper()
	source, err := os.ReadFile("../cmd/holdfast/cli/bounds.go")
	if err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var limits []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if strings.HasPrefix(f.GetName(), "holdfast_limit_") {
				limits = append(limits, m.GetLabel()[0].GetValue())
			}
		}
	}
	flags := regexp.MustCompile(`Var\(&c\.\w+, "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(flags) < 10 {
		t.Fatalf("vacuous: %d flags", len(flags))
	}
	for _, flag := range flags {
		if !slices.Contains(limits, flag[1]) {
			t.Errorf("the bound --%s is not among the limits that metrics show", flag[1])
		}
	}
}

// promtoolLint has Prometheus' own program judge what a node shows.
func promtoolLint(t *testing.T, n *Node) {
	t.Helper()
	program, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("promtool is not installed (Debian package prometheus)")
		}
		t.Log("promtool is not installed: names are not linted")
		return
	}
	answer, err := http.Get("http://" + n.Addrs().Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var said bytes.Buffer
	cmd := exec.Command(program, "check", "metrics")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = answer.Body, &said, &said
	if err := cmd.Run(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, &said)
	}
}
