package node

import (
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/api"
	"holdfast/cluster/peercert"
)

// What guards too little, or cannot be read, ends the start with exit code 2 before the data directory is touched.
func TestAccessIsCheckedFirst(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys.yaml")
	if err := os.WriteFile(keys, []byte("- {name: shop, role: order, sha256: "+strings.Repeat("ab", 32)+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		change      func(*Config)
		notLoopback bool
	}{
		"public without either":     {func(c *Config) { c.HTTP = ":0" }, true},
		"admin without either":      {func(c *Config) { c.Admin = "0.0.0.0:0" }, true},
		"keys without TLS":          {func(c *Config) { c.HTTP, c.Access.APIKeys = ":0", keys }, true},
		"TLS without keys":          {func(c *Config) { c.HTTP, c.Access.TLSCert, c.Access.TLSKey = ":0", keys, keys }, true},
		"the peer port":             {func(c *Config) { c.Peer, c.Access = ":0", Access{APIKeys: keys, TLSCert: keys, TLSKey: keys} }, true},
		"a peer certificate alone":  {func(c *Config) { c.Access.PeerCert = keys }, false},
		"no peer authorities":       {func(c *Config) { c.Access.PeerCert, c.Access.PeerKey = keys, keys }, false},
		"peer authorities alone":    {func(c *Config) { c.Access.PeerCA = keys }, false},
		"no peer certificate in it": {func(c *Config) { c.Access.PeerCert, c.Access.PeerKey, c.Access.PeerCA = keys, keys, keys }, false},
		"half a pair":               {func(c *Config) { c.Access.TLSCert = keys }, false},
		"no keys file":              {func(c *Config) { c.Access.APIKeys = keys + ".none" }, false},
		"no certificate":            {func(c *Config) { c.Access.TLSCert, c.Access.TLSKey = keys, keys }, false},
		"one file for the audit":    {func(c *Config) { c.Access.AuditFiles = 1 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(filepath.Join(t.TempDir(), "data"))
			row.change(&cfg)
			n, err := Open(t.Context(), cfg)
			if n != nil || ExitCode(err) != 2 || errors.Is(err, api.ErrNotLoopback) != row.notLoopback {
				t.Errorf("exit code %d, %v", ExitCode(err), err)
			}
			if _, err := os.Stat(cfg.DataDir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the data directory was touched: %v", err)
			}
		})
	}
}

// With certificates the peer port may be where others reach it; the certificate must be this node's, and is read again.
func TestPeerCertificates(t *testing.T) {
	dir := t.TempDir()
	made, err := peercert.Make(peercert.Request{Dir: dir, Nodes: []string{"n1", "n2"}, Days: 1})
	if err != nil {
		t.Fatal(err)
	}
	with := func(i int) Config {
		cfg := config(t.TempDir())
		cfg.Peer = ":0"
		cfg.Access.PeerCert, cfg.Access.PeerKey, cfg.Access.PeerCA = made.Nodes[i].Cert, made.Nodes[i].Key, made.CA
		return cfg
	}
	if n, err := Open(t.Context(), with(1)); n != nil || ExitCode(err) != 2 || !errors.Is(err, peercert.ErrOtherNode) {
		t.Errorf("another node's certificate: exit code %d, %v", ExitCode(err), err)
	}
	n, err := Open(t.Context(), with(0))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	dial := func() error {
		id, err := peercert.Load("n2", made.Nodes[1].Cert, made.Nodes[1].Key, made.CA)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := tls.Dial("tcp", n.Addrs().Peer, id.ClientConfig("n1"))
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	if err := errors.Join(n.Reload(), dial()); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(made.CA, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := n.Reload(); !errors.Is(err, peercert.ErrFiles) {
		t.Errorf("no authorities: %v", err)
	}
}

// An audit log that cannot be kept is a reason not to start.
func TestAuditLogIsNeeded(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.Access.AuditLog = filepath.Join(cfg.DataDir, "none", "audit.log")
	if n, err := Open(t.Context(), cfg); n != nil || ExitCode(err) != 1 || !strings.Contains(err.Error(), "--audit-log") {
		t.Errorf("exit code %d, %v", ExitCode(err), err)
	}
}
