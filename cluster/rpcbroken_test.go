package cluster

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// A whole node asks and answers, and what is under way when it closes is unknown.
func TestRequestsOfAWholeNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		c := g.open(func(c *Config) { c.ClusterID = testCluster })
		other := testPeers(t, testPort(t, g.net, "a"))
		serveAll(c.Peers())
		serveAll(other)
		if err := errors.Join(ask(t, other, "n1", "n1", kindEcho), ask(t, c.Peers(), "a", "a", kindEcho), c.ReloadIdentity()); err != nil {
			t.Error(err)
		}
		results := make(chan error, 2)
		go func() { results <- ask(t, other, "n1", "n1", kindHold) }()
		go func() { results <- ask(t, c.Peers(), "a", "a", kindHold) }()
		synctest.Wait()
		g.close()
		for range 2 {
			if err := <-results; !isUnknown(err) {
				t.Error(err)
			}
		}
		if err := ask(t, c.Peers(), "a", "a", kindEcho); !errors.Is(err, ErrNotSent) || !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// A frame that never ends, a request that comes twice, a frame of the wrong way, a ping with a body: the connection goes, and nothing else.
func TestBrokenFramesEndTheirConnectionAlone(t *testing.T) {
	request := (&rpcFrame{typ: frameRequest, kind: uint16(kindHold), id: 1, left: time.Minute, body: []byte("x")}).append(nil)
	flipped, other := bytes.Clone(request), bytes.Clone(request)
	flipped[len(flipped)-1] ^= 1
	other[8]++
	for name, row := range map[string]struct {
		sent []byte
		want verdict
	}{
		"half a frame":    {request[:len(request)-1], verdictSilent},
		"nothing":         {nil, verdictSilent},
		"twice":           {append(bytes.Clone(request), request...), verdictFrame},
		"a flipped bit":   {flipped, verdictFrame},
		"another version": {other, verdictFrame},
		"an answer":       {(&rpcFrame{typ: frameAnswer}).append(nil), verdictFrame},
		"a ping's body":   {(&rpcFrame{typ: framePing, body: []byte("x")}).append(nil), verdictFrame},
		"an unknown type": {(&rpcFrame{typ: 9}).append(nil), verdictFrame},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b, _ := pairOfPeers(t)
				_, held := serveAll(b)
				if err := ask(t, a, "b", "b", kindEcho); err != nil {
					t.Fatal(err)
				}
				conn, err := a.stream.dial("b b", time.Second)
				if err != nil {
					t.Fatal(err)
				}
				go func() { _, _ = conn.Write(row.sent) }()
				_, _ = io.Copy(io.Discard, conn)
				synctest.Wait()
				if drops(b.stream.port, row.want) != 1 || held.Load() != 0 || b.budget.left != b.cfg.MaxRPCBytes {
					t.Errorf("%v dropped, %d held, %d bytes left", drops(b.stream.port, row.want), held.Load(), b.budget.left)
				}
				if err := ask(t, a, "b", "b", kindEcho); err != nil || value(a.metrics.rpcDialFailed) != 0 || value(a.metrics.rpcConns) != 1 {
					t.Errorf("the other connection: %v", err)
				}
			})
		})
	}
}

func TestStrangersAtAPortWithCertificates(t *testing.T) {
	for _, row := range []struct {
		name string
		sent string
		want verdict
	}{
		{"nothing", "", verdictIncomplete},
		{"the beginning of a handshake", "\x16\x03\x01\x02\x00\x01", verdictIncomplete},
		{"a request of HTTP", "GET / HTTP/1.1\r\n\r\n", verdictTLS},
		{"our own magic in plain", "HFPP\x02\x01\x01\x00", verdictTLS},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ids, _ := identities(t, "b")
				n := newMemNet()
				b := testPort(t, n, "b", func(c *Config) { c.Identity = ids[0] })
				conn, err := n.dial("b", time.Second)
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				go func() { _, _ = conn.Write([]byte(row.sent)) }()
				_, _ = io.Copy(io.Discard, conn)
				synctest.Wait()
				if took := time.Since(start); drops(b, row.want) != 1 || took > b.cfg.HandshakeTimeout+time.Second || value(b.metrics.peerConns) != 0 {
					t.Errorf("%v dropped after %v, %v left", drops(b, row.want), took, value(b.metrics.peerConns))
				}
				_ = conn.Close()
			})
		})
	}
}
