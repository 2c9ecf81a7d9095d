package demo

import (
	"bytes"
	"io"
	"sync"
)

// labels lets several nodes write their logs to one place, whole lines, each with its node's name before it.
type labels struct {
	to io.Writer // nil: nowhere

	mu sync.Mutex // guards to
}

// of returns what a node writes its log to, nil for nowhere.
func (l *labels) of(name string) io.Writer {
	if l.to == nil {
		return nil
	}
	return &labelled{labels: l, name: name}
}

type labelled struct {
	*labels
	name string
	rest []byte // of a line that has no end yet
}

// Write keeps what is no whole line until the rest of it comes.
func (l *labelled) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	end := bytes.LastIndexByte(l.rest, '\n') + 1
	var lines []byte
	for line := range bytes.Lines(l.rest[:end]) {
		lines = append(append(append(lines, l.name...), " | "...), line...)
	}
	l.rest = append([]byte(nil), l.rest[end:]...)
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.to.Write(lines); err != nil {
		return 0, err
	}
	return len(p), nil
}
