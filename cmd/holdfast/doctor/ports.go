package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"holdfast/node"
)

// gatherPorts takes all addresses at once, as a node does, and lets go of them at once.
func gatherPorts(ctx context.Context, c *node.Config) (ports []port) {
	var taken []net.Listener
	for _, p := range []port{{flag: "http", addr: c.HTTP}, {flag: "admin", addr: c.Admin}, {flag: "peer", addr: c.Peer}} {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", p.addr)
		if p.err = err; err == nil {
			taken = append(taken, l)
			p.number = l.Addr().(*net.TCPAddr).Port
		} else if at, err := net.ResolveTCPAddr("tcp", p.addr); err == nil {
			p.number = at.Port
		}
		ports = append(ports, p)
	}
	for _, l := range taken {
		_ = l.Close() // nothing was accepted
	}
	for i := range ports {
		if p := &ports[i]; errors.Is(p.err, syscall.EADDRINUSE) {
			p.owner, p.ownerName = ownerOfPort(p.number)
		}
	}
	return ports
}

func judgePorts(c *node.Config, f *facts) (checks []Check) {
	for i := range f.ports {
		checks = append(checks, judgePort(c, f, &f.ports[i]))
	}
	return checks
}

func judgePort(c *node.Config, f *facts, p *port) Check {
	name := "--" + p.flag
	another := fmt.Sprintf("another port or address: %s HOST:PORT", name)
	_, unknown := errors.AsType[*net.DNSError](p.err)
	switch {
	case p.err == nil && isLocal(p, &f.machine):
		fix := fmt.Sprintf("sudo sysctl -w net.ipv4.ip_local_reserved_ports=%d", p.number)
		const what = "%s is free now, and of the ports that outgoing connections are given: one may have it at the next start"
		return warn(name, fix, what, p.addr)
	case p.err == nil:
		return pass(name, "%s is free", p.addr)
	case errors.Is(p.err, syscall.EADDRINUSE) && p.owner > 0 && p.owner == f.contents.holder:
		return pass(name, "%s is taken by the node that serves from %s", p.addr, c.DataDir)
	case errors.Is(p.err, syscall.EADDRINUSE) && p.owner > 0:
		fix := fmt.Sprintf("%s; or stop that process: kill -TERM %d", another, p.owner)
		return fail(name, fix, "%s is taken by %s", p.addr, process(p.owner, p.ownerName))
	case errors.Is(p.err, syscall.EADDRINUSE):
		fix := fmt.Sprintf("sudo ss -ltnp 'sport = :%d'; or %s", p.number, another)
		return fail(name, fix, "%s is taken, by this command line itself or by a process that this user may not see", p.addr)
	case errors.Is(p.err, syscall.EACCES):
		fix := fmt.Sprintf("sudo sysctl -w net.ipv4.ip_unprivileged_port_start=%d; or %s", p.number, another)
		return fail(name, fix, "%s: ports below %d are for privileged users", p.addr, f.machine.unprivilegedPort)
	case errors.Is(p.err, syscall.EADDRNOTAVAIL):
		return fail(name, "ip address; then one of these in "+name, "%s: this machine does not have the address", p.addr)
	case unknown:
		return fail(name, "getent hosts NAME; or an IP address in "+name, "%s: the name does not resolve: %v", p.addr, p.err)
	}
	return fail(name, another, "%v", p.err)
}

// isLocal: a port that is asked for, and that the kernel may give to an outgoing connection while the node is down.
func isLocal(p *port, m *machine) bool {
	_, text, err := net.SplitHostPort(p.addr)
	if err != nil || text == "0" || p.number < m.firstLocalPort || p.number > m.lastLocalPort {
		return false
	}
	for _, r := range m.reservedPorts {
		if r[0] <= p.number && p.number <= r[1] {
			return false
		}
	}
	return true
}
