package doctor

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"holdfast/cluster/peercert"
	"holdfast/node"
)

func badOthers() []bad {
	const cert, join = "peer certificate", "--join"
	peer := func(p peerCertificate) func(*facts, *node.Config) {
		return func(f *facts, c *node.Config) {
			f.peer, f.peer.set = p, true
			c.Access.PeerCert, c.Access.PeerKey = "n1.crt", "n1.key"
		}
	}
	year := noon.Add(365 * 24 * time.Hour)
	seeds := func(s ...seed) func(*facts, *node.Config) { return func(f *facts, _ *node.Config) { f.seeds = s } }
	return []bad{
		{"another node's", peer(peerCertificate{err: fmt.Errorf("%w n2.crt: %w", peercert.ErrFiles, peercert.ErrOtherNode)}), cert, Fail, "--node-id"},
		{"no certificate", peer(peerCertificate{err: peercert.ErrFiles}), cert, Fail, "openssl x509"},
		{"ended", peer(peerCertificate{notAfter: noon.Add(-time.Hour)}), cert, Fail, "cluster certs DIR --node n1"},
		{"ends soon", peer(peerCertificate{notAfter: noon.Add(48 * time.Hour)}), cert, Warn, "cluster certs DIR --node n1"},
		{"read by all", peer(peerCertificate{notAfter: year, exposed: true}), cert, Warn, "chmod 0600 n1.key"},
		{"sound", peer(peerCertificate{notAfter: year}), cert, Pass, ""},
		{"nobody", seeds(seed{"a:1", io.EOF}, seed{"b:1", io.EOF}), join, Fail, "start one of these"},
		{"one of two", seeds(seed{"a:1", io.EOF}, seed{"b:1", nil}), join, Warn, "mend the addresses"},
		{"both", seeds(seed{"a:1", nil}, seed{"b:1", nil}), join, Pass, ""},
	}
}

// Addresses to join are tried for a directory that holds no member yet, and only then.
func TestAddressesToJoinAreTried(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := settings()
	c.Join = []string{l.Addr().String(), "127.0.0.1:0"}
	found := gatherSeeds(t.Context(), c, node.Identity{NodeID: "n1"})
	if len(found) != 2 || found[0].err != nil || found[1].err == nil {
		t.Errorf("%+v", found)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := gatherSeeds(t.Context(), c, node.Identity{NodeID: "n1", ClusterID: "c"}); got != nil {
		t.Errorf("a member: %+v", got)
	}
}

// The certificate is read as a start would read it.
func TestPeerCertificateIsRead(t *testing.T) {
	c := settings()
	if got := gatherPeerCertificate(c); got.set {
		t.Errorf("none is set: %+v", got)
	}
	made, err := peercert.Make(peercert.Request{Dir: t.TempDir(), Nodes: []string{"n1"}, Days: 90})
	if err != nil {
		t.Fatal(err)
	}
	c.Access.PeerCert, c.Access.PeerKey, c.Access.PeerCA = made.Nodes[0].Cert, made.Nodes[0].Key, made.CA
	if got := gatherPeerCertificate(c); got.err != nil || !got.set || time.Until(got.notAfter) < 80*24*time.Hour {
		t.Errorf("%+v", got)
	}
	c.Access.PeerKey = filepath.Join(t.TempDir(), "none")
	if got := gatherPeerCertificate(c); got.err == nil {
		t.Errorf("%+v", got)
	}
}
