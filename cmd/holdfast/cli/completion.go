package cli

import (
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (a *app) completionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "completion", Short: "Print the script that completes commands in a shell", Example: "  holdfast completion bash",
		Args: cobra.ArbitraryArgs, RunE: group,
	}
	for _, shell := range []struct {
		name, example, long string
		script              func(io.Writer) error
	}{
		{
			"bash", "  holdfast completion bash > ~/.local/share/bash-completion/completions/holdfast\n  source <(holdfast completion bash)",
			"Print the script for bash. It needs the package bash-completion. The first example is for good, the second for this shell.",
			func(w io.Writer) error { return cmd.Root().GenBashCompletionV2(w, true) },
		},
		{
			"zsh", "  holdfast completion zsh > \"${fpath[1]}/_holdfast\"\n  source <(holdfast completion zsh)",
			"Print the script for zsh. It needs 'autoload -U compinit; compinit' in ~/.zshrc. The first example is for good, the second for this shell.",
			func(w io.Writer) error { return cmd.Root().GenZshCompletion(w) },
		},
		{
			"fish", "  holdfast completion fish > ~/.config/fish/completions/holdfast.fish\n  holdfast completion fish | source",
			"Print the script for fish. The first example is for good, the second for this shell.",
			func(w io.Writer) error { return cmd.Root().GenFishCompletion(w, true) },
		},
	} {
		cmd.AddCommand(&cobra.Command{
			Use: shell.name, Short: "Print the script for " + shell.name, Example: shell.example, Long: shell.long, Args: exactly(),
			RunE: func(*cobra.Command, []string) error { return shell.script(a.Out) },
		})
	}
	return cmd
}

// completing reports whether a shell asks what could come next. Such a call sets no flag and reads no file; what is wrong in the environment is for
// the command itself to say.
func completing(cmd *cobra.Command) bool {
	return cmd.Name() == cobra.ShellCompRequestCmd || cmd.Name() == cobra.ShellCompNoDescRequestCmd
}

// asksToComplete is completing before the command is known.
func asksToComplete(args []string) bool {
	return len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
}

// flagWords are the values of flags that take one of a few, each with what it means.
var flagWords = map[string][]cobra.Completion{
	"output":       {"table\tfor people", "json\tas the API answers"},
	"log-level":    {"debug", "info", "warn", "error"},
	"log-format":   {"text\tkey=value", "json\ta line of JSON each"},
	"log-requests": {"off\t500, 504 and slow ones only", "errors\tevery 5xx", "all"},
	"refusals":     {"strict\ta refusal rests on a leadership check", "fast\tit does not, and says so"},
	"sink":         {"sqlite\ta file in the data directory", "none\tnothing is stored", "postgres://\ta PostgreSQL database"},
	"scenario": {
		"hot\tone SKU, stock never runs out", "soldout\ta small stock, then refusals", "zipf\tmany SKUs, some of them popular",
		"lifecycle\tplaced, paid, cancelled, abandoned, returned", "flash\tnothing, then everybody at once", "failover\tthe leader is killed, again and again",
	},
	"mode": {"hold\tdeduct now, pay within --hold-ttl", "on_order\tdeducted and confirmed at once", "on_payment\tdeducted when paid"},
	"role": {"order\tthe public listener", "admin\tboth listeners"},
}

// flagFiles are the flags that name a file, with the endings to offer; none offers every file. flagDirs name a directory.
var (
	flagFiles = map[string][]string{
		"config": {"yaml", "yml", "json"}, "api-keys": {"yaml", "yml"}, "tls-cert": {"pem", "crt", "cert"}, "tls-key": {"pem", "key"},
		"ca": {"pem", "crt", "cert"}, "api-key-file": nil, "key-file": nil, "audit-log": nil,
		"report": {"html"}, "baseline": {"json"}, "storage": nil,
	}
	flagDirs = map[string]bool{"data-dir": true, "dir": true}
)

// completions tells cobra what each flag and argument of a command, and of all below it, may be. It is called for a shell that asks only, because
// cobra keeps what it is told for as long as the process lives.
func completions(cmd *cobra.Command) {
	complete := func(f *pflag.Flag) {
		offer := cobra.NoFileCompletions
		if words := flagWords[f.Name]; words != nil {
			offer = cobra.FixedCompletions(words, directive(words))
		} else if endings, is := flagFiles[f.Name]; is {
			offer = files(endings)
		} else if flagDirs[f.Name] {
			offer = directories
		}
		// An error says that the flag was registered before, with the command above it.
		_ = cmd.RegisterFlagCompletionFunc(f.Name, offer)
	}
	cmd.Flags().VisitAll(complete)
	cmd.PersistentFlags().VisitAll(complete)
	if !cmd.HasSubCommands() && cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
		switch {
		case strings.HasSuffix(cmd.Use, " DIR"):
			cmd.ValidArgsFunction = oneDirectory
		case strings.HasSuffix(cmd.Use, " FILE"):
			cmd.ValidArgsFunction = oneFile
		}
	}
	for _, below := range cmd.Commands() {
		completions(below)
	}
}

// directive keeps a shell from putting a space behind a word that is only a beginning.
func directive(words []cobra.Completion) cobra.ShellCompDirective {
	for _, word := range words {
		if name, _, _ := strings.Cut(word, "\t"); strings.HasSuffix(name, "/") {
			return cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		}
	}
	return cobra.ShellCompDirectiveNoFileComp
}

func files(endings []string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(endings) == 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return endings, cobra.ShellCompDirectiveFilterFileExt
	}
}

func directories(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

func oneFile(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return cobra.NoFileCompletions(cmd, args, word)
	}
	return nil, cobra.ShellCompDirectiveDefault
}

func oneDirectory(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return cobra.NoFileCompletions(cmd, args, word)
	}
	return directories(cmd, args, word)
}
