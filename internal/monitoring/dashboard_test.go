package monitoring

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// source is how a panel names its datasource.
type source struct{ Type, UID string }

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	Datasource               source
	Targets                  []struct {
		Expr       string
		RefID      string
		Datasource source
	}
	FieldConfig struct{ Defaults struct{ Unit string } }
}

type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Templating    struct{ List []struct{ Name, Type string } }
	Panels        []panel
}

const (
	dashboardPath = "deploy/grafana/holdfast.json"
	columns       = 24
)

func readDashboard(text string) (d dashboard, err error) { return d, json.Unmarshal([]byte(text), &d) }

// check returns what is wrong with a dashboard: its shape, what Grafana would draw over each other, and what the table does not have.
func (d *dashboard) check(c Catalogue) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if d.UID != "holdfast" || d.SchemaVersion < 36 || d.Title == "" || len(d.Panels) == 0 {
		say("uid %q, schema %d, %d panels", d.UID, d.SchemaVersion, len(d.Panels))
	}
	if len(d.Templating.List) == 0 || d.Templating.List[0].Name != "datasource" || d.Templating.List[0].Type != "datasource" {
		say("the datasource is no variable")
	}
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for i := range d.Panels {
		p := &d.Panels[i]
		if p.ID == 0 || ids[p.ID] || p.Title == "" {
			say("panel %q has id %d, none or that of another", p.Title, p.ID)
		}
		ids[p.ID] = true
		if g := p.GridPos; g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > columns {
			say("panel %q has no place: %+v", p.Title, g)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, is := taken[[2]int{x, y}]; is {
					say("panel %q lies over %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" {
			wrong = append(wrong, p.check(c)...)
		}
	}
	return wrong
}

func (p *panel) check(c Catalogue) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, p.Title+": "+fmt.Sprintf(format, args...)) }
	if p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 {
		say("no description, no unit or no expression")
	}
	refs := map[string]bool{}
	for _, target := range p.Targets {
		for _, s := range []source{p.Datasource, target.Datasource} {
			if s != (source{"prometheus", "${datasource}"}) {
				say("datasource %+v", s)
			}
		}
		if refs[target.RefID] || target.RefID == "" {
			say("refId %q", target.RefID)
		}
		refs[target.RefID] = true
		for _, w := range c.Check(target.Expr) {
			say("%s", w)
		}
	}
	return wrong
}

func TestDashboard(t *testing.T) {
	text, c := read(t, dashboardPath), table(t)
	d, err := readDashboard(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range d.check(c) {
		t.Error(w)
	}
	// The check finds what is wrong in a wrong file.
	for spoiled, want := range map[string]string{
		strings.Replace(text, "holdfast_wal_used_bytes", "holdfast_wal_usd_bytes", 1):    "no metric holdfast_wal_usd_bytes",
		strings.Replace(text, `event=\"accepted\"`, `events=\"accepted\"`, 1):            "has no label events",
		strings.Replace(text, `"id": 3,`, `"id": 2,`, 1):                                 "that of another",
		strings.Replace(text, `"x": 8,`, `"x": 7,`, 1):                                   "lies over",
		strings.Replace(text, `"uid": "${datasource}"`, `"uid": "P1809F7CD0C75ACF3"`, 2): "datasource",
		strings.Replace(text, `"unit": "ops"`, `"unit": ""`, 1):                          "no unit",
		strings.Replace(text, `"schemaVersion": 39`, `"schemaVersion": 0`, 1):            "schema 0",
		strings.Replace(text, `"type": "datasource"`, `"type": "custom"`, 1):             "no variable",
	} {
		d, err := readDashboard(spoiled)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(d.check(c), "; "); spoiled == text || !strings.Contains(got, want) {
			t.Errorf("%q is not found: %s", want, got)
		}
	}
}

// record makes a recording rule of each expression, which is what promtool can parse.
func (d *dashboard) record() ([]byte, error) {
	type recording struct{ Record, Expr string }
	type group struct {
		Name  string
		Rules []recording
	}
	g := group{Name: "dashboard"}
	variables := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*")
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			g.Rules = append(g.Rules, recording{fmt.Sprintf("panel_%d_%s", p.ID, target.RefID), variables.Replace(target.Expr)})
		}
	}
	return yaml.Marshal(map[string][]group{"groups": {g}})
}

func TestPromtoolParsesTheDashboard(t *testing.T) {
	text := read(t, dashboardPath)
	path := filepath.Join(t.TempDir(), "dashboard.yml")
	for _, file := range []struct {
		text string
		good bool
	}{{text, true}, {strings.Replace(text, "histogram_quantile(0.5, ", "histogram_quantile(0.5, , ", 1), false}} {
		d, err := readDashboard(file.text)
		if err != nil {
			t.Fatal(err)
		}
		rules, err := d.record()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, rules, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := promtool(t, "check", "rules", path); (err == nil) != file.good {
			t.Errorf("promtool check rules: %v\n%s", err, out)
		}
	}
}
