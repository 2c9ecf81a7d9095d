package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/stock"
)

func askAs(n *memNet, node string) JoinConfig { return JoinConfig{NodeID: node, Dial: n.reach} }

func TestANodeWithoutAClusterAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		c := g.open(func(c *Config) { c.MaxJoins = 1 })
		defer g.close()
		ask := func(body string) (string, error) {
			answer, err := AskToJoin(t.Context(), askAs(g.net, "new"), "n1", []byte(body))
			return string(answer), err
		}
		if _, err := ask("x"); !errors.Is(err, ErrNotTaken) || !isNotExecuted(err) {
			t.Errorf("nobody answers: %v", err)
		}
		c.ServeJoin(func(ctx context.Context, node string, body []byte) ([]byte, error) {
			switch string(body) {
			case "refuse":
				return nil, fmt.Errorf("%w: ask the leader", stock.ErrNotExecuted)
			case "fail":
				return nil, errors.New("half done")
			case "panic":
				panic("no")
			case "wait":
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return fmt.Appendf(nil, "welcome %s, %d bytes", node, len(body)), nil
		})
		if answer, err := ask(big(maxJoinBytes)); err != nil || answer != fmt.Sprint("welcome new, ", maxJoinBytes, " bytes") {
			t.Errorf("%q, %v", answer, err)
		}
		for body, want := range map[string]error{
			"refuse": ErrNotTaken, "fail": ErrPeerFailed, "panic": ErrPeerFailed, big(maxJoinBytes + 1): ErrNotSent,
		} {
			if _, err := ask(body); !errors.Is(err, want) || isNotExecuted(err) == isUnknown(err) || isUnknown(err) != errors.Is(err, ErrPeerFailed) {
				t.Errorf("%.10s: %v", body, err)
			}
		}
		if _, err := ask("refuse"); !strings.Contains(err.Error(), "ask the leader") {
			t.Errorf("the reason is lost: %v", err)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		waits := make(chan error, 1)
		go func() {
			_, err := AskToJoin(short, askAs(g.net, "slow"), "n1", []byte("wait"))
			waits <- err
		}()
		synctest.Wait()
		if _, err := ask("x"); !errors.Is(err, ErrNotTaken) || value(c.metrics.rpcBound.WithLabelValues("joins")) != 1 {
			t.Errorf("beyond the bound: %v", err)
		}
		if err := <-waits; !isUnknown(err) {
			t.Errorf("impatient: %v", err)
		}
		c.ServeJoin(nil)
		if _, err := ask("x"); !errors.Is(err, ErrNotTaken) {
			t.Errorf("nobody answers any more: %v", err)
		}
		if _, err := AskToJoin(t.Context(), askAs(g.net, "new"), "nowhere", nil); !errors.Is(err, ErrNotSent) {
			t.Errorf("nobody there: %v", err)
		}
		if _, err := AskToJoin(t.Context(), askAs(g.net, "a b"), "n1", nil); !errors.Is(err, ErrConfig) {
			t.Errorf("no name: %v", err)
		}
	})
}

// The id of zeros opens the one stream, and no other; the cluster's own id does not open it.
func TestTheIDOfNoClusterOpensNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		c := g.open()
		defer g.close()
		for _, row := range []struct {
			name    string
			kind    streamKind
			cluster [16]byte
			want    verdict
		}{
			{"to join", streamJoin, [16]byte{}, verdictAccepted},
			{"to join, as a member", streamJoin, c.cfg.ClusterID, verdictCluster},
			{"to join, of another cluster", streamJoin, [16]byte{9}, verdictCluster},
			{"raft", streamRaft, [16]byte{}, verdictCluster},
			{"requests", streamRPC, [16]byte{}, verdictCluster},
		} {
			conn, err := g.net.dial("n1", time.Second)
			if err != nil {
				t.Fatal(err)
			}
			shard := uint32(0)
			if row.kind == streamRaft {
				shard = 1
			}
			head := peerHead{key: streamKey{kind: row.kind, shard: shard}, cluster: row.cluster, node: "x"}
			if _, err := conn.Write(head.append(nil)); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 1)
			if _, err := conn.Read(got); err != nil || verdict(got[0]) != row.want {
				t.Errorf("%s: %v, %v", row.name, verdict(got[0]), err)
			}
			_ = conn.Close()
		}
	})
}

func TestWhoJoinsIsProvenWithCertificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ids := goodAndBad(t) // a, a stranger's a, an expired a, b
		g := newRig(t)
		c := g.openQuietly(func(c *Config) { c.NodeID, c.Identity, c.Replicas = "b", ids[3], map[uint32]uint64{} })
		defer g.close()
		var met []string
		c.ServeJoin(func(_ context.Context, node string, _ []byte) ([]byte, error) {
			met = append(met, node)
			return []byte("welcome"), nil
		})
		for _, row := range []struct {
			name string
			cfg  JoinConfig
			says string
		}{
			{"a node with a certificate", JoinConfig{NodeID: "a", Identity: ids[0]}, ""},
			{"another's name", JoinConfig{NodeID: "c", Identity: ids[0]}, "does not name its --node-id"},
			{"another authority", JoinConfig{NodeID: "a", Identity: ids[1]}, "none of --peer-ca"},
			{"an expired one", JoinConfig{NodeID: "a", Identity: ids[2]}, "may have expired"},
			{"none", JoinConfig{NodeID: "a"}, "one of the two has --peer-cert"},
		} {
			row.cfg.Dial = g.net.reach
			answer, err := AskToJoin(t.Context(), row.cfg, "n1", []byte("x"))
			if row.says == "" {
				if err != nil || string(answer) != "welcome" {
					t.Errorf("%s: %q, %v", row.name, answer, err)
				}
				continue
			}
			if err == nil || !strings.Contains(err.Error(), row.says) || !errors.Is(err, ErrNotSent) {
				t.Errorf("%s: %v", row.name, err)
			}
		}
		if len(met) != 1 || met[0] != "a" {
			t.Errorf("the handler met %v", met)
		}
	})
}

// A stranger on the stream for joining costs its connection, and Close waits for nobody.
func TestStrangersOnTheJoinStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		c := g.open()
		head := (&peerHead{key: streamKey{kind: streamJoin}, node: "x"}).append(nil)
		frame := (&rpcFrame{typ: frameRequest, id: 1, body: []byte("x")}).append(nil)
		broken := append([]byte(nil), frame...)
		broken[4] ^= 1
		var conns []net.Conn
		for _, then := range [][]byte{nil, []byte("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"), frame[:9], broken, (&rpcFrame{typ: framePing}).append(nil)} {
			conn, err := g.net.dial("n1", time.Second)
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, conn)
			go func() {
				_, _ = conn.Write(head)
				_, _ = conn.Write(then)
			}()
			go func() { _, _ = conn.Read(make([]byte, 64)) }()
		}
		pass(2 * c.cfg.HandshakeTimeout)
		if n := value(c.metrics.peerConns); n != 0 {
			t.Errorf("%v connections are left", n)
		}
		if drops(c.port, verdictFrame) == 0 {
			t.Error("nothing was counted")
		}
		for _, conn := range conns {
			_ = conn.Close()
		}
		c.ServeJoin(func(ctx context.Context, _ string, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() })
		asked := make(chan error, 1)
		go func() {
			_, err := AskToJoin(t.Context(), askAs(g.net, "new"), "n1", nil)
			asked <- err
		}()
		synctest.Wait()
		g.close()
		if err := <-asked; !isUnknown(err) {
			t.Errorf("%v", err)
		}
	})
}
