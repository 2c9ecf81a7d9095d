package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const envPrefix = "HOLDFAST_"

// fromEnvironment sets every flag that was not given from its variable: HOLDFAST_NODE_ID for --node-id. A variable that belongs to no flag of
// any command is refused: a misspelt setting that does nothing is worse than none. HOLDFAST_API_KEY alone has no flag: a key is not an argument.
func fromEnvironment(cmd *cobra.Command, env []string) error {
	known := flagNames(cmd.Root(), make(map[string]bool))
	for _, entry := range env {
		variable, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(variable, envPrefix) || variable == keyVariable {
			continue
		}
		name := flagOf(variable)
		if !known[name] || variableOf(name) != variable {
			return usagef("%s: no command has a flag --%s", variable, name)
		}
		flag := cmd.Flags().Lookup(name)
		if flag == nil || flag.Changed {
			continue
		}
		if err := cmd.Flags().Set(name, value); err != nil {
			return usagef("%s=%q: %w", variable, value, err)
		}
	}
	return nil
}

func variableOf(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func flagOf(variable string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(variable, envPrefix), "_", "-"))
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
