package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdfast/cmd/holdfast/config"
)

const envPrefix = config.Prefix

// checkVariables refuses a HOLDFAST_ variable that belongs to no flag of any command: a misspelt setting that does nothing is worse than none.
// HOLDFAST_API_KEY alone has no flag: a key is not an argument.
func checkVariables(root *cobra.Command, env []string) error {
	known := flagNames(root, make(map[string]bool))
	for _, entry := range env {
		variable, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(variable, envPrefix) || variable == keyVariable {
			continue
		}
		name := config.FlagOf(variable)
		if known[name] && config.Variable(name) == variable {
			continue
		}
		meant := ""
		if near := config.Near(variable, flagList(known)); near != "" {
			meant = "; did you mean " + config.Variable(near) + "?"
		}
		return usagef("%s: no command has a flag --%s%s", variable, name, meant)
	}
	return nil
}

// flagNames collects the long names of a command's flags and of all below it, help apart.
func flagNames(cmd *cobra.Command, into map[string]bool) map[string]bool {
	add := func(f *pflag.Flag) { into[f.Name] = into[f.Name] || f.Name != "help" }
	cmd.Flags().VisitAll(add)
	cmd.PersistentFlags().VisitAll(add)
	for _, below := range cmd.Commands() {
		flagNames(below, into)
	}
	return into
}

func flagList(known map[string]bool) []string {
	var names []string
	for name, yes := range known {
		if yes {
			names = append(names, name)
		}
	}
	return names
}
