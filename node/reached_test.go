package node

import (
	"strings"
	"testing"
	"time"
)

// What others are told must be an address that reaches somebody, and a node that joins must have one.
func TestAddressesForOthers(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"nothing":               {func(*Config) {}, ""},
		"names and addresses":   {func(c *Config) { c.Join = []string{"n1.shop.example:8082", "10.0.0.1:1", "[::1]:8082"} }, ""},
		"advertised":            {func(c *Config) { c.AdvertiseHTTP, c.AdvertiseAdmin, c.AdvertisePeer = "a:1", "b:2", "c:3" }, ""},
		"fast refusals":         {func(c *Config) { c.Refusals = "fast" }, ""},
		"other refusals":        {func(c *Config) { c.Refusals = "some" }, "--refusals"},
		"no port":               {func(c *Config) { c.Join = []string{"a:1", "b"} }, `--join "b": must be host:port`},
		"no host":               {func(c *Config) { c.Join = []string{":8082"} }, "must be host:port"},
		"an empty one":          {func(c *Config) { c.Join = []string{""} }, "must be host:port"},
		"port 0":                {func(c *Config) { c.AdvertisePeer = "a:0" }, `--advertise-peer "a:0": must end in a port`},
		"a port by name":        {func(c *Config) { c.AdvertiseHTTP = "a:http" }, "--advertise-http"},
		"a space":               {func(c *Config) { c.AdvertiseAdmin = "a b:1" }, "--advertise-admin"},
		"too long":              {func(c *Config) { c.AdvertiseAdmin = strings.Repeat("a", 255) + ":1" }, "must be host:port"},
		"every address":         {func(c *Config) { c.AdvertisePeer = "0.0.0.0:8082" }, "every address"},
		"every address to join": {func(c *Config) { c.Join = []string{"[::]:8082"} }, "every address"},
		"bound everywhere": {func(c *Config) {
			c.Join, c.Peer = []string{"a:1"}, "0.0.0.0:8082"
		}, "give --advertise-peer"},
		"bound everywhere, known": {func(c *Config) {
			c.Join, c.Peer, c.AdvertisePeer = []string{"a:1"}, ":8082", "b:8082"
		}, ""},
		"no time to join": {func(c *Config) { c.JoinTimeout = -time.Second }, "--join-timeout"},
	} {
		c := DefaultConfig()
		c.Insecure = true
		row.change(&c)
		err := c.Check()
		if (err == nil) != (row.want == "") || err != nil && (ExitCode(err) != 2 || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%s: %v, exit code %d", name, err, ExitCode(err))
		}
	}
}
