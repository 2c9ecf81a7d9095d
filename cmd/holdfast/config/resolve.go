package config

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/spf13/pflag"
)

// Prefix begins the name of every environment variable that is a setting.
const Prefix = "HOLDFAST_"

// Variable returns the environment variable of a flag: HOLDFAST_NODE_ID of node-id.
func Variable(flag string) string {
	return Prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// FlagOf returns the flag of an environment variable.
func FlagOf(variable string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(variable, Prefix), "_", "-"))
}

// Sources are where settings come from.
type Sources struct {
	// Flags were parsed; those that were given on the command line are marked as changed.
	Flags *pflag.FlagSet
	// Env is the environment as name=value; what belongs to no flag of Flags is passed over.
	Env []string
	// File is what Parse returned, or nil.
	File map[string]Setting
}

// Resolve gives every flag that was not on the command line the value of its variable, else of the file, and returns all settings by the names of
// their flags. The error joins one *Error for each value that its flag does not take; no flag is changed before all values were looked at.
func Resolve(s Sources) (map[string]Setting, error) {
	variables := variables(s.Flags, s.Env)
	if err := checkVariables(s.Flags, variables); err != nil {
		return nil, err
	}
	settings := make(map[string]Setting)
	for _, layer := range []map[string]Setting{defaults(s.Flags), s.File, variables, given(s.Flags)} {
		maps.Copy(settings, layer)
	}
	return settings, apply(s.Flags, settings)
}

func defaults(flags *pflag.FlagSet) map[string]Setting {
	layer := make(map[string]Setting)
	flags.VisitAll(func(f *pflag.Flag) { layer[f.Name] = Setting{f.DefValue, Origin{Kind: Default}} })
	return layer
}

// variables returns what the environment says of the flags. Of two equal names the last counts, as in a shell.
func variables(flags *pflag.FlagSet, env []string) map[string]Setting {
	layer := make(map[string]Setting)
	for _, entry := range env {
		variable, value, _ := strings.Cut(entry, "=")
		if name := FlagOf(variable); strings.HasPrefix(variable, Prefix) && Variable(name) == variable && flags.Lookup(name) != nil {
			layer[name] = Setting{value, Origin{Environment, variable}}
		}
	}
	return layer
}

// given returns what was on the command line.
func given(flags *pflag.FlagSet) map[string]Setting {
	layer := make(map[string]Setting)
	flags.Visit(func(f *pflag.Flag) { layer[f.Name] = Setting{f.Value.String(), Origin{Flag, "--" + f.Name}} })
	return layer
}

// checkVariables looks at every variable, those that a flag beats too: what is wrong there is wrong tomorrow as well.
func checkVariables(flags *pflag.FlagSet, variables map[string]Setting) error {
	var wrong []error
	flags.VisitAll(func(f *pflag.Flag) {
		s, has := variables[f.Name]
		if has && !takes(f.Value.Type(), s.Text, anyBase) {
			text := fmt.Sprintf("%s: %s is wanted", Shown(s.Text), wanted(f.Value.Type()))
			wrong = append(wrong, &Error{Where: s.Origin.Where, Text: text, Kind: ErrValue})
		}
	})
	return errors.Join(wrong...)
}

// apply sets the flags from the file and the environment. Values were checked; a flag with a type of its own may still refuse one.
func apply(flags *pflag.FlagSet, settings map[string]Setting) error {
	var wrong []error
	flags.VisitAll(func(f *pflag.Flag) {
		s := settings[f.Name]
		if s.Origin.Kind != File && s.Origin.Kind != Environment {
			return
		}
		if err := flags.Set(f.Name, s.Text); err != nil {
			wrong = append(wrong, &Error{Where: s.Origin.Where, Key: f.Name, Text: Shown(s.Text) + " is not taken", Kind: ErrValue, Cause: err})
		}
	})
	return errors.Join(wrong...)
}
