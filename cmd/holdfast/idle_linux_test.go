package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast/api/client"
	"holdfast/cmd/holdfast/child"
)

var (
	idlers   = flag.Int("idle", 500, "how many idle connections TestIdleConnections opens; 20000 for acceptance")
	idlePace = flag.Duration("idle-phase", time.Second, "how long TestIdleConnections measures buyers at a time")
)

const (
	slowBodies = 100
	buyers     = 8
	// buyersPerSecond is little: it is the connections that are measured, not the disk.
	buyersPerSecond = 200
	// maxIdleBytes bounds the memory of the node per idle connection: two buffers of 4 KiB, a goroutine with its stack, and what belongs to them.
	maxIdleBytes = 40 << 10
)

// Thousands of connections that do nothing and a hundred slow bodies leave the buyers alone: each is answered, nothing is executed twice, an idle
// connection takes a bounded memory. How long buyers wait is printed and no verdict: all run on one machine.
func TestIdleConnections(t *testing.T) {
	n := *idlers
	needFiles(t, uint64(n)+400)
	node := launch(t, filepath.Join(t.TempDir(), "node"), "--max-conns", strconv.Itoa(n+1000), "--sink", "none", "--log-level", "warn")
	if _, err := clientOf(t, node).CreateSKU(t.Context(), client.SKUSpec{SKU: "shoe", Stock: 1_000_000, Hot: true}); err != nil {
		t.Fatal(err)
	}
	crowd := newCrowd(t, node)
	crowd.buy("warm")
	quiet := crowd.buy("quiet")
	before := gauge(t, node, "process_resident_memory_bytes")
	closeIdle := openIdle(t, node.Ready.HTTP, n)
	defer closeIdle()
	perConn := (gauge(t, node, "process_resident_memory_bytes") - before) / float64(n)
	stopSlow := openSlow(t, node.Ready.HTTP)
	beset := crowd.buy("beset")
	stopSlow()
	if open := gauge(t, node, `holdfast_api_connections{listener="public"}`); open < float64(n) {
		t.Errorf("only %v connections are open", open)
	}
	if perConn > maxIdleBytes+detectorBytes/float64(n) {
		t.Errorf("an idle connection takes %.0f bytes", perConn)
	}
	if gauge(t, node, `holdfast_api_problems_total{code="body_timeout"}`) == 0 {
		t.Error("no slow body was ended")
	}
	closeIdle()
	quietAgain := crowd.buy("after")
	crowd.compare()
	t.Logf("%d idle connections, %d slow bodies: %.1f KiB an idle connection; buyers' p50 %v, quiet %v and %v; p99 %v, quiet %v and %v", n, slowBodies,
		perConn/1024, at(beset, 50), at(quiet, 50), at(quietAgain, 50), at(beset, 99), at(quiet, 99), at(quietAgain, 99))
}

// needFiles raises the limit of open files of this process and its children.
func needFiles(t *testing.T, n uint64) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur, limit.Max = max(limit.Cur, n), max(limit.Max, n)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Skipf("skipped: %d open files are not allowed here: %v", n, err)
	}
}

// crowd are buyers at a steady rate.
type crowd struct {
	t      *testing.T
	node   *child.Node
	client *client.Client
	placed int
}

func newCrowd(t *testing.T, node *child.Node) *crowd {
	return &crowd{t: t, node: node, client: clientOf(t, node)}
}

// buy places orders for a phase and returns how long each took, from when it should have been sent.
func (c *crowd) buy(name string) []time.Duration {
	c.t.Helper()
	total := int(idlePace.Seconds() * buyersPerSecond)
	took := make([]time.Duration, total)
	var next atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range buyers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < total; i = int(next.Add(1)) - 1 {
				due := began.Add(time.Duration(i) * time.Second / buyersPerSecond)
				<-time.After(time.Until(due))
				key := fmt.Sprint(name, "-", i)
				if _, err := c.client.PlaceOrder(context.Background(), key, client.NewOrder{SKU: "shoe", User: key}); err != nil {
					c.t.Errorf("order %s: %v", key, err)
				}
				took[i] = time.Since(due)
			}
		})
	}
	wg.Wait()
	c.placed += total
	return took
}

// compare checks that what is held is what was placed.
func (c *crowd) compare() {
	c.t.Helper()
	if s, err := c.client.SKU(c.t.Context(), "shoe"); err != nil || s.Held != int64(c.placed) {
		c.t.Errorf("%d orders were placed: %+v %v", c.placed, s, err)
	}
}

// at returns a percentile.
func at(took []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[(len(sorted)-1)*percent/100]
}

// gauge reads one sample of the node's metrics.
func gauge(t *testing.T, n *child.Node, name string) float64 {
	t.Helper()
	resp, err := http.Get("http://" + n.Ready.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			v, err := strconv.ParseFloat(rest, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// dialFrom connects from the i-th of several loopback addresses: one of them has no more than 28,000 ports.
func dialFrom(addr string, i int) (net.Conn, error) {
	from := net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%8))}
	dialer := net.Dialer{LocalAddr: &from, Timeout: 20 * time.Second}
	return dialer.Dial("tcp", addr)
}

// openIdle opens connections that make one request each and no second.
func openIdle(t *testing.T, addr string, n int) (closeAll func()) {
	t.Helper()
	conns := make([]net.Conn, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			buf := make([]byte, 1024)
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				c, err := dialFrom(addr, i)
				if err == nil {
					conns[i] = c
					_, err = io.WriteString(c, "GET /livez HTTP/1.1\r\nHost: h\r\n\r\n")
				}
				if err == nil {
					_, err = c.Read(buf)
				}
				if err != nil || !strings.HasPrefix(string(buf), "HTTP/1.1 200") {
					t.Errorf("connection %d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	return func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close()
			}
		}
	}
}

// openSlow keeps bodies coming at a byte a second: whoever is hung up on comes again.
func openSlow(t *testing.T, addr string) (stop func()) {
	t.Helper()
	quit := make(chan struct{})
	var wg sync.WaitGroup
	for i := range slowBodies {
		wg.Go(func() {
			for slowBody(addr, i, quit) {
			}
		})
	}
	// The first are to be under way for as long as a body may take.
	select {
	case <-time.After(5500 * time.Millisecond):
	case <-t.Context().Done():
	}
	return func() {
		close(quit)
		wg.Wait()
	}
}

// slowBody sends one body until the node has enough of it, and reports whether to come again.
func slowBody(addr string, i int, quit <-chan struct{}) bool {
	c, err := dialFrom(addr, i)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	head := "POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nIdempotency-Key: slow\r\nContent-Length: 1000\r\n\r\n{"
	if _, err := io.WriteString(c, head); err != nil {
		return true
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-quit:
			return false
		case <-tick.C:
		}
		if _, err := io.WriteString(c, " "); err != nil {
			return true
		}
	}
}

// Those who only wait do not lock out those who buy: with all places taken by idlers every buyer gets in, on a connection of its own.
func TestIdlersGiveWay(t *testing.T) {
	const places = 64
	node := launch(t, filepath.Join(t.TempDir(), "node"), "--max-conns", strconv.Itoa(places), "--sink", "none")
	if _, err := clientOf(t, node).CreateSKU(t.Context(), client.SKUSpec{SKU: "shoe", Stock: 1000}); err != nil {
		t.Fatal(err)
	}
	defer openIdle(t, node.Ready.HTTP, places)()
	<-time.After(1200 * time.Millisecond) // they have waited long enough to give way
	for i := range places / 2 {
		key := fmt.Sprint("k", i)
		c := clientOf(t, node)
		if _, err := c.PlaceOrder(t.Context(), key, client.NewOrder{SKU: "shoe", User: key}); err != nil {
			t.Fatalf("buyer %d: %v", i, err)
		}
	}
	if got := gauge(t, node, `holdfast_api_connections_ended_total{listener="public",reason="evicted"}`); got < places/2 {
		t.Errorf("%v idlers gave way", got)
	}
}
