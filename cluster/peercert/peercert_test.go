package peercert

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/internal/programtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mustMake(t testing.TB, r Request) *Made {
	t.Helper()
	if r.Days == 0 {
		r.Days = 30
	}
	made, err := Make(r)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func mustLoad(t testing.TB, made *Made, i int) *Identity {
	t.Helper()
	n := made.Nodes[i]
	id, err := Load(n.Node, n.Cert, n.Key, made.CA)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// meet shakes hands: what each end said.
func meet(server, client *tls.Config) (serverErr, clientErr error) {
	here, there := net.Pipe()
	defer func() { _, _ = here.Close(), there.Close() }()
	done := make(chan error, 1)
	go func() {
		conn := tls.Server(there, server)
		err := conn.Handshake()
		if err == nil {
			_, err = conn.Write([]byte("x"))
		}
		done <- err
		_ = there.Close()
	}()
	conn := tls.Client(here, client)
	clientErr = conn.Handshake()
	if clientErr == nil {
		_, clientErr = io.ReadFull(conn, make([]byte, 1)) // In TLS 1.3 what the other end refuses shows here.
	}
	_ = here.Close()
	return <-done, clientErr
}

func TestNodesOfOneAuthorityMeetAndOthersDoNot(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	made := mustMake(t, Request{Dir: dir, Nodes: []string{"n1", "n2"}})
	n1, n2 := mustLoad(t, made, 0), mustLoad(t, made, 1)
	stranger := mustLoad(t, mustMake(t, Request{Dir: t.TempDir(), Nodes: []string{"n2"}}), 0)
	old := mustLoad(t, mustMake(t, Request{Dir: dir, Nodes: []string{"old"}, Days: 1, Now: now.AddDate(0, 0, 0).Add(-23 * time.Hour)}), 0)
	expired := mustLoad(t, mustMake(t, Request{Dir: dir, Nodes: []string{"expired"}, Days: 1, Now: now.Add(-25 * time.Hour)}), 0)
	for _, row := range []struct {
		name           string
		server, client *Identity
		want           string
		serverSays     string
		clientSays     string
	}{
		{"the node that was wanted", n1, n2, "n1", "", ""},
		{"any node", n1, n2, "", "", ""},
		{"one with an hour left", n1, old, "n1", "", ""},
		{"another node", n1, n2, "n3", "remote error", "wanted node n3, met one of node n1"},
		{"a client of another authority", n1, stranger, "n1", "is none of --peer-ca", "is none of --peer-ca"},
		{"a client that expired", n1, expired, "n1", "of node expired expired on", "remote error"},
		{"a server that expired", expired, n1, "expired", "remote error", "of node expired expired on"},
	} {
		t.Run(row.name, func(t *testing.T) {
			serverErr, clientErr := meet(row.server.ServerConfig(), row.client.ClientConfig(row.want))
			for who, got := range map[string]error{row.serverSays: serverErr, row.clientSays: clientErr} {
				if (got == nil) != (who == "") || got != nil && !strings.Contains(got.Error(), who) && !errors.Is(got, io.ErrClosedPipe) {
					t.Errorf("server: %v; client: %v", serverErr, clientErr)
				}
			}
		})
	}
	// The verdict on a client is the server's own: a client that would take any server shows it.
	careless := stranger.ClientConfig("")
	careless.VerifyConnection = nil
	if serverErr, _ := meet(n1.ServerConfig(), careless); !errors.Is(serverErr, ErrUnverified) {
		t.Errorf("a careless stranger: %v", serverErr)
	}
	careless.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return new(tls.Certificate), nil }
	if serverErr, _ := meet(n1.ServerConfig(), careless); serverErr == nil {
		t.Error("a client without a certificate was let in")
	}
	plain := n2.ClientConfig("n1")
	plain.MinVersion, plain.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if serverErr, clientErr := meet(n1.ServerConfig(), plain); serverErr == nil || clientErr == nil {
		t.Error("TLS 1.2 was spoken")
	}
}

func TestReloadIsForLaterConnections(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	made, next := mustMake(t, Request{Dir: dir, Nodes: []string{"n1", "n2"}}), mustMake(t, Request{Dir: other, Nodes: []string{"n1", "n2"}})
	n1, n2 := mustLoad(t, made, 0), mustLoad(t, next, 1)
	if serverErr, _ := meet(n1.ServerConfig(), n2.ClientConfig("n1")); serverErr == nil {
		t.Fatal("two authorities agree")
	}
	before := n1.ServerConfig()
	replace := func(from, to string) {
		t.Helper()
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	replace(next.Nodes[0].Cert, made.Nodes[0].Cert)
	if err := n1.Reload(); !errors.Is(err, ErrFiles) { // The key is still the old one.
		t.Fatalf("half a pair: %v", err)
	}
	replace(next.Nodes[0].Key, made.Nodes[0].Key)
	if err := n1.Reload(); !errors.Is(err, ErrUnverified) {
		t.Fatalf("a certificate that its own authorities do not know: %v", err)
	}
	replace(next.CA, made.CA)
	if err := n1.Reload(); err != nil {
		t.Fatal(err)
	}
	if serverErr, clientErr := meet(n1.ServerConfig(), n2.ClientConfig("n1")); serverErr != nil || clientErr != nil {
		t.Errorf("after Reload: %v, %v", serverErr, clientErr)
	}
	if serverErr, _ := meet(before, n2.ClientConfig("n1")); serverErr == nil {
		t.Error("vacuous: the files before were as good")
	}
	if err := os.Chmod(made.Nodes[0].Key, 0o644); err != nil || n1.Exposed() {
		t.Fatal(err)
	}
	if err := n1.Reload(); err != nil || !n1.Exposed() {
		t.Errorf("%v, exposed %v", err, n1.Exposed())
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	made := mustMake(t, Request{Dir: dir, Nodes: []string{"n1", "n2"}})
	strange := mustMake(t, Request{Dir: t.TempDir(), Nodes: []string{"n1"}})
	cert, key := made.Nodes[0].Cert, made.Nodes[0].Key
	for name, row := range map[string]struct {
		cert, key, ca string
		want          error
		text          string
	}{
		"no certificate":     {cert + "x", key, made.CA, os.ErrNotExist, "node-n1.crtx"},
		"another's key":      {cert, made.Nodes[1].Key, made.CA, ErrFiles, "private key does not match"},
		"no authority":       {cert, key, made.CA + "x", os.ErrNotExist, "ca.crtx"},
		"a key as authority": {cert, key, key, ErrFiles, "no certificate in it"},
		"another authority":  {cert, key, strange.CA, ErrUnverified, "none of --peer-ca"},
		"another node":       {made.Nodes[1].Cert, made.Nodes[1].Key, made.CA, ErrOtherNode, "this node is n1, the certificate is one of node n2"},
		"an authority's own": {made.CA, made.CAKey, made.CA, ErrOtherNode, "names no node (holdfast://node/ID)"},
	} {
		t.Run(name, func(t *testing.T) {
			id, err := Load("n1", row.cert, row.key, row.ca)
			if id != nil || !errors.Is(err, ErrFiles) || !errors.Is(err, row.want) || !strings.Contains(err.Error(), row.text) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestMakeAddsAndNeverReplaces(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	first := mustMake(t, Request{Dir: dir, Nodes: []string{"n1", "a/b %2F", ".."}})
	if !first.NewAuthority || len(first.Nodes) != 3 {
		t.Fatalf("%+v", first)
	}
	for i, node := range []string{"n1", "a/b %2F", ".."} {
		if id := mustLoad(t, first, i); id.Node() != node || filepath.Dir(id.Path()) != dir {
			t.Errorf("%q is in %s", node, id.Path())
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 8 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, e := range entries {
		if stat, err := e.Info(); err != nil || stat.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", e.Name(), stat.Mode())
		}
	}
	second := mustMake(t, Request{Dir: dir, Nodes: []string{"n2"}})
	if second.NewAuthority {
		t.Error("a second authority")
	}
	if serverErr, clientErr := meet(mustLoad(t, first, 0).ServerConfig(), mustLoad(t, second, 0).ClientConfig("n1")); serverErr != nil || clientErr != nil {
		t.Errorf("a node that was added later: %v, %v", serverErr, clientErr)
	}
	for name, r := range map[string]Request{
		"a node that is there":    {Dir: dir, Nodes: []string{"n3", "n2"}, Days: 1},
		"no node":                 {Dir: dir, Days: 1},
		"a node twice":            {Dir: dir, Nodes: []string{"n3", "n3"}, Days: 1},
		"no days":                 {Dir: dir, Nodes: []string{"n3"}},
		"beyond the authority":    {Dir: dir, Nodes: []string{"n3"}, Days: 3650, Now: time.Now().AddDate(0, 0, 2)},
		"no directory":            {Nodes: []string{"n3"}, Days: 1},
		"a directory in a file":   {Dir: filepath.Join(dir, "ca.crt", "x"), Nodes: []string{"n3"}, Days: 1},
		"more days than may be":   {Dir: dir, Nodes: []string{"n3"}, Days: MaxDays + 1},
		"a node without any name": {Dir: dir, Nodes: []string{""}, Days: 1},
	} {
		if made, err := Make(r); err == nil {
			t.Errorf("%s: %+v", name, made)
		} else if !errors.Is(err, ErrRequest) && !errors.Is(err, ErrExists) && !errors.Is(err, ErrFiles) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after, _ := os.ReadDir(dir); len(after) != 10 {
		t.Errorf("something refused was written: %v", after)
	}
	if err := os.Remove(filepath.Join(dir, "ca.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := Make(Request{Dir: dir, Nodes: []string{"n4"}, Days: 1}); !errors.Is(err, ErrFiles) {
		t.Errorf("an authority without its key: %v", err)
	}
}

// What stands in a certificate is the node, and nothing that only looks like one.
func TestNamesInCertificates(t *testing.T) {
	for text, want := range map[string]string{
		"holdfast://node/n1": "n1", "holdfast://node/a%2Fb%20c": "a/b c", "holdfast://node/": "", "holdfast://node": "",
		"holdfast://other/n1": "", "https://node/n1": "", "holdfast://node/n1?x": "", "holdfast://node/n1#x": "", "holdfast://u@node/n1": "",
		"holdfast:n1": "",
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		nodes := Nodes(&x509.Certificate{URIs: []*url.URL{u}})
		if strings.Join(nodes, " ") != want {
			t.Errorf("%s names %q", text, nodes)
		}
	}
	if NameOf("a/b").String() != "holdfast://node/a%2Fb" {
		t.Errorf("%s", NameOf("a/b"))
	}
}

func TestOpenSSLAgrees(t *testing.T) {
	openssl := programtest.Find(t, "openssl", "openssl")
	made := mustMake(t, Request{Dir: t.TempDir(), Nodes: []string{"n1"}})
	n := made.Nodes[0]
	for _, purpose := range []string{"sslserver", "sslclient"} {
		out, err := exec.Command(openssl, "verify", "-x509_strict", "-purpose", purpose, "-CAfile", made.CA, n.Cert).CombinedOutput()
		if err != nil || !strings.Contains(string(out), ": OK") {
			t.Errorf("openssl verify: %s %v", out, err)
		}
	}
	out, err := exec.Command(openssl, "x509", "-in", n.Cert, "-noout", "-ext", "subjectAltName").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "URI:holdfast://node/n1") {
		t.Errorf("openssl x509: %s %v", out, err)
	}
	text, _ := os.ReadFile(n.Key)
	if block, _ := pem.Decode(text); block == nil || block.Type != "PRIVATE KEY" {
		t.Error("the key is not PKCS #8 in PEM")
	}
}
