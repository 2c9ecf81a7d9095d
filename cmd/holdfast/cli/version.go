package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"holdfast/api/client"
)

// release is the version this source is on the way to; the commit says how far.
const release = "0.1.0"

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print which build this is", Example: "  holdfast version -o json", Args: exactly(),
		RunE: func(*cobra.Command, []string) error {
			v := build()
			row := []string{v.Version, orDash(v.Commit), v.Go, runtime.GOOS + "/" + runtime.GOARCH}
			return a.print(v, table{head: []string{"VERSION", "COMMIT", "GO", "PLATFORM"}, rows: [][]string{row}})
		},
	}
}

// build reads what the Go toolchain wrote into the binary.
func build() client.Version {
	v := client.Version{Version: release, Go: runtime.Version()}
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range b.Settings {
		switch {
		case s.Key == "vcs.revision":
			v.Commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true" && v.Commit != "":
			v.Commit += "-modified"
		}
	}
	return v
}
