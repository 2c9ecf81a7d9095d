package child

import (
	"bytes"
	"io"
	"sync"
)

const maxTailBytes = 8 << 10

// tail keeps the last bytes that were written to it and passes all on.
type tail struct {
	to io.Writer // nil: nowhere

	mu   sync.Mutex // guards last
	last []byte
}

func newTail(to io.Writer) *tail { return &tail{to: to} }

// Write never fails: a node must not feel that nobody reads its log.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p...)
	if over := len(t.last) - maxTailBytes; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
	if t.to != nil {
		_, _ = t.to.Write(p)
	}
	return len(p), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.last))
}
