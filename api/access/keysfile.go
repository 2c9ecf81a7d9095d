package access

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// The bounds of a file of keys. Every request is compared with every key.
const (
	MaxKeys      = 1000
	maxFileBytes = 1 << 20
)

// entry is one line of the file: a key by its hash, and whose it is.
type entry struct {
	Caller
	hash hash
}

// readKeys reads a file of keys, and reports whether others than its owner and group may read it or others than its owner change it.
func readKeys(path string) (entries []entry, exposed bool, err error) {
	stat, err := plainFile(path)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrKeysFile, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrKeysFile, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrKeysFile, err)
	}
	entries, err = parseKeys(text)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %s: %w", ErrKeysFile, path, err)
	}
	return entries, stat.Mode().Perm()&0o027 != 0, nil
}

// parseKeys takes a list of {name, role, sha256}. Its errors name lines and members and never repeat a value: somebody may have written a key
// where its hash belongs.
func parseKeys(text []byte) ([]entry, error) {
	if len(text) > maxFileBytes {
		return nil, fmt.Errorf("more than %d bytes", maxFileBytes)
	}
	list, err := parseList(text)
	if err != nil {
		return nil, err
	}
	entries := make([]entry, 0, len(list.Content))
	lines := make(map[hash]int, len(list.Content))
	for _, node := range list.Content {
		e, err := parseEntry(node)
		if err != nil {
			return nil, err
		}
		if first, twice := lines[e.hash]; twice {
			return nil, at(node, "the same sha256 stands in line %d already", first)
		}
		lines[e.hash] = node.Line
		entries = append(entries, e)
	}
	return entries, nil
}

// parseList returns the one list that the text is, with 1 to MaxKeys entries.
func parseList(text []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, more yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, errors.New("line 1: there are no keys; 'holdfast keys new' makes one")
	} else if err != nil {
		return nil, notYAML(err)
	}
	list := document.Content[0]
	switch {
	case list.Kind != yaml.SequenceNode:
		return nil, at(list, "must be a list of {name, role, sha256}")
	case len(list.Content) == 0:
		return nil, at(list, "there are no keys; 'holdfast keys new' makes one")
	case len(list.Content) > MaxKeys:
		return nil, at(list.Content[MaxKeys], "more than %d keys", MaxKeys)
	}
	if err := decoder.Decode(&more); err == nil {
		return nil, at(&more, "a second document")
	} else if !errors.Is(err, io.EOF) {
		return nil, notYAML(err)
	}
	return list, nil
}

func parseEntry(node *yaml.Node) (e entry, err error) {
	if node.Kind != yaml.MappingNode {
		return e, at(node, "must be {name, role, sha256}")
	}
	seen := make(map[string]bool, 3)
	for i := 0; i+1 < len(node.Content); i += 2 {
		member, value := node.Content[i], node.Content[i+1]
		if seen[member.Value] {
			return e, at(member, "the member stands twice")
		}
		seen[member.Value] = true
		if err := e.set(member, value); err != nil {
			return e, err
		}
	}
	for _, member := range []string{"name", "role", "sha256"} {
		if !seen[member] {
			return e, at(node, "%s is missing", member)
		}
	}
	return e, nil
}

// set takes one member of an entry.
func (e *entry) set(member, value *yaml.Node) (err error) {
	const members = "the members are name, role and sha256"
	if member.Kind != yaml.ScalarNode {
		return at(member, members)
	}
	switch member.Value {
	case "name", "role", "sha256":
	default:
		return at(member, members)
	}
	if value.Kind != yaml.ScalarNode {
		return at(value, "%s must be a plain value", member.Value)
	}
	switch member.Value {
	case "name":
		if e.Name = value.Value; !validName(e.Name) {
			return at(value, "%w", ErrName)
		}
	case "role":
		if e.Role, err = ParseRole(value.Value); err != nil {
			return at(value, "%w", err)
		}
	case "sha256":
		if n, err := hex.Decode(e.hash[:], clipped(value.Value)); err != nil || n != len(e.hash) || len(value.Value) != 2*n {
			return at(value, "sha256 must be 64 hex digits")
		}
	}
	return nil
}

// clipped keeps a long value from overrunning a hash.
func clipped(s string) []byte { return []byte(s[:min(len(s), 2*len(hash{}))]) }

func at(node *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("line %d: %w", max(node.Line, 1), fmt.Errorf(format, args...))
}

var lineOf = regexp.MustCompile(`line (\d+)`)

// notYAML keeps of a syntax error only its line: its text may repeat the input.
func notYAML(err error) error {
	line := 1
	if m := lineOf.FindStringSubmatch(err.Error()); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
	}
	return fmt.Errorf("line %d: this is not YAML", line)
}
