package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/api"
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
		"public without either":  {func(c *Config) { c.HTTP = ":0" }, true},
		"admin without either":   {func(c *Config) { c.Admin = "0.0.0.0:0" }, true},
		"keys without TLS":       {func(c *Config) { c.HTTP, c.Access.APIKeys = ":0", keys }, true},
		"TLS without keys":       {func(c *Config) { c.HTTP, c.Access.TLSCert, c.Access.TLSKey = ":0", keys, keys }, true},
		"the peer port":          {func(c *Config) { c.Peer, c.Access = ":0", Access{APIKeys: keys, TLSCert: keys, TLSKey: keys} }, true},
		"half a pair":            {func(c *Config) { c.Access.TLSCert = keys }, false},
		"no keys file":           {func(c *Config) { c.Access.APIKeys = keys + ".none" }, false},
		"no certificate":         {func(c *Config) { c.Access.TLSCert, c.Access.TLSKey = keys, keys }, false},
		"one file for the audit": {func(c *Config) { c.Access.AuditFiles = 1 }, false},
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

// An audit log that cannot be kept is a reason not to start.
func TestAuditLogIsNeeded(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.Access.AuditLog = filepath.Join(cfg.DataDir, "none", "audit.log")
	if n, err := Open(t.Context(), cfg); n != nil || ExitCode(err) != 1 || !strings.Contains(err.Error(), "--audit-log") {
		t.Errorf("exit code %d, %v", ExitCode(err), err)
	}
}
