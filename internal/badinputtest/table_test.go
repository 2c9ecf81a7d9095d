package badinputtest

import (
	"reflect"
	"strings"
	"testing"
)

const aRow = "| `id` | a word | 400 | `code` `field` | `api_problems_total` | api |"

func TestParse(t *testing.T) {
	text := "| other | table |\n|---|---|\n| a | b |\n\n" + head + "\n|---|---|---|---|---|---|\n" + aRow + "\n" +
		"| `log` | a flip | exit 4 | `wal verify` | | node start |\n\nThe end.\n| no | row |\n"
	rows, err := Parse(text)
	want := []Row{
		{ID: "id", Input: "a word", Status: 400, Says: []string{"code", "field"}, Counted: "api_problems_total", Where: "api"},
		{ID: "log", Input: "a flip", Exit: 4, Says: []string{"wal verify"}, Where: "node start"},
	}
	if err != nil || !reflect.DeepEqual(rows, want) {
		t.Fatalf("%+v %v", rows, err)
	}
	if rows[0].Code() != "code" || rows[0].Names() != "field" || rows[1].Names() != "" {
		t.Errorf("%+v", rows)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, row := range map[string]string{
		"twice":        aRow + "\n" + aRow,
		"a cell short": "| `id` | a word | 400 | `code` | api |",
		"no answer":    strings.Replace(aRow, "400", "bad", 1),
		"nobody":       strings.Replace(aRow, "| api |", "| nobody |", 1),
		"uncounted":    strings.Replace(aRow, "`api_problems_total`", "", 1),
		"no reason":    "| `id` | a word | exit 4 | | | node start |",
		"no id":        strings.Replace(aRow, "`id`", " ", 1),
	} {
		t.Run(name, func(t *testing.T) {
			if rows, err := Parse(head + "\n|---|---|---|---|---|---|\n" + row); err == nil {
				t.Errorf("%+v", rows)
			}
		})
	}
}
