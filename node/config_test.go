package node

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Open refuses before it touches anything what Check refuses, and Check touches nothing.
func TestCheck(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys.yaml")
	if err := os.WriteFile(keys, []byte("- {name: shop, role: order, sha256: none}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"a segment too short":   func(c *Config) { c.WALSegmentBytes = 1 },
		"no room for segments":  func(c *Config) { c.WALHardBytes = c.WALSegmentBytes },
		"more shards than can":  func(c *Config) { c.Shards = 100_000 },
		"a name with a space":   func(c *Config) { c.NodeID = "n 1" },
		"an unknown sink":       func(c *Config) { c.Sink = "mysql" },
		"refusals of two kinds": func(c *Config) { c.Refusals = "both" },
		"no retention":          func(c *Config) { c.Retention = 1 },
		"too short a retention": func(c *Config) { c.Retention = time.Minute },
		"a wrong file of keys":  func(c *Config) { c.Access.APIKeys = keys },
		"no file of keys":       func(c *Config) { c.Access.APIKeys = keys + ".none" },
		"half a pair":           func(c *Config) { c.Access.TLSCert = keys },
		"no certificate":        func(c *Config) { c.Access.TLSCert, c.Access.TLSKey = keys, keys },
		"a wide open listener":  func(c *Config) { c.HTTP = ":0" },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.DataDir, cfg.HTTP, cfg.Admin, cfg.Peer = filepath.Join(t.TempDir(), "node"), "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
			if err := cfg.Check(); err != nil {
				t.Fatal(err)
			}
			spoil(&cfg)
			checked := cfg.Check()
			n, err := Open(t.Context(), cfg)
			if err == nil {
				t.Fatal("it opened", n.Close())
			}
			if checked == nil || checked.Error() != err.Error() || ExitCode(checked) != 2 {
				t.Errorf("Check: %v\nOpen: %v", checked, err)
			}
			if _, err := os.Stat(cfg.DataDir); !os.IsNotExist(err) {
				t.Errorf("the data directory was touched: %v", err)
			}
		})
	}
}
