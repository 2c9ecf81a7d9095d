package targets_test

import (
	"flag"
	"os"
	"testing"

	"holdfast/bench/targets"
	"holdfast/internal/pagetest"
)

var refresh = flag.Bool("refresh", false, "write the page anew from the results that are there")

const rewrite = "go test ./bench/targets -run TestTargetsPage -args -refresh"

// TestTargetsPage holds the page to the stored results.
func TestTargetsPage(t *testing.T) {
	want, err := targets.Page(os.DirFS("../results"), targets.All)
	if err != nil {
		t.Fatal(err)
	}
	pagetest.Part{Page: "../../docs/benchmarks.md", Name: "targets", Rewrite: rewrite}.Hold(t, want, *refresh)
}
