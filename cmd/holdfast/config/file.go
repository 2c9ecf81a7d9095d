package config

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxFileBytes bounds a file of settings. Its parse takes about a hundred times as much memory, for a moment.
const MaxFileBytes = 1 << 20

// pipeTime is how long a pipe may take to give its settings. One that nobody writes into counts as empty at once.
const pipeTime = 30 * time.Second

// Read reads a file of settings. The error is an *Error or joins several.
func Read(file string, schema Schema) (map[string]Setting, error) {
	text, err := read(file)
	if err != nil {
		return nil, err
	}
	return Parse(file, text, schema)
}

func read(file string) ([]byte, error) {
	refuse := func(text string, cause error) error {
		return &Error{Where: file, Text: text, Kind: ErrFile, Cause: cause}
	}
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, refuse("it cannot be opened", bare(err))
	}
	defer f.Close()
	if s, err := f.Stat(); err == nil && s.IsDir() {
		return nil, refuse("it is a directory, and a file is wanted", nil)
	}
	// A file has no deadline, and needs none.
	_ = f.SetReadDeadline(time.Now().Add(pipeTime))
	text, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err != nil {
		return nil, refuse("it cannot be read", bare(err))
	}
	return text, nil
}

// bare leaves out what the message says already: the operation and the path.
func bare(err error) error {
	if p, ok := err.(*os.PathError); ok {
		return p.Err
	}
	return err
}

// byteOrderMarks begin what an editor saved as something else than plain UTF-8.
var byteOrderMarks = [][]byte{{0xEF, 0xBB, 0xBF}, {0xFE, 0xFF}, {0xFF, 0xFE}}

// checkText refuses what is wrong with a text before its YAML is looked at. Comments alone are no error: an example in which every key is
// commented out is a file that sets nothing.
func checkText(file string, text []byte) error {
	switch {
	case len(text) > MaxFileBytes:
		return &Error{Where: file, Text: fmt.Sprintf("it is longer than %d bytes", MaxFileBytes), Kind: ErrFile}
	case len(bytes.TrimSpace(text)) == 0:
		return &Error{Where: file, Text: "it is empty; one that is to set nothing holds a comment", Kind: ErrFile}
	}
	for _, mark := range byteOrderMarks {
		if bytes.HasPrefix(text, mark) {
			return &Error{Where: at(file, 1), Text: "it begins with a byte order mark: save it as plain UTF-8", Kind: ErrSyntax}
		}
	}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if wrong := checkLine(strings.TrimRight(string(line), "\r\n")); wrong != "" {
			return &Error{Where: at(file, number), Text: wrong, Kind: ErrSyntax}
		}
	}
	return nil
}

func checkLine(line string) string {
	if !utf8.ValidString(line) {
		return "it is not UTF-8"
	}
	content := strings.TrimLeft(line, " \t")
	if indent := line[:len(line)-len(content)]; content != "" && content[0] != '#' && strings.Contains(indent, "\t") {
		return "the line begins with a tab: settings are not indented, and YAML indents by spaces only"
	}
	for _, r := range line {
		if r != '\t' && (unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\uFEFF') {
			return fmt.Sprintf("it holds the invisible character %U", r)
		}
	}
	return ""
}
