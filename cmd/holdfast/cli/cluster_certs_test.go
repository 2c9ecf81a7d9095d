package cli

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/cluster/peercert"
)

// Two nodes meet with what the command made, the second added later; and a node takes the flags it names.
func TestClusterCerts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "my certs")
	made := func(node string) madeNodes {
		t.Helper()
		code, out, errs := run(nil, "cluster", "certs", dir, "--node", node, "-o", "json")
		var result madeCerts
		if err := json.Unmarshal([]byte(out), &result); code != ExitOK || err != nil || len(result.Nodes) != 1 || !strings.Contains(errs, "ca.key") {
			t.Fatalf("exit code %d, %v: %s%s", code, err, out, errs)
		}
		if result.NewAuthority != (node == "n1") || result.Nodes[0].Node != node {
			t.Errorf("%+v", result)
		}
		return result.Nodes[0]
	}
	first, second := made("n1"), made("n2")
	load := func(n madeNodes) *peercert.Identity {
		t.Helper()
		id, err := peercert.Load(n.Node, n.Cert, n.Key, filepath.Join(dir, "ca.crt"))
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	here, there := net.Pipe()
	served := make(chan error, 1)
	go func() {
		server := tls.Server(there, load(first).ServerConfig())
		_, err := server.Write([]byte("x"))
		served <- err
	}()
	client := tls.Client(here, load(second).ClientConfig("n1"))
	if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
		t.Errorf("n2 meets n1: %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("n1 meets n2: %v", err)
	}
	_, _ = here.Close(), there.Close()

	args := append([]string{"config", "check", "--peer", "0.0.0.0:0"}, first.Flags...)
	if code, out, errs := run(nil, args...); code != ExitOK {
		t.Errorf("%q: exit code %d: %s%s", args, code, out, errs)
	}
	args[slices.Index(args, "n1")] = "n2"
	if code, _, errs := run(nil, args...); code != ExitUsage || !strings.Contains(errs, "this node is n2, the certificate is one of node n1") {
		t.Errorf("%q: exit code %d: %s", args, code, errs)
	}
	code, out, errs := run(nil, "cluster", "certs", dir, "--node", "n3", "--node", "n1")
	if code != ExitFailed || out != "" || !strings.Contains(errs, "nothing was written") {
		t.Errorf("a node that is there: exit code %d: %s%s", code, out, errs)
	}
	code, out, _ = run(nil, "cluster", "certs", dir, "--node", "n3,n4", "--days", "2")
	if code != ExitOK || strings.Count(out, "\n") != 3 || !strings.Contains(out, "--peer-ca '"+dir+"/ca.crt'") {
		t.Errorf("a table: exit code %d: %s", code, out)
	}
}

func TestClusterCertsRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, row := range []struct {
		args []string
		want string
	}{
		{nil, "DIR is missing"}, {[]string{dir}, "--node is missing"}, {[]string{dir, "--node", "a b"}, "without space"},
		{[]string{dir, "--node", ""}, "--node"}, {[]string{dir, "--node", "n1", "--days", "0"}, "--days must be 1 to"},
	} {
		code, out, errs := run(nil, append([]string{"cluster", "certs"}, row.args...)...)
		if code != ExitUsage || out != "" || !strings.Contains(errs, row.want) {
			t.Errorf("%q: exit code %d: %s%s", row.args, code, out, errs)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
	if code, _, errs := run(nil, "cluster", "rebalance"); code != ExitUsage || !strings.Contains(errs, `no command "rebalance"`) {
		t.Errorf("a command that is not there: %d %s", code, errs)
	}
}

// Half a configuration of the peer port ends with exit code 2 and says what belongs together.
func TestHalfAPeerConfiguration(t *testing.T) {
	for _, args := range [][]string{
		{"--peer-cert", "x"}, {"--peer-key", "x"}, {"--peer-ca", "x"}, {"--peer-cert", "x", "--peer-key", "x"}, {"--peer-key", "x", "--peer-ca", "x"},
	} {
		if code, _, errs := run(nil, append([]string{"config", "check"}, args...)...); code != ExitUsage || !strings.Contains(errs, "belong together") {
			t.Errorf("%q: exit code %d: %s", args, code, errs)
		}
	}
}
