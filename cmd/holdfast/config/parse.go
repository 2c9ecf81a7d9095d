package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// Schema says what a file may hold.
type Schema struct {
	// Settings are the flags that are settings; a key is a flag's long name.
	Settings *pflag.FlagSet
	// Refusal says why a word that means something elsewhere is no setting, "" for one that means nothing. May be nil.
	Refusal func(key string) string
}

// maxFaults bounds how many faults of one file are told at once.
const maxFaults = 10

// Parse reads the text of a file of settings: one YAML mapping of names to single values. The error is an *Error, or joins up to ten of them in the
// order of their lines.
func Parse(file string, text []byte, schema Schema) (map[string]Setting, error) {
	if err := checkText(file, text); err != nil {
		return nil, err
	}
	root, err := document(file, text)
	if err != nil || root == nil {
		return nil, err
	}
	if n := foreign(root); n != nil {
		text := "anchors, aliases and tags are not taken: write the value out"
		return nil, &Error{Where: at(file, n.Line), Text: text, Kind: ErrSyntax}
	}
	if root.Kind != yaml.MappingNode {
		return nil, &Error{Where: at(file, root.Line), Text: "lines such as node-id: n1 are wanted, and nothing else", Kind: ErrSyntax}
	}
	return pairs(file, root.Content, schema)
}

// document returns the root of the only document, nil when there is none.
func document(file string, text []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	err := d.Decode(&first)
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, notYAML(file, err)
	}
	switch err := d.Decode(&second); {
	case errors.Is(err, io.EOF):
		return first.Content[0], nil
	case err != nil:
		return nil, notYAML(file, err)
	}
	return nil, &Error{Where: at(file, second.Line), Text: "a second document begins here, and there must be one", Kind: ErrSyntax}
}

var lineOf = regexp.MustCompile(`^line (\d+): `)

// notYAML wraps what the YAML library says. Its line is that of the fault or the one before; none means the first.
func notYAML(file string, err error) error {
	text, line := strings.TrimPrefix(err.Error(), "yaml: "), "1"
	if m := lineOf.FindStringSubmatch(text); m != nil {
		text, line = text[len(m[0]):], m[1]
	}
	text = "it is not YAML, here or on the next line: " + text + " (a value with special characters, such as \"[::1]:8080\", goes into quotation marks)"
	return &Error{Where: file + ":" + line, Text: text, Kind: ErrSyntax}
}

// foreign returns a node that is more than a plain one: an anchor can make a short text stand for a long one, and a tag a value be read as another.
func foreign(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return n
	}
	for _, below := range n.Content {
		if f := foreign(below); f != nil {
			return f
		}
	}
	return nil
}

// pairs takes the keys and values of the mapping, one after the other.
func pairs(file string, nodes []*yaml.Node, schema Schema) (map[string]Setting, error) {
	settings, lines := make(map[string]Setting), make(map[string]int)
	var faults []error
	for i := 0; i+1 < len(nodes) && len(faults) < maxFaults; i += 2 {
		key, value := nodes[i], nodes[i+1]
		text, fault := pair(key, value, schema)
		if fault == nil && lines[key.Value] != 0 {
			fault = &Error{Key: key.Value, Text: fmt.Sprintf("it stands on line %d already", lines[key.Value]), Kind: ErrKey}
		}
		if fault != nil {
			fault.Where = at(file, key.Line)
			faults = append(faults, fault)
			continue
		}
		lines[key.Value] = key.Line
		settings[key.Value] = Setting{text, Origin{File, at(file, key.Line)}}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return settings, nil
}

func pair(key, value *yaml.Node, schema Schema) (string, *Error) {
	if key.Kind != yaml.ScalarNode || key.Tag != "!!str" {
		return "", &Error{Text: "a key must be the name of a setting", Kind: ErrKey}
	}
	flag := schema.Settings.Lookup(key.Value)
	if flag == nil {
		return "", unknown(key.Value, schema)
	}
	switch value.Kind {
	case yaml.MappingNode:
		return "", &Error{Key: flag.Name, Text: "a mapping stands here, and " + wanted(flag.Value.Type()) + " is wanted", Kind: ErrValue}
	case yaml.SequenceNode:
		return "", &Error{Key: flag.Name, Text: "a list stands here, and " + wanted(flag.Value.Type()) + " is wanted", Kind: ErrValue}
	}
	text, wrong := scalar(flag, value)
	if wrong != "" {
		return "", &Error{Key: flag.Name, Text: wrong, Kind: ErrValue}
	}
	return text, nil
}

// unknown says why a key is no setting, or which was meant. It never repeats the value.
func unknown(key string, schema Schema) *Error {
	fault := &Error{Key: Shown(key), Text: "there is no such setting", Kind: ErrKey}
	if schema.Refusal != nil {
		if why := schema.Refusal(key); why != "" {
			fault.Key, fault.Text = key, why
			return fault
		}
	}
	var names []string
	schema.Settings.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := Near(key, names); near != "" {
		fault.Text += "; did you mean " + near + "?"
	}
	return fault
}
