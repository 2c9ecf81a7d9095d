package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// Bases of whole numbers: a file takes plain decimals, a variable what a flag takes, such as 0x10.
const (
	decimal = 10
	anyBase = 0
)

// plain is a whole number as everybody reads it: YAML also has 010 and 1_000, and not everybody agrees on what they are.
var plain = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)

// wanted says in words what a flag of a type takes.
func wanted(flagType string) string {
	switch flagType {
	case "int", "int64":
		return "a whole number"
	case "uint", "uint64":
		return "a whole number that is not negative"
	case "float64":
		return "a number"
	case "bool":
		return "true or false"
	case "duration":
		return "a duration with its unit, such as 20s"
	}
	return "a text"
}

// Wanted says in words what a flag takes.
func Wanted(f *pflag.Flag) string { return wanted(f.Value.Type()) }

// takes reports whether a flag of a type takes a text.
func takes(flagType, text string, base int) bool {
	var err error
	switch flagType {
	case "int":
		_, err = strconv.ParseInt(text, base, strconv.IntSize)
	case "int64":
		_, err = strconv.ParseInt(text, base, 64)
	case "uint":
		_, err = strconv.ParseUint(text, base, strconv.IntSize)
	case "uint64":
		_, err = strconv.ParseUint(text, base, 64)
	case "float64":
		_, err = strconv.ParseFloat(text, 64)
	case "bool":
		_, err = strconv.ParseBool(text)
	case "duration":
		_, err = time.ParseDuration(text)
	}
	return err == nil
}

// kinds are the YAML scalars that a flag of a type takes, and the word for each of those there are.
var (
	kinds = map[string][]string{
		"int": {"!!int"}, "int64": {"!!int"}, "uint": {"!!int"}, "uint64": {"!!int"}, "float64": {"!!int", "!!float"}, "bool": {"!!bool"},
	}
	kindWords = map[string]string{
		"!!int": "a number", "!!float": "a number", "!!bool": "a truth value", "!!str": "a text", "!!timestamp": "a date", "!!binary": "bytes",
	}
)

// scalar returns the text of a scalar for a flag, or what is wrong with it.
func scalar(f *pflag.Flag, n *yaml.Node) (text, wrong string) {
	flagType := f.Value.Type()
	want, numbers := wanted(flagType), kinds[flagType]
	switch {
	case n.Tag == "!!null":
		return "", "it has no value: leave the key out for the default, or write one"
	case strings.ContainsFunc(n.Value, unicode.IsControl):
		return "", "the value has more than one line, or a control character"
	case numbers == nil && n.Tag != "!!str" && flagType == "duration":
		return "", fmt.Sprintf("%s is %s, and %s is wanted", Shown(n.Value), kindWords[n.Tag], want)
	case numbers == nil && n.Tag != "!!str":
		return "", fmt.Sprintf("%s is %s, and %s is wanted: put it in quotation marks", Shown(n.Value), kindWords[n.Tag], want)
	case numbers != nil && n.Tag == "!!str" && n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 && takes(flagType, n.Value, decimal):
		return "", fmt.Sprintf("%s is a text, and %s is wanted: leave the quotation marks out", Shown(n.Value), want)
	case numbers != nil && !slices.Contains(numbers, n.Tag), !takes(flagType, n.Value, decimal), n.Tag == "!!int" && !plain.MatchString(n.Value):
		return "", fmt.Sprintf("%s: %s is wanted", Shown(n.Value), want)
	}
	return n.Value, ""
}

// maxShown bounds how much of a value a message repeats.
const maxShown = 40

// Shown quotes a value for a message, unless it looks like one that holds a secret: a URL with a user, or an API key in the wrong place.
func Shown(text string) string {
	if strings.ContainsAny(text, "@") || strings.Contains(text, "://") || strings.Contains(text, "hf_") {
		return "the value (not shown: it may hold a secret)"
	}
	if runes := []rune(text); len(runes) > maxShown {
		return strconv.Quote(string(runes[:maxShown])) + "..."
	}
	return strconv.Quote(text)
}
