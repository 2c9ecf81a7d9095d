package actors

import (
	"sync"
)

// peers are the other voters of a testLog. They answer what they are asked by the test, or at once.
type peers struct {
	mu   sync.Mutex // guards what follows
	sent uint64
	// answered is the highest number that a majority answered, by term.
	answered map[uint64]uint64
	news     chan struct{}
	// silent: only answer answers.
	silent            bool
	prompts, resigned int
	// resign is called, when set, by Resign.
	resign func()
}

func newPeers(silent bool) *peers {
	return &peers{answered: make(map[uint64]uint64), news: make(chan struct{}), silent: silent}
}

// withPeers gives a node other voters.
func withPeers(p *peers) func(*ReplicaConfig) {
	return func(c *ReplicaConfig) { c.Log.(*testLog).peers = p }
}

// send has a heartbeat sent that nobody has answered yet, and returns its number.
func (p *peers) send() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent++
	return p.sent
}

// answer says that a majority answered what was sent with that number in that term.
func (p *peers) answer(number, term uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered[term] = max(p.answered[term], number)
	close(p.news)
	p.news = make(chan struct{})
}

// last returns the number of what was sent last.
func (p *peers) last() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}

func (p *peers) prompted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.prompts
}

func (p *peers) resignations() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.resigned
}

// mute has them answer nothing by themselves, or everything.
func (p *peers) mute(silent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = silent
}

func (l *testLog) Sent() uint64 {
	if l.peers == nil {
		return 0
	}
	return l.peers.last()
}

// Confirmed: the only voter is a majority by itself.
func (l *testLog) Confirmed(mark, term uint64) bool {
	p := l.peers
	if p == nil {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answered[term] > mark
}

func (l *testLog) Heard() <-chan struct{} {
	p := l.peers
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.news
}

func (l *testLog) Prompt() {
	p := l.peers
	if p == nil {
		return
	}
	number := p.send()
	p.mu.Lock()
	p.prompts++
	silent := p.silent
	p.mu.Unlock()
	l.mu.Lock()
	term, leads := l.term, l.leads
	l.mu.Unlock()
	if !silent && leads {
		p.answer(number, term)
	}
}

func (l *testLog) Resign() {
	p := l.peers
	if p == nil {
		return
	}
	p.mu.Lock()
	p.resigned++
	resign := p.resign
	p.mu.Unlock()
	if resign != nil {
		resign()
	}
}
