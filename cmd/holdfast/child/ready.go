package child

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// Ready is the ready line of a node: the addresses really bound.
type Ready struct {
	Ready bool   `json:"ready"`
	HTTP  string `json:"http"`
	Admin string `json:"admin"`
	Peer  string `json:"peer"`
}

type readyOr struct {
	ready Ready
	err   error
}

// maxReadyBytes bounds what is read before a newline.
const maxReadyBytes = 4096

// readReady reads the ready line, says what it found, and reads on until the node closes its output, so that it never blocks there.
func readReady(out io.ReadCloser, found chan<- readyOr) {
	defer func() { _ = out.Close() }()
	r := bufio.NewReaderSize(out, maxReadyBytes)
	line, err := r.ReadSlice('\n')
	var got readyOr
	switch {
	case err != nil:
		got.err = fmt.Errorf("no ready line: %w", err)
	default:
		if got.err = json.Unmarshal(line, &got.ready); got.err == nil && !got.ready.Ready {
			got.err = fmt.Errorf("not a ready line: %s", line)
		}
	}
	found <- got
	// Nothing may follow; if something does it is nobody's.
	_, _ = io.Copy(io.Discard, r)
}
