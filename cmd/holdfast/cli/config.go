package cli

import (
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdfast/cmd/holdfast/config"
	"holdfast/storage"
)

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "Show and check the settings of a node", Example: "  holdfast config show --origin --config holdfast.yaml",
		Args: cobra.ArbitraryArgs, RunE: group,
	}
	cmd.AddCommand(a.configShowCommand(), a.configCheckCommand())
	return cmd
}

func (a *app) configShowCommand() *cobra.Command {
	origin := false
	cmd := &cobra.Command{
		Use: "show", Short: "Show every setting as serve would see it", Args: exactly(),
		Example: `  holdfast config show --origin --config holdfast.yaml
  holdfast config show -o json > holdfast.yaml`,
		Long: "Show every setting as 'holdfast serve' would see it with the same flags, environment and file: a flag beats its variable, which beats the\n" +
			"file, which beats the default. Passwords are not shown. With -o json and without --origin the result can itself be a file of settings;\n" +
			"a warning says when a password has to be written into it first, since no node starts with the mark that stands in its place.\n" +
			"Whether a node would start with it is what 'holdfast config check' says.",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.showSettings(settingsOf(cmd), origin) },
	}
	serviceFlags(cmd)
	cmd.Flags().BoolVar(&origin, "origin", false, "say where each value came from: file with line, environment, flag or default")
	return cmd
}

// shownSetting is a setting with its origin, as JSON.
type shownSetting struct {
	Value  any           `json:"value"`
	Origin config.Origin `json:"origin"`
}

func (a *app) showSettings(settings *pflag.FlagSet, origin bool) error {
	values := make(map[string]any)
	t := table{head: []string{"SETTING", "VALUE"}}
	if origin {
		t.head = append(t.head, "ORIGIN")
	}
	// marked are the settings in which something stands for a password.
	var marked []string
	settings.VisitAll(func(f *pflag.Flag) {
		text, from := shownText(f), a.settings[f.Name].Origin
		if storage.Redacted(text) {
			marked = append(marked, f.Name)
		}
		row := []string{f.Name, orDash(text)}
		values[f.Name] = typed(f, text)
		if origin {
			row, values[f.Name] = append(row, from.String()), shownSetting{typed(f, text), from}
		}
		t.rows = append(t.rows, row)
	})
	if err := a.print(values, t); err != nil {
		return err
	}
	if len(marked) > 0 && a.output == "json" {
		a.note("holdfast: warning: a password is not shown; write it in before this is a file of settings: %s", strings.Join(marked, ", "))
	}
	return nil
}

// shownText returns the value of a setting without any password.
func shownText(f *pflag.Flag) string {
	text := f.Value.String()
	if f.Name == "sink" || strings.Contains(text, "://") && strings.Contains(text, "@") {
		return storage.RedactSink(text)
	}
	return text
}

// typed returns a value as the JSON that a file of settings may hold it as.
func typed(f *pflag.Flag, text string) any {
	switch f.Value.Type() {
	case "bool":
		return text == "true"
	case "int", "int64", "uint", "uint64", "float64":
		return json.Number(text)
	}
	return text
}

// soundSettings is what config check prints as JSON.
type soundSettings struct {
	Sound  bool   `json:"sound"`
	Config string `json:"config"`
}

func (a *app) configCheckCommand() *cobra.Command {
	var s *service
	cmd := &cobra.Command{
		Use: "check", Short: "Say whether a node could start with these settings", Args: exactly(),
		Example: "  holdfast config check --config holdfast.yaml",
		Long: "Say whether 'holdfast serve' would take its flags, environment and file: the values, the file of API keys and the certificate. What it\n" +
			"would refuse is refused here with the same words and exit code 2. Nothing is opened but these files; whether ports are free, the data\n" +
			"directory is sound and the database answers is not looked at.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.check(); err != nil {
				return err
			}
			path := a.configFile(cmd)
			return a.print(soundSettings{Sound: true, Config: path}, table{head: []string{"CONFIG", "VERDICT"}, rows: [][]string{{orDash(path), "sound"}}})
		},
	}
	s = serviceFlags(cmd)
	return cmd
}
