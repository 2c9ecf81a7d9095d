package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/cluster/peercert"
)

// identities makes certificates of one authority.
func identities(t testing.TB, nodes ...string) (ids []*peercert.Identity, made *peercert.Made) {
	t.Helper()
	made, err := peercert.Make(peercert.Request{Dir: t.TempDir(), Nodes: nodes, Days: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range made.Nodes {
		id, err := peercert.Load(n.Node, n.Cert, n.Key, made.CA)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids, made
}

// tlsPorts are nodes with certificates over loopback sockets.
func tlsPorts(t *testing.T, nodes ...string) (ports []*peerPort) {
	t.Helper()
	ids, _ := identities(t, nodes...)
	for i, node := range nodes {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, testPort(t, newMemNet(), node, func(c *Config) {
			c.Listener, c.Dial, c.Identity = listener, nil, ids[i]
		}))
	}
	return ports
}

func benchPeers(b *testing.B) (from *Peers, address string) {
	var made []*Peers
	for _, node := range []string{"a", "b"} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		cfg, err := Config{
			NodeID: node, Dir: "/", Listener: listener, Groups: func(uint32) GroupLog { return nil },
			NewMachine: func(*Shard) (Machine, error) { return nil, nil },
		}.withDefaults()
		if err != nil {
			b.Fatal(err)
		}
		port := newPeerPort(&cfg, newMetrics())
		p, err := newPeers(port)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { p.close(); _ = port.close() })
		made, address = append(made, p), cfg.Advertise
	}
	made[1].Handle(kindEcho, handlerFunc(func(_ context.Context, r Request) ([]byte, error) { return r.Body, nil }))
	return made[0], address
}

// lines is a log that can be looked at.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// goodAndBad are certificates of node a, of a stranger and an expired one of that name, and of node b.
func goodAndBad(t *testing.T) (ids []*peercert.Identity) {
	t.Helper()
	dir := t.TempDir()
	for i, r := range []peercert.Request{
		{Dir: dir, Nodes: []string{"a"}, Days: 2}, {Dir: t.TempDir(), Nodes: []string{"a"}, Days: 1},
		{Dir: dir, Nodes: []string{"a"}, Days: 1, Now: time.Now().Add(-25 * time.Hour)}, {Dir: dir, Nodes: []string{"b"}, Days: 2},
	} {
		if cert, key := peercert.Paths(dir, "a"); i == 2 { // The first is loaded, its files make room for the third.
			_, _ = os.Remove(cert), os.Remove(key)
		}
		made, err := peercert.Make(r)
		if err != nil {
			t.Fatal(err)
		}
		id, err := peercert.Load(made.Nodes[0].Node, made.Nodes[0].Cert, made.Nodes[0].Key, made.CA)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// Who meets whom: what the dialer is told, and what the port counts and writes down.
func TestWhoIsLetInWithCertificates(t *testing.T) {
	type end struct {
		node    string
		id      *peercert.Identity
		cluster [16]byte
	}
	for _, row := range []struct {
		name    string
		dialer  func(a, stranger, expired, b *peercert.Identity) end
		want    string
		says    string // the dialer; "" when it is let in
		counted verdict
		written string
	}{
		{"a node of the cluster", func(a, _, _, _ *peercert.Identity) end { return end{"a", a, testCluster} }, "b", "", 0, ""},
		{"any node is wanted", func(a, _, _, _ *peercert.Identity) end { return end{"a", a, testCluster} }, "", "", 0, ""},
		{"another node is wanted", func(a, _, _, _ *peercert.Identity) end { return end{"a", a, testCluster} }, "c",
			"wanted node c, met one of node b", verdictTLS, "error"},
		{"a claim that the certificate does not bear out", func(a, _, _, _ *peercert.Identity) end { return end{"c", a, testCluster} }, "b",
			"does not name its --node-id", verdictIdentity, "claims_to_be=c error=\"its certificate is that of a\""},
		{"another authority", func(_, s, _, _ *peercert.Identity) end { return end{"a", s, testCluster} }, "b",
			"none of --peer-ca", verdictTLS, "--peer-ca differs"},
		{"an expired certificate", func(_, _, e, _ *peercert.Identity) end { return end{"a", e, testCluster} }, "b",
			"may have expired", verdictTLS, "expired on"},
		{"no TLS", func(_, _, _, _ *peercert.Identity) end { return end{"a", nil, testCluster} }, "b",
			"", verdictTLS, "does not speak TLS"},
		{"another cluster", func(a, _, _, _ *peercert.Identity) end { return end{"a", a, [16]byte{9}} }, "b",
			"belongs to another cluster", verdictCluster, "claims_to_be=a"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ids := goodAndBad(t)
				n, log := newMemNet(), &lines{}
				b := testPort(t, n, "b", func(c *Config) { c.Identity, c.Logger = ids[3], slog.New(slog.NewTextHandler(log, nil)) })
				to := testStream(t, b, 1)
				who := row.dialer(ids[0], ids[1], ids[2], ids[3])
				a := testPort(t, n, who.node, func(c *Config) { c.ClusterID = who.cluster })
				a.cfg.Identity = who.id // Past the check that would not let a node claim another's name.
				conn, err := testStream(t, a, 1).dial(targetOf(row.want, "b"), time.Second)
				synctest.Wait()
				if row.counted == 0 {
					if err != nil || conn.node != "b" || len(to.incoming) != 1 || log.String() != "" {
						t.Fatalf("%v, %s", err, log)
					}
					_ = conn.Close()
					return
				}
				if err == nil || !strings.Contains(err.Error(), row.says) {
					t.Errorf("the dialer: %v", err)
				}
				if drops(b, row.counted) != 1 || len(to.incoming) != 0 {
					t.Errorf("%v counted as %v", drops(b, row.counted), row.counted)
				}
				if !strings.Contains(log.String(), "reason="+row.counted.String()) || !strings.Contains(log.String(), row.written) {
					t.Errorf("the log: %s", log)
				}
			})
		})
	}
}

func TestATLSClientAtAPlainPortIsToldApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, log := newMemNet(), &lines{}
		b := testPort(t, n, "b", func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(log, nil)) })
		testStream(t, b, 1)
		ids, _ := identities(t, "a")
		a := testPort(t, n, "a", func(c *Config) { c.Identity = ids[0] })
		if _, err := testStream(t, a, 1).dial("b b", time.Second); err == nil || !strings.Contains(err.Error(), "one of the two has --peer-cert") {
			t.Errorf("%v", err)
		}
		synctest.Wait()
		if drops(b, verdictMagic) != 1 || !strings.Contains(log.String(), "it speaks TLS, and this node has no --peer-cert") {
			t.Errorf("%s", log)
		}
	})
}

// Also without certificates a dialer notices that another node has the address now.
func TestTheAddressOfAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		a, b := testPort(t, n, "a"), testPort(t, n, "b")
		testStream(t, b, 1)
		if _, err := testStream(t, a, 1).dial("c b", time.Second); !errors.Is(err, ErrPeerOther) || !strings.Contains(err.Error(), "wanted c, met b") {
			t.Errorf("%v", err)
		}
	})
}

// New files count for new connections, and those that are there stay.
func TestIdentityIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ids, made := identities(t, "a", "b")
		n, g := newMemNet(), newRig(t)
		g.net = n
		c := g.open(func(c *Config) {
			c.NodeID, c.ClusterID, c.Listener, c.Identity = "b", testCluster, n.listen("b"), ids[1]
		})
		defer g.close()
		a := testPort(t, n, "a", func(c *Config) { c.Identity = ids[0] })
		old, err := testStream(t, a, 1).dial("b b", time.Second)
		if err != nil {
			t.Fatal(err)
		}
		before := value(c.metrics.peerCertificate)
		if err := os.WriteFile(made.Nodes[1].Cert, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := c.ReloadIdentity(); !errors.Is(err, peercert.ErrFiles) || value(c.metrics.peerReloads.WithLabelValues("failed")) != 1 {
			t.Errorf("bad files: %v", err)
		}
		dir := made.CA[:strings.LastIndex(made.CA, "/")]
		if err := errors.Join(os.Remove(made.Nodes[1].Cert), os.Remove(made.Nodes[1].Key)); err != nil {
			t.Fatal(err)
		}
		if _, err := peercert.Make(peercert.Request{Dir: dir, Nodes: []string{"b"}, Days: 9}); err != nil {
			t.Fatal(err)
		}
		if err := c.ReloadIdentity(); err != nil || value(c.metrics.peerCertificate) <= before {
			t.Errorf("good files: %v", err)
		}
		again, err := a.streams[streamKey{kind: streamRaft, shard: 1}].dial("b b", time.Second)
		if err != nil {
			t.Fatal(err)
		}
		ends := again.Conn.(*tls.Conn).ConnectionState().PeerCertificates[0].NotAfter
		if was := old.Conn.(*tls.Conn).ConnectionState().PeerCertificates[0].NotAfter; !ends.After(was) || old.closing.Load() {
			t.Errorf("until %v, before %v", ends, was)
		}
	})
}

// Strangers who say nothing have a bound of their own, and the one that said nothing for the longest goes: nodes still come in.
func TestAFloodOfHandshakesLeavesRoomForNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, log := newMemNet(), &lines{}
		a := testPort(t, n, "a")
		b := testPort(t, n, "b", func(c *Config) { c.MaxHandshakes, c.Logger = 8, slog.New(slog.NewTextHandler(log, nil)) })
		from, to := testStream(t, a, 1), testStream(t, b, 1)
		for i := range 500 {
			conn, err := n.dial("b", time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			synctest.Wait()
			if held := value(b.metrics.peerConns); held > 8 {
				t.Fatalf("%v connections", held)
			}
			if i%50 == 0 {
				node, err := from.dial("b b", time.Second)
				if err != nil {
					t.Fatal(err)
				}
				conn, _ := to.Accept()
				_, _ = node.Close(), conn.Close()
			}
		}
		synctest.Wait()
		if n := drops(b, verdictHandshakes); n < 400 {
			t.Errorf("%v were shed", n)
		}
		if n := strings.Count(log.String(), "\n"); n < 1 || n > 5 {
			t.Errorf("%d lines in the log", n)
		}
		pass(time.Minute)
		if n := value(b.metrics.peerConns); n != 0 {
			t.Errorf("%v connections of strangers after a minute", n)
		}
	})
}

// A node has its own bound; a connection of it that has been silent for long makes room, one that speaks does not.
func TestConnectionsOfOneNodeAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		a, other := testPort(t, n, "a"), testPort(t, n, "other")
		b := testPort(t, n, "b", func(c *Config) { c.MaxConnsPerPeer = 2 })
		from, to := testStream(t, a, 1), testStream(t, b, 1)
		var accepted []net.Conn
		for range 2 {
			if _, err := from.dial("b b", time.Second); err != nil {
				t.Fatal(err)
			}
			conn, _ := to.Accept()
			accepted = append(accepted, conn)
		}
		if _, err := from.dial("b b", time.Second); !errors.Is(err, ErrPeerRefused) || !strings.Contains(err.Error(), "too many connections") {
			t.Errorf("a third: %v", err)
		}
		if _, err := testStream(t, other, 1).dial("b b", time.Second); err != nil {
			t.Errorf("another node: %v", err)
		}
		pass(10 * time.Second)
		if _, err := from.dial("b b", time.Second); err != nil {
			t.Errorf("a third, when the first two have been silent: %v", err)
		}
		synctest.Wait()
		if drops(b, verdictCrowd) != 1 || drops(b, verdictSilent) != 1 || value(b.metrics.peerConns) != 3 {
			t.Errorf("%v crowded, %v silent, %v left", drops(b, verdictCrowd), drops(b, verdictSilent), value(b.metrics.peerConns))
		}
		closed := 0
		for _, conn := range accepted {
			_ = conn.SetReadDeadline(time.Now().Add(time.Second))
			if _, err := conn.Read(make([]byte, 1)); errors.Is(err, io.ErrClosedPipe) || errors.Is(err, io.EOF) {
				closed++
			}
		}
		if closed != 1 {
			t.Errorf("%d of the first two were closed", closed)
		}
	})
}

// Over real sockets too the dialer hears why it was refused, although it has written on when the other end closes.
func TestAnExpiredCertificateIsToldOverSockets(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	var ids []*peercert.Identity
	for _, r := range []peercert.Request{{Dir: dir, Nodes: []string{"a"}, Days: 1, Now: now.Add(-25 * time.Hour)}, {Dir: dir, Nodes: []string{"b"}, Days: 1}} {
		made, err := peercert.Make(r)
		if err != nil {
			t.Fatal(err)
		}
		id, err := peercert.Load(r.Nodes[0], made.Nodes[0].Cert, made.Nodes[0].Key, made.CA)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n, log := newMemNet(), &lines{}
	b := testPort(t, n, "b", func(c *Config) {
		c.Listener, c.Identity, c.Logger = listener, ids[1], slog.New(slog.NewTextHandler(log, nil))
	})
	testStream(t, b, 1)
	a := testPort(t, n, "a", func(c *Config) { c.Dial, c.Identity = nil, ids[0] })
	from := testStream(t, a, 1)
	for range 20 {
		_, err := from.dial(targetOf("b", listener.Addr().String()), 5*time.Second)
		if err == nil || !strings.Contains(err.Error(), "it may have expired") || !strings.Contains(err.Error(), "is for a and ends on") {
			t.Fatalf("%v", err)
		}
	}
	if !strings.Contains(log.String(), "of node a expired on") {
		t.Errorf("%s", log)
	}
}

// Three real replicas over loopback sockets with certificates. The third has, for the others, the address of the second: nothing that is meant for
// it may reach the second, whose vote would count twice.
func TestReplicasOverTLSReachOnlyWhomTheyMean(t *testing.T) {
	names := []string{"a", "b", "c"}
	ids, _ := identities(t, names...)
	var all []*member
	var members raft.Configuration
	n := newMemNet()
	for i, name := range names {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, startMember(t, n, name, newMemLog(), newMemFS(), func(c *Config) { c.Listener, c.Dial, c.Identity = listener, nil, ids[i] }))
		address := listener.Addr().String()
		if name == "c" {
			address = string(members.Servers[1].Address)
		}
		members.Servers = append(members.Servers, raft.Server{ID: raftID(name, firstReplica), Address: raft.ServerAddress(address)})
	}
	// Raft wants addresses that differ.
	members.Servers[2].Address = raft.ServerAddress(strings.Replace(string(members.Servers[2].Address), "127.0.0.1", "localhost", 1))
	if err := all[0].raft.BootstrapCluster(members).Error(); err != nil {
		t.Fatal(err)
	}
	leader := leaderOf(t, all...)
	for i := range 50 {
		future := leader.raft.Apply([]byte{byte(i)}, time.Second)
		if err := outcomeOf(future.Error(), future.Response()); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range all[:2] {
		eventually(t, m.name+" has all", func() bool { return len(m.machine.applied()) == 50 })
	}
	contacts := leader.trans.contacts
	if contacts.since(0, leader.raft.CurrentTerm(), "c#1") || len(all[2].machine.applied()) != 0 {
		t.Error("somebody answers as the third")
	}
	for _, m := range all {
		m.stop(t)
	}
}

// Who closes does not wait for a node that does not answer, be it to the connection or to what is said over it.
func TestADialEndsWithItsStream(t *testing.T) {
	for name, reach := range map[string]func(context.Context, string, time.Duration) (net.Conn, error){
		"no connection": func(ctx context.Context, _ string, _ time.Duration) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"no answer": func(context.Context, string, time.Duration) (net.Conn, error) {
			here, there := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, there) }()
			return here, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := testStream(t, testPort(t, newMemNet(), "a", func(c *Config) { c.Dial = reach }), 1)
				failed := make(chan error, 1)
				go func() {
					_, err := s.dial("b b", time.Hour)
					failed <- err
				}()
				pass(time.Minute)
				began := time.Now()
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				if err := <-failed; err == nil || time.Since(began) != 0 {
					t.Errorf("after %v: %v", time.Since(began), err)
				}
			})
		})
	}
}
