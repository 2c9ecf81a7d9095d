package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What is wrong with orders.db is found, and looking changes neither it nor what lies beside it.
func TestExamineLooksAtOrders(t *testing.T) {
	other, err := os.ReadFile(filepath.Join(makeNode(t), "orders.db"))
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		content  []byte // nil: as it is
		status   Status
		measured string
	}{
		"sound":             {nil, Pass, "tables of version 2"},
		"empty":             {[]byte{}, Warn, "gone or empty"},
		"garbage":           {[]byte(strings.Repeat("garbage ", 1000)), Fail, "not a database of this program"},
		"another cluster's": {other, Fail, "was written by cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := makeNode(t)
			if row.content != nil {
				if err := os.WriteFile(filepath.Join(dir, "orders.db"), row.content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before := tree(t, dir)
			f := facts{contents: gather(t.Context(), &Config{Node: *onDir(dir), DiskTime: 1}).contents}
			f.sink = gatherSink(t.Context(), onDir(dir), &f.contents)
			if got := judgeSink(onDir(dir), &f); len(got) != 1 || got[0].Status != row.status || !strings.Contains(got[0].Measured, row.measured) {
				t.Errorf("%+v", got)
			}
			if after := tree(t, dir); !slices.Equal(before, after) {
				t.Errorf("before %q\nafter %q", before, after)
			}
		})
	}
}
