package fleettest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"holdfast/api/client"
	"holdfast/cmd/holdfast/child"
)

// Node is one process of a fleet, over all its lives.
type Node struct {
	// ID is its name in the cluster, Index its place in the fleet.
	ID    string
	Index int
	// Client sends a call once, Patient until its outcome is known.
	Client, Patient *client.Client

	fleet *Fleet
	dir   string
	addrs [3]string
	args  []string

	// turn counts what was done to the node: kills, pauses, starts. Odd while it is up.
	turn atomic.Uint64
	mu   sync.Mutex // guards process
	// process is nil before the first start.
	process *child.Node
}

// Up reports whether the node runs and was not paused.
func (n *Node) Up() bool { return n.turn.Load()%2 == 1 }

// Turn names an uninterrupted stretch of the node's life: a request that began and ended in one Turn, while it was Up, met a live node.
func (n *Node) Turn() uint64 { return n.turn.Load() }

// DataDir is the node's data directory.
func (n *Node) DataDir() string { return n.dir }

// Addrs are its public, admin and peer address.
func (n *Node) Addrs() (public, admin, peer string) { return n.addrs[0], n.addrs[1], n.addrs[2] }

// Args is the command line that starts it, without the program.
func (n *Node) Args() []string { return n.args }

// SetArgs gives its next starts another command line.
func (n *Node) SetArgs(args []string) { n.args = args }

// Process is the process that runs, or ran last; nil before the first.
func (n *Node) Process() *child.Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process
}

// Kill ends the process with SIGKILL and returns when it is gone. A node that is down stays so.
func (n *Node) Kill() {
	n.down()
	if p := n.Process(); p != nil {
		p.Kill()
	}
}

// Lost notes that the process ended, or will, without a word from the test; whoever expects that calls it first.
func (n *Node) Lost() { n.down() }

// Pause stops the process with SIGSTOP.
func (n *Node) Pause() {
	n.fleet.t.Helper()
	n.down()
	n.signal(syscall.SIGSTOP)
}

// Resume wakes a paused process.
func (n *Node) Resume() {
	n.fleet.t.Helper()
	n.signal(syscall.SIGCONT)
	n.up()
}

func (n *Node) signal(s syscall.Signal) {
	n.fleet.t.Helper()
	if err := syscall.Kill(n.Process().PID(), s); err != nil {
		n.fleet.t.Fatalf("%s: %s: %v", n.ID, s, err)
	}
}

// Stop drains the node with SIGTERM and returns how long that took. It must end with 0.
func (n *Node) Stop(within time.Duration) time.Duration {
	n.fleet.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	begin := time.Now()
	n.down()
	if code, err := n.Process().Stop(ctx); code != 0 || err != nil {
		n.fleet.t.Fatalf("%s: drain: exit code %d, %v", n.ID, code, err)
	}
	return time.Since(begin)
}

// Restart starts a node that is down with the command line it always has and returns how long it took to be ready.
func (n *Node) Restart() time.Duration {
	n.fleet.t.Helper()
	if err := n.start(); err != nil {
		n.fleet.t.Fatal(err)
	}
	return n.Process().Took
}

// Begin starts a node that is down as Restart does, without waiting: the channel yields its error, or nil when it is ready.
func (n *Node) Begin() <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- n.start() }()
	return ended
}

// DieWhen starts a node that is down and kills it as soon as a condition holds, which is looked at every millisecond: in the middle of its
// start, or once it is ready, and in any case after within. It reports whether the node had become ready.
func (n *Node) DieWhen(within time.Duration, holds func() bool) (ready bool) {
	ctx, cancel := context.WithTimeout(n.fleet.t.Context(), within)
	defer cancel()
	started := make(chan *child.Node, 1)
	go func() {
		p, err := n.run(ctx)
		if err != nil {
			p = nil // killed on its way, or gone by itself
		}
		started <- p
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() && ctx.Err() == nil {
		<-tick.C
	}
	cancel()
	p := <-started
	if p != nil {
		p.Kill()
	}
	return p != nil
}

// Log returns all that the node wrote to standard error in all its lives.
func (n *Node) Log() string {
	text, err := os.ReadFile(n.logPath())
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	return string(text)
}

func (n *Node) logPath() string { return filepath.Join(n.fleet.dir, n.ID+".log") }

func (n *Node) set(p *child.Node) {
	n.mu.Lock()
	n.process = p
	n.mu.Unlock()
	n.up()
}

func (n *Node) up() { n.turn.Store(n.turn.Load() | 1) }

func (n *Node) down() {
	if n.Up() {
		n.turn.Add(1)
	}
}
