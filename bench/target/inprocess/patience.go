package inprocess

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// callTimeout is how long a call may take, give or take renewEvery.
	callTimeout = 10 * time.Second
	// renewEvery is how long calls share a deadline: a context and a timer for each would cost more than an order.
	renewEvery = time.Second
)

// patience gives calls without a deadline one that they share.
type patience struct {
	now atomic.Pointer[spell]

	mu     sync.Mutex // guards what follows
	spells []*spell
	closed bool
}

// spell is a deadline, and until when it is given out.
type spell struct {
	ctx    context.Context
	cancel context.CancelFunc
	until  time.Time
}

// of returns the context of a call: its own when that has a deadline.
func (p *patience) of(ctx context.Context) context.Context {
	if _, bounded := ctx.Deadline(); bounded {
		return ctx
	}
	if s := p.now.Load(); s != nil && time.Now().Before(s.until) {
		return s.ctx
	}
	return p.renew()
}

func (p *patience) renew() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if s := p.now.Load(); s != nil && (now.Before(s.until) || p.closed) {
		return s.ctx
	}
	for len(p.spells) > 0 && p.spells[0].ctx.Err() != nil {
		p.spells[0].cancel()
		p.spells = p.spells[1:]
	}
	s := &spell{until: now.Add(renewEvery)}
	s.ctx, s.cancel = context.WithTimeout(context.Background(), callTimeout)
	p.spells = append(p.spells, s)
	p.now.Store(s)
	return s.ctx
}

// close ends every deadline.
func (p *patience) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, s := range p.spells {
		s.cancel()
	}
}
