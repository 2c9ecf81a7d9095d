package actors

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

// turnRequests bounds the requests of one turn, so that what is committed never waits behind a crowd.
const turnRequests = 1024

// turn is what an actor receives: everything committed so far, and then some requests (rule R15). It is valid during Receive only.
type turn struct {
	committed []any
	requests  []*pending
}

// mailbox has two lanes: committed entries, marks and control before requests. It swaps a slice and calls Receive once for many messages. It
// is unbounded by itself: admission tokens bound the requests, the apply backlog bounds the entries.
type mailbox struct {
	mu        sync.Mutex // guards the lanes, closed and suspended; held for an append or a swap only
	system    []any
	committed []any
	requests  []*pending
	closed    bool
	suspended bool

	running atomic.Bool

	// applying is the entry that the actor applied last, to name it when the actor panics. The running turn sets it.
	applying uint64

	invoker    actor.MessageInvoker
	dispatcher actor.Dispatcher
	spare      turn
	// lost takes the messages that come after the actor stopped.
	lost func(message any)
}

var _ actor.Mailbox = (*mailbox)(nil)

func newMailbox(lost func(any)) *mailbox { return &mailbox{lost: lost} }

// PostUserMessage puts a message into its lane.
func (m *mailbox) PostUserMessage(message any) {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		m.lost(message)
		return
	}
	switch msg := message.(type) {
	case *pending:
		m.requests = append(m.requests, msg)
	case *bundle:
		m.requests = append(m.requests, msg.requests...)
	default:
		m.committed = append(m.committed, message)
	}
	m.mu.Unlock()
	m.schedule()
}

// PostSystemMessage puts a message of the actor system before all others.
func (m *mailbox) PostSystemMessage(message any) {
	m.mu.Lock()
	m.system = append(m.system, message)
	m.mu.Unlock()
	m.schedule()
}

// RegisterHandlers tells the mailbox whom to call, and where to run.
func (m *mailbox) RegisterHandlers(invoker actor.MessageInvoker, dispatcher actor.Dispatcher) {
	m.invoker, m.dispatcher = invoker, dispatcher
}

// Start is called once, before the first message.
func (m *mailbox) Start() {}

// UserMessageCount returns how many messages wait.
func (m *mailbox) UserMessageCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.committed) + len(m.requests)
}

// depth returns how many messages wait in each lane.
func (m *mailbox) depth() (committed, requests int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.committed), len(m.requests)
}

func (m *mailbox) schedule() {
	if m.running.CompareAndSwap(false, true) {
		m.dispatcher.Schedule(m.process)
	}
}

func (m *mailbox) process() {
	for {
		m.run()
		m.running.Store(false)
		if !m.more() || !m.running.CompareAndSwap(false, true) {
			return
		}
	}
}

// more reports whether something came after the last look, unless the actor is suspended and can only take system messages.
func (m *mailbox) more() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.system) > 0 || (!m.suspended && len(m.committed)+len(m.requests) > 0)
}

// run takes turns until nothing is left.
func (m *mailbox) run() {
	var current any
	defer func() {
		if r := recover(); r != nil {
			m.invoker.EscalateFailure(&panicked{r, debug.Stack(), m.applying}, current)
		}
	}()
	for {
		if msg, ok := m.nextSystem(); ok {
			current = msg
			m.invokeSystem(msg)
			continue
		}
		t := m.take()
		if t == nil {
			return
		}
		current = t
		m.invoker.InvokeUserMessage(t)
		runtime.Gosched()
	}
}

func (m *mailbox) invokeSystem(msg any) {
	switch msg.(type) {
	case *actor.SuspendMailbox:
		m.setSuspended(true)
	case *actor.ResumeMailbox:
		m.setSuspended(false)
	default:
		m.invoker.InvokeSystemMessage(msg)
	}
}

func (m *mailbox) setSuspended(v bool) {
	m.mu.Lock()
	m.suspended = v
	m.mu.Unlock()
}

func (m *mailbox) nextSystem() (any, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.system) == 0 {
		return nil, false
	}
	msg := m.system[0]
	m.system = m.system[1:]
	return msg, true
}

// take swaps the lanes for the slices of the turn before.
func (m *mailbox) take() *turn {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.suspended || len(m.committed)+len(m.requests) == 0 {
		return nil
	}
	clear(m.spare.committed)
	clear(m.spare.requests)
	m.spare.committed, m.committed = m.committed, m.spare.committed[:0]
	if len(m.requests) <= turnRequests {
		m.spare.requests, m.requests = m.requests, m.spare.requests[:0]
	} else {
		m.spare.requests = append(m.spare.requests[:0], m.requests[:turnRequests]...)
		m.requests = m.requests[turnRequests:]
	}
	return &m.spare
}

// close refuses further messages and returns those that were never received.
func (m *mailbox) close() (committed []any, requests []*pending) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	committed, requests = m.committed, m.requests
	m.committed, m.requests = nil, nil
	return committed, requests
}

// panicked is the reason of a failure with the stack it happened on.
type panicked struct {
	reason any
	stack  []byte
	// index is the entry that the actor applied last.
	index uint64
}

// String returns the reason and the stack.
func (p *panicked) String() string { return fmt.Sprintf("%v\n%s", p.reason, p.stack) }
