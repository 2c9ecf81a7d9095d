package pagetest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/pagetest"
)

// witness is a test that may fail.
type witness struct {
	testing.TB
	failed string
}

func (w *witness) Helper()                        {}
func (w *witness) Errorf(format string, a ...any) { w.failed = fmt.Sprintf(format, a...) }

func TestPartIsHeldAndWritten(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	around := "before\n<!-- figures begin -->\n%s<!-- figures end -->\nbehind\n"
	pagetest.Write(t, page, fmt.Appendf(nil, around, "old\n"))
	part := pagetest.Part{Page: page, Name: "figures", Rewrite: "the command"}
	for _, step := range []struct {
		want, held string
		write      bool
		fails      bool
	}{{"old\n", "old\n", false, false}, {"new\n", "old\n", false, true}, {"new\n", "new\n", true, false}, {"new\n", "new\n", false, false}} {
		w := &witness{TB: t}
		part.Hold(w, step.want, step.write)
		if (w.failed != "") != step.fails {
			t.Errorf("%+v: failed with %q", step, w.failed)
		}
		if text, err := os.ReadFile(page); err != nil || string(text) != fmt.Sprintf(around, step.held) {
			t.Errorf("%+v: the page is %q, %v", step, text, err)
		}
	}
}
