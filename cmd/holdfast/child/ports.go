package child

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports are drawn from below the range from which systems take the local ports of outgoing connections (32768 on Linux, higher elsewhere). A crowd
// that knocks on a port while its node is down could otherwise be given that very port, and even connect to itself.
const (
	firstPort = 12000
	lastPort  = 32000
	maxDraws  = 2000
)

// FreeAddrs returns n loopback addresses on which nobody listens, distinct and fit to be listened on again after a restart.
func FreeAddrs(n int) (addrs []string, err error) {
	var held []net.Listener
	defer func() {
		for _, l := range held {
			err = errors.Join(err, l.Close())
		}
	}()
	for range maxDraws {
		if len(addrs) == n {
			return addrs, nil
		}
		addr := fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(lastPort-firstPort))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue // taken: draw another
		}
		held, addrs = append(held, l), append(addrs, addr)
	}
	return nil, fmt.Errorf("child: found no %d free ports in %d draws", n, maxDraws)
}
