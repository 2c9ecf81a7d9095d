package node

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// maxAddressBytes bounds an address that other nodes keep.
const maxAddressBytes = 255

// checkReached refuses addresses under which nobody could be reached: those to join at, and those that are told to others.
func (c *Config) checkReached() error {
	for _, address := range c.Join {
		if err := checkReachable(address); err != nil {
			return fmt.Errorf("%w: --join %q: %w", ErrConfig, address, err)
		}
	}
	for _, a := range []struct{ flag, address string }{
		{"advertise-http", c.AdvertiseHTTP}, {"advertise-admin", c.AdvertiseAdmin}, {"advertise-peer", c.AdvertisePeer},
	} {
		if a.address == "" {
			continue
		}
		if err := checkReachable(a.address); err != nil {
			return fmt.Errorf("%w: --%s %q: %w", ErrConfig, a.flag, a.address, err)
		}
	}
	if len(c.Join) > 0 && c.AdvertisePeer == "" && everywhere(c.Peer) {
		return fmt.Errorf("%w: --peer %s is bound to every address of the machine, and others must know one: give --advertise-peer", ErrConfig, c.Peer)
	}
	return nil
}

// checkReachable says why nobody could be reached under an address: it is not host:port, its port is 0, or its host stands for every address of a
// machine.
func checkReachable(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || len(address) > maxAddressBytes {
		return fmt.Errorf("must be host:port")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("must end in a port, 1 to 65535")
	}
	for i := range len(address) {
		if address[i] <= ' ' || address[i] > '~' {
			return fmt.Errorf("must be printable ASCII")
		}
	}
	if everywhere(address) {
		return fmt.Errorf("stands for every address of a machine; name one")
	}
	return nil
}

// everywhere reports whether an address to listen on is every address of the machine. One that is malformed is not: it is refused elsewhere.
func everywhere(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.Unmap().IsUnspecified()
}
