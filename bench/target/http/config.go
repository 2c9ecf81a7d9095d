package http

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"time"

	"holdfast/api/client"
)

// DefaultTimeout bounds a call whose context has no deadline.
const DefaultTimeout = 10 * time.Second

// Config says what is measured. Zero values take the defaults.
type Config struct {
	// Addrs are public listeners, over which calls are spread; AdminAddrs are admin listeners, of which the first that answers is asked.
	Addrs, AdminAddrs []string
	// Storage is the SQLite file or the postgres:// URL behind the target; "": storage is not read.
	Storage string
	// APIKey is sent with each request, RootCAs vouch for https; see client.Config. The key must be an admin's.
	APIKey  string
	RootCAs *x509.CertPool
	// Clients is how many calls there may be at once: each finds a connection that is kept alive. Default 64.
	Clients int
	// Timeout bounds a call. Default DefaultTimeout.
	Timeout time.Duration
}

func (c Config) withDefaults() (Config, error) {
	c.Clients, c.Timeout = cmp.Or(c.Clients, 64), cmp.Or(c.Timeout, DefaultTimeout)
	switch {
	case len(c.Addrs) == 0:
		return c, fmt.Errorf("%w: no address of a public listener", ErrConfig)
	case len(c.AdminAddrs) == 0:
		return c, fmt.Errorf("%w: no address of an admin listener, where SKUs are created", ErrConfig)
	case c.Clients < 0 || c.Timeout < 0:
		return c, fmt.Errorf("%w: clients and timeout must be positive", ErrConfig)
	}
	return c, nil
}

// client talks to one listener of each kind, with patience: what it asks may be asked again.
func (c *Config) client(addr, admin string) (*client.Client, error) {
	made, err := client.New(client.Config{
		Addr: addr, AdminAddr: admin, APIKey: c.APIKey, RootCAs: c.RootCAs, MaxConns: max(lookers, c.Clients), Timeout: askTimeout,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return made, nil
}
