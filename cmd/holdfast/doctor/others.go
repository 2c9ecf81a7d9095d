package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"holdfast/cluster/peercert"
	"holdfast/node"
)

// dialWithin is how long an address to join may take to answer.
const dialWithin = 2 * time.Second

// peerCertificate is what other nodes would know this one by.
type peerCertificate struct {
	set      bool
	err      error
	notAfter time.Time
	exposed  bool
}

// seed is an address of --join, and why nobody was met there.
type seed struct {
	addr string
	err  error
}

func gatherPeerCertificate(c *node.Config) peerCertificate {
	a := &c.Access
	if a.PeerCert == "" || a.PeerKey == "" || a.PeerCA == "" {
		return peerCertificate{}
	}
	id, err := peercert.Load(c.NodeID, a.PeerCert, a.PeerKey, a.PeerCA)
	if err != nil {
		return peerCertificate{set: true, err: err}
	}
	return peerCertificate{set: true, notAfter: id.NotAfter(), exposed: id.Exposed()}
}

// gatherSeeds connects to the addresses of --join, all at once, and hangs up. What a member's directory has them for is nothing.
func gatherSeeds(ctx context.Context, c *node.Config, held node.Identity) []seed {
	if held.ClusterID != "" {
		return nil
	}
	seeds, done := make([]seed, len(c.Join)), make(chan struct{})
	for i, addr := range c.Join {
		seeds[i].addr = addr
		go func() {
			defer func() { done <- struct{}{} }()
			conn, err := (&net.Dialer{Timeout: dialWithin}).DialContext(ctx, "tcp", addr)
			if seeds[i].err = err; err == nil {
				_ = conn.Close() // nothing was said
			}
		}()
	}
	for range seeds {
		<-done
	}
	return seeds
}

func judgeOthers(c *node.Config, f *facts) (checks []Check) {
	if f.peer.set {
		checks = append(checks, judgePeerCertificate(c, f))
	}
	if len(f.seeds) > 0 {
		checks = append(checks, judgeSeeds(f.seeds))
	}
	return checks
}

func judgePeerCertificate(c *node.Config, f *facts) Check {
	const name = "peer certificate"
	p, files := &f.peer, c.Access.PeerCert
	renew := fmt.Sprintf("holdfast cluster certs DIR --node %s, after the old two files were moved away; then SIGHUP", c.NodeID)
	switch left := p.notAfter.Sub(f.now); {
	case errors.Is(p.err, peercert.ErrOtherNode):
		return fail(name, fmt.Sprintf("the certificate of %s; or --node-id, if that is wrong", c.NodeID), "%v", p.err)
	case p.err != nil:
		return fail(name, "openssl x509 -noout -text -in "+files, "%v", p.err)
	case left <= 0:
		return fail(name, renew, "%s ended on %s: no node meets this one", files, day(p.notAfter))
	case left < renewal:
		return warn(name, renew, "%s ends on %s, in %d days", files, day(p.notAfter), int(left/(24*time.Hour)))
	case p.exposed:
		return warn(name, "chmod 0600 "+c.Access.PeerKey, "the private key %s can be read by all, or changed by others than its owner", c.Access.PeerKey)
	}
	return pass(name, "for %s until %s, and its key and authorities fit", c.NodeID, day(p.notAfter))
}

// judgeSeeds: one address that answers is enough to join; none is the end of a start.
func judgeSeeds(seeds []seed) Check {
	const name, fix = "--join", "start one of these nodes first; or mend the addresses: those of --peer, or --advertise-peer, of members"
	var there, away []string
	for _, s := range seeds {
		if s.err == nil {
			there = append(there, s.addr)
		} else {
			away = append(away, fmt.Sprintf("%s: %v", s.addr, s.err))
		}
	}
	switch {
	case len(there) == 0:
		return fail(name, fix, "nobody to join: %s", strings.Join(away, "; "))
	case len(away) > 0:
		return warn(name, fix, "%s answers; %s", strings.Join(there, ", "), strings.Join(away, "; "))
	}
	return pass(name, "%s answer", strings.Join(there, ", "))
}
