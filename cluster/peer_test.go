package cluster

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"
)

// testPort opens a peer port by itself.
func testPort(t *testing.T, n *memNet, name string, change ...func(*Config)) *peerPort {
	t.Helper()
	cfg := Config{
		NodeID: name, ClusterID: testCluster, Dir: "/", Listener: n.listen(name), Dial: n.reach,
		Groups: func(uint32) GroupLog { return nil }, NewMachine: func(*Shard) (Machine, error) { return nil, nil },
	}
	for _, f := range change {
		f(&cfg)
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	p := newPeerPort(&cfg, newMetrics())
	t.Cleanup(func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func testStream(t *testing.T, p *peerPort, shard uint32) *stream {
	t.Helper()
	s, err := p.listen(streamKey{kind: streamRaft, shard: shard})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// value returns what a gauge or counter stands at.
func value(c prometheus.Collector) float64 {
	r := prometheus.NewRegistry()
	r.MustRegister(c)
	families, err := r.Gather()
	if err != nil || len(families) != 1 {
		panic(err)
	}
	m := families[0].GetMetric()[0]
	return m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

func drops(p *peerPort, v verdict) float64 {
	return value(p.metrics.peerDrops.WithLabelValues(v.String()))
}

func TestStreamsReachTheShardTheyName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		a, b := testPort(t, n, "a"), testPort(t, n, "b")
		from, to, other := testStream(t, a, 7), testStream(t, b, 7), testStream(t, b, 8)
		conn, err := from.Dial("b", time.Second)
		if err != nil {
			t.Fatal(err)
		}
		got, err := to.Accept()
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = conn.Write([]byte("hello")) }()
		buf := make([]byte, 5)
		if _, err := io.ReadFull(got, buf); err != nil || string(buf) != "hello" {
			t.Errorf("read %q, %v", buf, err)
		}
		if len(other.incoming) != 0 {
			t.Error("another shard got the connection")
		}
		if n := value(b.metrics.peerConns); n != 1 {
			t.Errorf("%v connections", n)
		}
		_ = to.Close()
		if _, err := got.Read(buf); err == nil {
			t.Error("the connection outlives its stream")
		}
		if _, err := to.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept after Close: %v", err)
		}
		if n := value(b.metrics.peerConns); n != 0 {
			t.Errorf("%v connections after Close", n)
		}
		if _, err := from.Dial("b", time.Second); !errors.Is(err, ErrPeerRefused) || !strings.Contains(err.Error(), "stream") {
			t.Errorf("dial to a closed stream: %v", err)
		}
	})
}

func TestWhoDoesNotBelongIsDroppedAndCounted(t *testing.T) {
	garbage := make([]byte, 4096)
	_, _ = rand.Read(garbage)
	garbage[0] = 'X'
	good := peerHead{key: streamKey{kind: streamRaft, shard: 1}, cluster: testCluster, node: "a"}
	with := func(change func(b []byte) []byte) []byte { return change(good.append(nil)) }
	foreign, unknown, rpc, nameless := good, good, good, good
	foreign.cluster[0]++
	unknown.key.shard = 99
	rpc.key = streamKey{kind: streamRPC}
	nameless.node = ""
	for _, tc := range []struct {
		name   string
		sent   []byte
		want   verdict
		answer []byte // what comes back before the connection closes
	}{
		{"random bytes", garbage, verdictMagic, nil},
		{"an HTTP request", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), verdictMagic, nil},
		{"nothing", nil, verdictIncomplete, nil},
		{"half a head", good.append(nil)[:20], verdictIncomplete, nil},
		{"another version", with(func(b []byte) []byte { b[4]++; return b }), verdictVersion, []byte{byte(verdictVersion)}},
		{"a flipped bit in the shard", with(func(b []byte) []byte { b[24] ^= 1; return b }), verdictMalformed, nil},
		{"a flipped bit in the name", with(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), verdictMalformed, nil},
		{"no name", nameless.append(nil), verdictMalformed, nil},
		{"another cluster", foreign.append(nil), verdictCluster, []byte{byte(verdictCluster)}},
		{"an unknown shard", unknown.append(nil), verdictStream, []byte{byte(verdictStream)}},
		{"a kind that nobody serves", rpc.append(nil), verdictStream, []byte{byte(verdictStream)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newMemNet()
				p := testPort(t, n, "b")
				s := testStream(t, p, 1)
				conn, err := n.dial("b", time.Second)
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				go func() { _, _ = conn.Write(tc.sent) }()
				answer, _ := io.ReadAll(conn)
				if !bytes.Equal(answer, tc.answer) {
					t.Errorf("answered %v", answer)
				}
				if took := time.Since(start); took > p.cfg.HandshakeTimeout {
					t.Errorf("dropped after %v", took)
				}
				synctest.Wait()
				if drops(p, tc.want) != 1 || len(s.incoming) != 0 {
					t.Errorf("%v dropped as %v, %d passed on", drops(p, tc.want), tc.want, len(s.incoming))
				}
				_ = conn.Close()
			})
		})
	}
}

func TestPeerConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		a, b := testPort(t, n, "a"), testPort(t, n, "b", func(c *Config) { c.MaxPeerConns = 2 })
		from, to := testStream(t, a, 1), testStream(t, b, 1)
		first, err := from.Dial("b", time.Second)
		if err != nil {
			t.Fatal(err)
		}
		silent, err := n.dial("b", time.Second) // Handshakes count too.
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, err := from.Dial("b", time.Second); err == nil {
			t.Error("a third connection was taken")
		}
		if drops(b, verdictLimit) != 1 {
			t.Errorf("%v dropped", drops(b, verdictLimit))
		}
		_, _ = silent.Close(), first.Close()
		accepted, _ := to.Accept()
		_ = accepted.Close()
		synctest.Wait()
		if _, err := from.Dial("b", time.Second); err != nil {
			t.Errorf("after both closed: %v", err)
		}
	})
}

// peers are raft transports of two nodes over their peer ports.
func peers(t *testing.T, change ...func(*Config)) (client, server *transport, port *peerPort) {
	t.Helper()
	n := newMemNet()
	a, b := testPort(t, n, "a", change...), testPort(t, n, "b", change...)
	client = newTransport(testStream(t, a, 1), a.cfg, newRaftLogger(discard))
	server = newTransport(testStream(t, b, 1), b.cfg, newRaftLogger(discard))
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return client, server, b
}

// answer answers what comes to a transport's consumer, and hands it on.
func answer(t *testing.T, tr raft.Transport) <-chan raft.RPC {
	t.Helper()
	seen := make(chan raft.RPC, 100)
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	go func() {
		for {
			select {
			case rpc := <-tr.Consumer():
				var resp any = &raft.AppendEntriesResponse{RPCHeader: fromB, Success: true}
				switch rpc.Command.(type) {
				case *raft.RequestPreVoteRequest:
					resp = &raft.RequestPreVoteResponse{RPCHeader: fromB, Granted: true}
				case *raft.InstallSnapshotRequest:
					n, _ := io.Copy(io.Discard, rpc.Reader)
					resp = &raft.InstallSnapshotResponse{Success: n == rpc.Command.(*raft.InstallSnapshotRequest).Size}
				}
				rpc.Respond(resp, nil)
				seen <- rpc
			case <-done:
				return
			}
		}
	}()
	return seen
}

// fromB stands in what b answers.
var fromB = raft.RPCHeader{ProtocolVersion: 3, ID: []byte("b")}

var heartbeat = &raft.AppendEntriesRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: 3, ID: []byte("a"), Addr: []byte("a")}, Term: 2}

// raft#695: heartbeats beside the main goroutine can take a node's term back after it voted in a higher one.
func TestHeartbeatsGoThroughTheConsumer(t *testing.T) {
	for _, guarded := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			client, server, _ := peers(t)
			var tr raft.Transport = server
			if !guarded {
				tr = server.NetworkTransport // What our wrapper wraps: it must take the fast path, or this test proves nothing.
			}
			fast := make(chan raft.RPC, 1)
			tr.SetHeartbeatHandler(func(rpc raft.RPC) {
				rpc.Respond(&raft.AppendEntriesResponse{RPCHeader: fromB}, nil)
				fast <- rpc
			})
			seen := answer(t, tr)
			var resp raft.AppendEntriesResponse
			if err := client.AppendEntries("b", "b", heartbeat, &resp); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if guarded && (len(fast) != 0 || len(seen) != 1) || !guarded && (len(fast) != 1 || len(seen) != 0) {
				t.Errorf("guarded %v: %d on the fast path, %d through the consumer", guarded, len(fast), len(seen))
			}
		})
	}
}

func TestThereIsNoPipelining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _, _ := peers(t)
		if _, err := client.AppendEntriesPipeline("b", "b"); !errors.Is(err, raft.ErrPipelineReplicationNotSupported) {
			t.Errorf("a pipeline: %v", err)
		}
	})
}

func TestPreVoteIsSupported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, _ := peers(t)
		answer(t, server)
		var resp raft.RequestPreVoteResponse
		if err := client.RequestPreVote("b", "b", &raft.RequestPreVoteRequest{Term: 3}, &resp); err != nil || !resp.Granted {
			t.Errorf("%+v, %v", resp, err)
		}
	})
}

// A lagging follower gets 64 entries of the largest size in one message; if that did not pass, it would never catch up (rule R21).
func TestTheLargestAppendPassesAndAnythingAboveTheLimitDoesNot(t *testing.T) {
	entries := func(n, size int) *raft.AppendEntriesRequest {
		req := *heartbeat
		for i := range n {
			req.Entries = append(req.Entries, &raft.Log{Index: uint64(i + 1), Term: 2, Data: make([]byte, size)})
		}
		return &req
	}
	synctest.Test(t, func(t *testing.T) {
		// The defaults, divided by 32.
		client, server, port := peers(t, func(c *Config) { c.MaxEntryBytes, c.FrameBytes = 8<<10, 1<<20 })
		seen := answer(t, server)
		var resp raft.AppendEntriesResponse
		for range 3 { // The bound is on one message, not on the connection.
			if err := client.AppendEntries("b", "b", entries(maxAppendEntries, port.cfg.MaxEntryBytes), &resp); err != nil || !resp.Success {
				t.Fatalf("the largest append: %+v, %v", resp, err)
			}
		}
		if err := client.AppendEntries("b", "b", entries(1, int(port.cfg.FrameBytes)), &resp); err == nil {
			t.Error("a message above the limit was answered")
		}
		if drops(port, verdictFrame) != 1 || len(seen) != 3 {
			t.Errorf("%v dropped, %d seen", drops(port, verdictFrame), len(seen))
		}
	})
	cfg := newRig(t).config(func(c *Config) { c.MaxEntryBytes, c.FrameBytes = 1<<20, 64<<20 })
	if _, err := cfg.withDefaults(); !errors.Is(err, ErrConfig) {
		t.Errorf("a frame limit that the largest append does not fit: %v", err)
	}
}

func TestASnapshotIsNotBoundByTheFrameLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, port := peers(t, func(c *Config) { c.MaxEntryBytes, c.FrameBytes = 1<<10, 65<<10 })
		answer(t, server)
		size := 10 * port.cfg.FrameBytes
		req := &raft.InstallSnapshotRequest{RPCHeader: heartbeat.RPCHeader, SnapshotVersion: 1, Term: 2, Size: size}
		var resp raft.InstallSnapshotResponse
		if err := client.InstallSnapshot("b", "b", req, &resp, bytes.NewReader(make([]byte, size))); err != nil || !resp.Success {
			t.Errorf("%+v, %v", resp, err)
		}
	})
}

func FuzzPeerHead(f *testing.F) {
	good := peerHead{key: streamKey{kind: streamRaft, shard: 1}, cluster: testCluster, node: "node-a"}
	f.Add(good.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, v := readPeerHead(bytes.NewReader(b), testCluster)
		if v == verdictAccepted && !bytes.HasPrefix(b, h.append(nil)) {
			t.Errorf("%x is read as %+v", b, h)
		}
	})
}
