package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"holdfast/internal/programtest"
)

// network is a set of network namespaces, one a node. Each has two links: one to a bridge that the test is on, too, so that callers always reach the
// node, and one to a bridge for peers, which the test cuts. All of it is named after the test's process, and a letter, and goes with the test.
type network struct {
	t     *testing.T
	ip    string // the program
	name  string // of all that is made here begins with this
	net   int    // third byte of the addresses
	nodes int
}

// The networks for tests between devices (RFC 2544): callers and nodes in the first half, peers in the second. Nobody routes them.
const (
	callersNet = "198.18"
	peersNet   = "198.19"
	// nowhere is a hardware address that nothing has.
	nowhere = "02:00:00:00:fe:fe"
)

// networks numbers the networks of this process; held while one is made, because each looks for addresses that are free.
var networks struct {
	sync.Mutex
	made int
}

func newNetwork(t *testing.T, nodes int) *network {
	t.Helper()
	networks.Lock()
	defer networks.Unlock()
	networks.made++
	ip := programtest.Find(t, "ip", "iproute2")
	if os.Geteuid() != 0 {
		t.Skip("skipped: network namespaces need root")
	}
	w := &network{t: t, ip: ip, name: fmt.Sprintf("hf%d%c", os.Getpid(), 'f'+networks.made%16), nodes: nodes}
	if out, err := exec.CommandContext(t.Context(), ip, "netns", "add", w.name+"try").CombinedOutput(); err != nil {
		programtest.Missing(t, fmt.Sprintf("this machine gives no network namespaces: %v: %s", err, out))
	}
	w.try("netns", "del", w.name+"try")
	t.Cleanup(w.remove)
	w.net = w.free()
	for _, bridge := range []string{"c", "p", "q"} {
		w.do("link", "add", w.name+bridge, "type", "bridge")
		w.do("link", "set", w.name+bridge, "up")
	}
	w.do("addr", "add", fmt.Sprintf("%s.%d.1/24", callersNet, w.net), "dev", w.name+"c")
	for i := range nodes {
		w.do("netns", "add", w.space(i))
		w.within(i, "link", "set", "lo", "up")
		w.link(i, "c", callersNet)
		w.link(i, "p", peersNet)
	}
	return w
}

// free returns a third byte under which this machine has no address.
func (w *network) free() int {
	taken := w.do("-o", "-4", "addr", "show")
	for i := range 256 {
		if n := (os.Getpid() + i) % 256; !strings.Contains(taken, fmt.Sprintf(" %s.%d.", callersNet, n)) {
			return n
		}
	}
	w.t.Fatal("every network is taken")
	return 0
}

// link gives a node a link to a bridge.
func (w *network) link(i int, bridge, net string) {
	w.t.Helper()
	w.do("link", "add", w.port(i, bridge), "type", "veth", "peer", "name", bridge+"0", "netns", w.space(i))
	w.do("link", "set", w.port(i, bridge), "master", w.name+bridge, "up")
	w.within(i, "addr", "add", fmt.Sprintf("%s.%d.%d/24", net, w.net, 10+i), "dev", bridge+"0")
	w.within(i, "link", "set", bridge+"0", "up")
}

func (w *network) space(i int) string               { return fmt.Sprintf("%sn%d", w.name, i) }
func (w *network) port(i int, bridge string) string { return fmt.Sprintf("%s%s%d", w.name, bridge, i) }
func (w *network) peer(i int) string                { return fmt.Sprintf("%s.%d.%d", peersNet, w.net, 10+i) }

// addrs are the public, admin and peer address of a node.
func (w *network) addrs(i int) [3]string {
	callers := fmt.Sprintf("%s.%d.%d", callersNet, w.net, 10+i)
	return [3]string{callers + ":8080", callers + ":8081", w.peer(i) + ":8082"}
}

// prefix is what stands before the program of a node.
func (w *network) prefix(i int) []string { return []string{w.ip, "netns", "exec", w.space(i)} }

// apart puts some nodes on a bridge of their own: they hear one another, and none of the rest.
func (w *network) apart(nodes ...int) {
	w.t.Helper()
	for _, i := range nodes {
		w.do("link", "set", w.port(i, "p"), "master", w.name+"q")
	}
}

// deafen has what the others send to a node get lost: it sends, and hears nothing.
func (w *network) deafen(i int) {
	w.t.Helper()
	for other := range w.nodes {
		if other != i {
			w.lose(other, i)
		}
	}
}

// silence has what a node sends to the others get lost: it hears, and is not heard.
func (w *network) silence(i int) {
	w.t.Helper()
	for other := range w.nodes {
		if other != i {
			w.lose(i, other)
		}
	}
}

// lose has what one node sends to another go to a hardware address that nobody has.
func (w *network) lose(from, to int) {
	w.t.Helper()
	w.within(from, "neigh", "replace", w.peer(to), "lladdr", nowhere, "dev", "p0", "nud", "permanent")
}

// heal ends all cuts.
func (w *network) heal() {
	w.t.Helper()
	for i := range w.nodes {
		w.do("link", "set", w.port(i, "p"), "master", w.name+"p")
		for _, line := range strings.Split(w.within(i, "neigh", "show", "dev", "p0"), "\n") {
			if address, _, _ := strings.Cut(line, " "); strings.Contains(line, nowhere) {
				w.within(i, "neigh", "del", address, "dev", "p0")
			}
		}
	}
}

func (w *network) within(i int, args ...string) string {
	w.t.Helper()
	return w.do(append([]string{"-n", w.space(i)}, args...)...)
}

func (w *network) do(args ...string) string {
	w.t.Helper()
	out, err := w.try(args...)
	if err != nil {
		w.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

func (w *network) try(args ...string) (string, error) {
	var out bytes.Buffer
	cmd := exec.Command(w.ip, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// remove takes away all that may have been made; a link goes with its end in a namespace, at the latest with that.
func (w *network) remove() {
	for i := range w.nodes {
		for _, bridge := range []string{"c", "p"} {
			_, _ = w.try("link", "del", w.port(i, bridge))
		}
		_, _ = w.try("netns", "del", w.space(i))
	}
	for _, bridge := range []string{"c", "p", "q"} {
		_, _ = w.try("link", "del", w.name+bridge)
	}
	left, err := w.try("-o", "link", "show")
	spaces, err2 := w.try("netns", "list")
	if err != nil || err2 != nil || strings.Contains(left+spaces, w.name) {
		w.t.Errorf("something is left of the network: %v %v\n%s%s", err, err2, left, spaces)
	}
}
