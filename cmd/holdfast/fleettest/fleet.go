package fleettest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/api/client"
	"holdfast/cmd/holdfast/child"
)

// hashEvery is how often replicas compare their states, so that an audit need not wait for long.
const hashEvery = "500ms"

// startTimeout is how long a node may take until it is ready.
const startTimeout = 60 * time.Second

// Fleet is a cluster of processes. Its methods are for the goroutine of the test.
type Fleet struct {
	t       testing.TB
	opts    Options
	program string
	dir     string
	nodes   []*Node
	ledger  *Ledger
}

// Start starts a cluster: the first node creates it, the others join. All are ready when it returns; AwaitSettled waits for their replicas.
func Start(t testing.TB, o Options) *Fleet {
	t.Helper()
	f := &Fleet{t: t, opts: o.withDefaults(), program: program(t), dir: t.TempDir(), ledger: newLedger()}
	t.Cleanup(f.end)
	for range f.opts.Nodes {
		f.prepare()
	}
	if err := f.nodes[0].start(); err != nil {
		t.Fatal(err)
	}
	f.StartAll(f.nodes[1:])
	return f
}

// StartAll starts nodes that are down, all at once, with the command lines they always have.
func (f *Fleet) StartAll(nodes []*Node) {
	f.t.Helper()
	failed := make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() { failed[i] = n.start() })
	}
	wg.Wait()
	if err := errors.Join(failed...); err != nil {
		f.t.Fatal(err)
	}
}

// Add prepares one node more, that joins the others when it is started with Restart, and returns it. Its args come after those of all
// nodes.
func (f *Fleet) Add(args ...string) *Node {
	f.t.Helper()
	n := f.prepare()
	n.args = append(n.args, args...)
	return n
}

// Node returns a node, from 0.
func (f *Fleet) Node(i int) *Node { return f.nodes[i] }

// Nodes returns all nodes, those that are down too.
func (f *Fleet) Nodes() []*Node { return f.nodes }

// Named returns the node with that id, nil when there is none.
func (f *Fleet) Named(id string) *Node {
	for _, n := range f.nodes {
		if n.ID == id {
			return n
		}
	}
	return nil
}

// Live returns the nodes that are neither down nor paused.
func (f *Fleet) Live() (live []*Node) {
	for _, n := range f.nodes {
		if n.Up() {
			live = append(live, n)
		}
	}
	return live
}

// Ledger is what the crowds of this fleet were told.
func (f *Fleet) Ledger() *Ledger { return f.ledger }

// prepare gives a node its name, directory, addresses and command line.
func (f *Fleet) prepare() *Node {
	f.t.Helper()
	i := len(f.nodes)
	n := &Node{ID: fmt.Sprintf("n%d", i+1), Index: i, fleet: f}
	n.dir = filepath.Join(f.dir, n.ID)
	if f.opts.DirOf != nil {
		n.dir = f.opts.DirOf(i)
	}
	if f.opts.AddrsOf != nil {
		n.addrs = f.opts.AddrsOf(i)
	} else {
		free, err := child.FreeAddrs(3)
		if err != nil {
			f.t.Fatal(err)
		}
		copy(n.addrs[:], free)
	}
	var err error
	cfg := client.Config{Addr: n.addrs[0], AdminAddr: n.addrs[1], HTTP: f.opts.HTTP(i)}
	if n.Client, err = client.New(cfg); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(n.Client.Close)
	n.Patient = n.Client.Retrying(client.Policy{Backoff: 5 * time.Millisecond, MaxBackoff: 100 * time.Millisecond})
	n.args = append(n.args, "serve", "--node-id", n.ID, "--data-dir", n.dir, "--http", n.addrs[0], "--admin", n.addrs[1], "--peer", n.addrs[2],
		"--shards", fmt.Sprint(f.opts.Shards), "--hash-every", hashEvery)
	if i > 0 {
		n.args = append(n.args, "--join", strings.Join(f.peers(), ","))
	}
	n.args = append(append(n.args, f.opts.Args...), f.opts.ArgsOf(i)...)
	f.nodes = append(f.nodes, n)
	return n
}

func (f *Fleet) peers() (all []string) {
	for _, n := range f.nodes {
		all = append(all, n.addrs[2])
	}
	return all
}

// end kills what runs, and shows the logs of a test that failed.
func (f *Fleet) end() {
	for _, n := range f.nodes {
		n.Kill()
		if f.t.Failed() {
			f.t.Logf("the last of the log of %s:\n%s", n.ID, lastLines(n.Log(), 60))
		}
	}
}

func lastLines(text string, max int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[len(lines)-min(max, len(lines)):], "\n")
}

// start runs a node that is down and returns when it is ready.
func (n *Node) start() error {
	ctx, cancel := context.WithTimeout(n.fleet.t.Context(), startTimeout)
	defer cancel()
	process, err := n.run(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", n.ID, err)
	}
	n.set(process)
	return nil
}

// run starts a process; when the context ends before it is ready it is killed.
func (n *Node) run(ctx context.Context) (*child.Node, error) {
	line := append(append([]string{}, n.fleet.opts.Prefix(n.Index)...), n.fleet.program)
	return child.Start(ctx, line[0], append(line[1:], n.args...), appender(n.logPath()))
}

// appender adds what is written to a file, which it opens for each write: a process is outlived by nobody who could close it.
type appender string

// Write never fails: a node must not feel that nobody reads its log.
func (a appender) Write(p []byte) (int, error) {
	f, err := os.OpenFile(string(a), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, _ = f.Write(p)
		_ = f.Close()
	}
	return len(p), nil
}
