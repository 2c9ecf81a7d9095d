package cli

import (
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdfast/cmd/holdfast/config"
)

// Process is what a command sees of the process it runs in.
type Process struct {
	// Args are the arguments without the program's name, Env the environment as name=value.
	Args, Env []string
	// In is only looked at, to tell whether somebody sits there; it may be nil.
	In io.Reader
	// Out takes results, Err everything else.
	Out, Err io.Writer
}

// app is one run of the program.
type app struct {
	Process
	output string
	// settings are the values of the flags of the command, with their origins.
	settings map[string]config.Setting
	// began: flags, arguments and environment were sound, and the command ran.
	began bool
}

// Run runs the program and returns its exit code.
func Run(p Process) int {
	a := &app{Process: p}
	root := a.root()
	root.SetArgs(p.Args)
	root.SetOut(p.Out)
	root.SetErr(p.Err)
	cmd, err := root.ExecuteC()
	code := codeOf(err, a.began)
	if err != nil {
		fmt.Fprintf(p.Err, "holdfast: %v%s\n", err, a.blame(code, err))
	}
	if code == ExitUsage && cmd != nil {
		fmt.Fprintf(p.Err, "See '%s --help'.\n", cmd.CommandPath())
	}
	return code
}

// flagNamed is a flag as messages name it.
var flagNamed = regexp.MustCompile(`--([a-z][a-z-]+)`)

// blame says where a value that was refused came from, when that is a file or the environment: messages name its flag.
func (a *app) blame(code int, err error) string {
	named := flagNamed.FindStringSubmatch(err.Error())
	if code != ExitUsage || named == nil {
		return ""
	}
	switch from := a.settings[named[1]].Origin; from.Kind {
	case config.File, config.Environment:
		return fmt.Sprintf(" (--%s is from %s)", named[1], from)
	}
	return ""
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:     "holdfast",
		Short:   "Sells limited stock to a crowd, exactly",
		Long:    "Holdfast sells exactly as many units as there are: not one more, not one fewer, each acknowledged order on disk.",
		Example: "  holdfast demo",
		Args:    cobra.ArbitraryArgs,
		RunE:    group,

		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: a.prepare,
	}
	root.SetFlagErrorFunc(flagError)
	root.PersistentFlags().StringVarP(&a.output, "output", "o", "table", "how results are printed: table or json")
	root.AddCommand(a.serveCommand(), a.doctorCommand(), a.demoCommand(), a.benchCommand(), a.orderCommand(), a.skuCommand(), a.clusterCommand(), a.walCommand(), a.keysCommand(), a.versionCommand(),
		a.configCommand(), a.completionCommand(), a.manCommand())
	root.CompletionOptions.DisableDefaultCmd = true // ours has examples, and the shells that we say we know
	if asksToComplete(a.Args) {
		completions(root)
	}
	exampleFirst(root)
	return root
}

// prepare runs after flags and arguments were parsed and before every command.
func (a *app) prepare(cmd *cobra.Command, _ []string) error {
	if completing(cmd) {
		return nil
	}
	if err := a.settle(cmd); err != nil {
		return err
	}
	if a.output != "table" && a.output != "json" {
		return usagef("--output is table or json, not %q", a.output)
	}
	a.began = true
	return nil
}

// group is the action of a command that only has others below it.
func group(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		var names []string
		for _, below := range cmd.Commands() {
			names = append(names, below.Name())
		}
		meant := ""
		if near := config.Near(args[0], names); near != "" {
			meant = "; did you mean " + near + "?"
		}
		return usagef("there is no command %q in %q%s", args[0], cmd.CommandPath(), meant)
	}
	if cmd.HasParent() {
		return usagef("%q needs one of its commands", cmd.CommandPath())
	}
	return cmd.Help()
}

// flagError says of a flag that there is none which one was meant, and of a value what is wanted, in the words of the file of settings.
func flagError(cmd *cobra.Command, err error) error {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := config.Near(unknown.GetSpecifiedName(), names); near != "" {
			return fmt.Errorf("%w; did you mean --%s?", err, near)
		}
	}
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return fmt.Errorf("--%s: %q: %s is wanted", bad.GetFlag().Name, bad.GetValue(), config.Wanted(bad.GetFlag()))
	}
	return err
}

// exampleFirst makes help begin with an example: it is what most people look for.
func exampleFirst(root *cobra.Command) {
	root.SetHelpTemplate(`Example:
{{if .Example}}{{.Example}}{{else}}  {{.CommandPath}}{{end}}

{{with (or .Long .Short)}}{{. | trimTrailingWhitespaces}}

{{end}}{{.UsageString}}`)
	root.SetUsageTemplate(`Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND{{else}}{{.UseLine}}{{end}}
{{if .HasAvailableSubCommands}}
Commands:
{{range .Commands}}{{if .IsAvailableCommand}}  {{rpad .Name .NamePadding}} {{.Short}}
{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}
Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}
{{end}}{{if .HasAvailableInheritedFlags}}
Flags of every command here:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}
{{end}}`)
}

// exactly wants so many arguments and says which.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usagef("%s is missing", names[len(args)])
		case len(args) > len(names):
			return usagef("%q is one argument too many", args[len(names)])
		}
		return nil
	}
}
