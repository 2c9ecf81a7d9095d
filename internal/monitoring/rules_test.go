package monitoring

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"holdfast/internal/programtest"
)

// promtool runs Prometheus' own checker in deploy/prometheus.
func promtool(t testing.TB, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(programtest.Find(t, "promtool", "prometheus"), args...)
	cmd.Dir = filepath.Join("..", "..", "deploy", "prometheus")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// rule is one of alerts.yml.
type rule struct {
	Alert, Expr         string
	Labels, Annotations map[string]string
}

func readRules(text string) ([]rule, error) {
	var file struct {
		Groups []struct{ Rules []rule }
	}
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		return nil, err
	}
	var all []rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all, nil
}

// checkRules holds rules against the table and the page with their sections.
func checkRules(rules []rule, c Catalogue, page string) (wrong []string) {
	sections := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^### (Holdfast\w+)$`).FindAllStringSubmatch(page, -1) {
		sections[heading[1]] = true
	}
	for _, r := range rules {
		say := func(format string, args ...any) { wrong = append(wrong, r.Alert+": "+fmt.Sprintf(format, args...)) }
		for _, w := range c.Check(r.Expr) {
			say("%s", w)
		}
		if want := "docs/monitoring.md#" + strings.ToLower(r.Alert); r.Annotations["runbook"] != want || !sections[r.Alert] {
			say("the runbook is %q, want a section %s", r.Annotations["runbook"], want)
		}
		if s := r.Labels["severity"]; s != "page" && s != "ticket" {
			say("severity %q", s)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			say("no summary or no description")
		}
		delete(sections, r.Alert)
	}
	for s := range sections {
		wrong = append(wrong, s+": a section without an alert")
	}
	return wrong
}

func TestRules(t *testing.T) {
	rules, err := readRules(read(t, "deploy/prometheus/alerts.yml"))
	if err != nil || len(rules) < 10 {
		t.Fatalf("%d rules, %v", len(rules), err)
	}
	c, page := table(t), read(t, "docs/monitoring.md")
	for _, w := range checkRules(rules, c, page) {
		t.Error(w)
	}
	// The check finds what is wrong in a wrong file.
	text := read(t, "deploy/prometheus/alerts.yml")
	for spoiled, want := range map[string]string{
		strings.Replace(text, "holdfast_ready ==", "holdfast_raedy ==", 1):                      "no metric holdfast_raedy",
		strings.Replace(text, `{code="outcome_unknown"}`, `{cause="outcome_unknown"}`, 1):       "has no label cause",
		strings.Replace(text, "#holdfastnotready", "#holdfastready", 1):                         "the runbook is",
		strings.Replace(text, "severity: page", "severity: urgent", 1):                          "severity",
		strings.Replace(text, "alert: HoldfastPanic", "alert: HoldfastPanics", 1):               "HoldfastPanic: a section without an alert",
		strings.Replace(text, "summary: \"Holdfast {{ $labels.instance }}: is", "title: \"", 1): "no summary",
	} {
		rules, err := readRules(spoiled)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(checkRules(rules, c, page), "; "); spoiled == text || !strings.Contains(got, want) {
			t.Errorf("%q is not found: %s", want, got)
		}
	}
}

func TestPromtoolTakesTheRules(t *testing.T) {
	for _, args := range [][]string{
		{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}, {"check", "config", "--syntax-only", "prometheus.yml"},
	} {
		if out, err := promtool(t, args...); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// Each alert has a test that it fires, and one that it keeps quiet.
func TestEachAlertIsTested(t *testing.T) {
	var file struct {
		Tests []struct {
			AlertRuleTest []struct {
				Alertname string
				ExpAlerts []map[string]any `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "deploy/prometheus/alerts_test.yml")), &file); err != nil {
		t.Fatal(err)
	}
	var fires, quiet []string
	for _, one := range file.Tests {
		for _, a := range one.AlertRuleTest {
			if len(a.ExpAlerts) > 0 {
				fires = append(fires, a.Alertname)
			} else {
				quiet = append(quiet, a.Alertname)
			}
		}
	}
	rules, err := readRules(read(t, "deploy/prometheus/alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		if !slices.Contains(fires, r.Alert) || !slices.Contains(quiet, r.Alert) {
			t.Errorf("%s: no test that it fires, or none that it does not", r.Alert)
		}
	}
}
