package demo

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress tells how the sale goes: on a terminal in one line that is written again and again, else in a line now and then.
type progress struct {
	to      io.Writer
	columns int // of the terminal; 0: it is none
	begin   time.Time
	state   func() string

	mu   sync.Mutex // guards what follows, and to
	live bool       // the last thing written was the live line
	last string

	stop chan struct{}
	done sync.WaitGroup
}

func newProgress(to io.Writer, columns int) *progress {
	return &progress{to: to, columns: columns, begin: time.Now()}
}

// say writes a line of its own.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clearLocked()
	fmt.Fprintf(p.to, "%6.1fs  %s\n", time.Since(p.begin).Seconds(), fmt.Sprintf(format, args...))
}

// follow shows what state returns until finish is called.
func (p *progress) follow(state func() string) {
	every := time.Second
	if p.columns > 0 {
		every = 100 * time.Millisecond
	}
	p.state, p.stop = state, make(chan struct{})
	p.done.Go(func() {
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				p.show()
			case <-p.stop:
				p.show()
				return
			}
		}
	})
}

// finish shows the state a last time.
func (p *progress) finish() {
	close(p.stop)
	p.done.Wait()
}

func (p *progress) show() {
	text := p.state()
	p.mu.Lock()
	defer p.mu.Unlock()
	if text == p.last && p.columns == 0 {
		return
	}
	p.last = text
	line := fmt.Sprintf("%6.1fs  %s", time.Since(p.begin).Seconds(), text)
	if p.columns == 0 {
		fmt.Fprintln(p.to, line)
		return
	}
	p.clearLocked()
	// A line that wraps could not be taken away again.
	fmt.Fprint(p.to, line[:min(len(line), p.columns-1)])
	p.live = true
}

// clearLocked takes the live line away.
func (p *progress) clearLocked() {
	if p.live {
		fmt.Fprint(p.to, "\r\x1b[K")
		p.live = false
	}
}
