package curves

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Read reads what was measured; where there is no file nothing was.
func Read(name string) (Measured, error) {
	var m Measured
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("reading curves: %w", err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("reading curves from %s: %w", name, err)
	}
	return m, m.Check()
}

// Encode is what Read reads, with one run a line.
func (m Measured) Encode() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(`{"curves":[`)
	for i, c := range m.Curves {
		fmt.Fprintf(&b, "%s\n{\"name\":%q,\"points\":[", separator(i), c.Name)
		for j, f := range c.Points {
			fmt.Fprintf(&b, "%s\n {\"nodes\":%d,\"x\":%d,\"runs\":[", separator(j), f.Nodes, f.X)
			for k, r := range f.Runs {
				text, err := json.Marshal(r)
				if err != nil {
					return nil, fmt.Errorf("encoding curves: %w", err)
				}
				fmt.Fprintf(&b, "%s\n  %s", separator(k), text)
			}
			b.WriteString("]}")
		}
		b.WriteString("]}")
	}
	b.WriteString("]}\n")
	return b.Bytes(), nil
}

func separator(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}
