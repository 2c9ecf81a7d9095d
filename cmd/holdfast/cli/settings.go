package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdfast/cmd/holdfast/config"
	"holdfast/node"
)

const (
	// configFlag names the file of settings. A command that has it reads one.
	configFlag = "config"
	// settingMark is the annotation of the flags that are settings of a node: a key of the file is the long name of one of them.
	settingMark = "holdfast-setting"
)

// serviceFlags gives a command the flags of a node, each of them a setting, and --config.
func serviceFlags(cmd *cobra.Command) *service {
	s := &service{Config: node.DefaultConfig()}
	s.flags(cmd)
	accessFlags(cmd, &s.Config)
	boundFlags(cmd, &s.Config)
	s.logging.flags(cmd)
	cmd.Flags().VisitAll(func(f *pflag.Flag) { f.Annotations = map[string][]string{settingMark: {"yes"}} })
	cmd.Flags().String(configFlag, "", "YAML file of settings: their names are those of these flags")
	return s
}

// settingsOf returns those flags of a command that are settings of a node.
func settingsOf(cmd *cobra.Command) *pflag.FlagSet {
	settings := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Annotations[settingMark] != nil {
			settings.AddFlag(f)
		}
	})
	return settings
}

// settle gives every flag of a command that was not on the command line its value from the environment, else from the file, else its default, and
// remembers where each came from.
func (a *app) settle(cmd *cobra.Command) error {
	if err := checkVariables(cmd.Root(), a.Env); err != nil {
		return err
	}
	var file map[string]config.Setting
	if path := a.configFile(cmd); path != "" {
		var err error
		schema := config.Schema{Settings: settingsOf(cmd), Refusal: func(key string) string { return noSetting(cmd.Root(), key) }}
		if file, err = config.Read(path, schema); err != nil {
			return usagef("%w", err)
		}
	}
	settings, err := config.Resolve(config.Sources{Flags: cmd.Flags(), Env: a.Env, File: file})
	if err != nil {
		return usagef("%w", err)
	}
	a.settings = settings
	return nil
}

// configFile returns the path of the file of settings, "" when there is none: that of --config, else that of the environment.
func (a *app) configFile(cmd *cobra.Command) string {
	flag := cmd.Flags().Lookup(configFlag)
	if flag == nil {
		return ""
	}
	path := flag.Value.String()
	for _, entry := range a.Env {
		if value, ok := strings.CutPrefix(entry, config.Variable(configFlag)+"="); ok && !flag.Changed {
			path = value
		}
	}
	return path
}

// noSetting says what a key means that is no setting of a node, "" when it means nothing.
func noSetting(root *cobra.Command, key string) string {
	switch key {
	case configFlag:
		return "a file of settings is named by --config or " + config.Variable(configFlag) + ", and does not name another"
	case "api-key", "api_key", keyVariable:
		return "an API key never stands in a file of settings; commands take it from --api-key-file or " + keyVariable
	case "help":
		return ""
	}
	if root.PersistentFlags().Lookup(key) != nil {
		return "it says how a command prints, and is no setting of a node"
	}
	if owner := ownerOf(root, key); owner != nil {
		return fmt.Sprintf("it belongs to '%s', and is no setting of a node", owner.CommandPath())
	}
	return ""
}

// ownerOf returns the first command that has a flag of its own by that name.
func ownerOf(cmd *cobra.Command, flag string) *cobra.Command {
	if cmd.HasParent() && (cmd.Flags().Lookup(flag) != nil || cmd.PersistentFlags().Lookup(flag) != nil) {
		return cmd
	}
	for _, below := range cmd.Commands() {
		if owner := ownerOf(below, flag); owner != nil {
			return owner
		}
	}
	return nil
}
