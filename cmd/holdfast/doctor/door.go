package doctor

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"holdfast/api"
	"holdfast/api/access"
	"holdfast/node"
)

// renewal is how long before its end a certificate should have been renewed.
const renewal = 30 * 24 * time.Hour

func gatherDoor(c *node.Config) (cert certificate, k keys) {
	if a := &c.Access; a.TLSCert != "" && a.TLSKey != "" {
		cert = readCertificate(c)
	}
	if path := c.Access.APIKeys; path != "" {
		loaded, err := access.LoadKeys(path)
		if k = (keys{set: true, err: err}); err == nil {
			k.count, k.exposed = loaded.Len(), loaded.Exposed()
		}
	}
	return cert, k
}

func readCertificate(c *node.Config) certificate {
	loaded, err := access.LoadCertificate(c.Access.TLSCert, c.Access.TLSKey)
	if err != nil {
		return certificate{set: true, err: err}
	}
	pair, err := tls.LoadX509KeyPair(c.Access.TLSCert, c.Access.TLSKey)
	if err != nil {
		return certificate{set: true, err: err}
	}
	leaf := pair.Leaf
	f := certificate{set: true, notBefore: leaf.NotBefore, notAfter: leaf.NotAfter, names: leaf.DNSNames, exposed: loaded.Exposed()}
	for _, ip := range leaf.IPAddresses {
		f.names = append(f.names, ip.String())
	}
	for _, addr := range []string{c.HTTP, c.Admin} {
		host, _, err := net.SplitHostPort(addr)
		if ip := net.ParseIP(host); err != nil || host == "" || ip != nil && ip.IsUnspecified() {
			continue // it listens everywhere, under whatever name
		}
		if leaf.VerifyHostname(host) != nil {
			f.uncovered = append(f.uncovered, host)
		}
	}
	return f
}

func judgeDoor(c *node.Config, f *facts) []Check {
	checks := []Check{judgeGuard(c, f)}
	if f.certificate.set {
		checks = append(checks, judgeCertificate(c, f))
	}
	if f.keys.set {
		checks = append(checks, judgeKeys(c, &f.keys))
	}
	return checks
}

func judgeGuard(c *node.Config, f *facts) Check {
	const name = "settings"
	switch {
	case errors.Is(f.guard, api.ErrNotLoopback) && strings.Contains(f.guard.Error(), "--peer"):
		return fail(name, "--peer-cert FILE --peer-key FILE --peer-ca FILE (holdfast cluster certs makes them); --peer 127.0.0.1:8082; or --insecure, "+
			"when the network guards it", "%v", f.guard)
	case errors.Is(f.guard, api.ErrNotLoopback):
		return fail(name, "--api-keys FILE --tls-cert FILE --tls-key FILE; or --insecure, behind a proxy that does both", "%v", f.guard)
	case f.guard != nil:
		return fail(name, "holdfast serve --help", "%v", f.guard)
	case c.Insecure:
		return warn(name, "--api-keys FILE --tls-cert FILE --tls-key FILE, without --insecure", "--insecure: who reaches a listener is not asked for both TLS and a key")
	}
	return pass(name, "fit together")
}

func judgeCertificate(c *node.Config, f *facts) Check {
	const name, renew = "certificate", "renew it, then systemctl reload holdfast"
	k := &f.certificate
	switch left := k.notAfter.Sub(f.now); {
	case k.err != nil:
		return fail(name, "openssl x509 -noout -text -in "+c.Access.TLSCert, "%v", k.err)
	case left <= 0:
		return fail(name, renew, "%s ended on %s", c.Access.TLSCert, day(k.notAfter))
	case f.now.Before(k.notBefore):
		return fail(name, "date; or another certificate", "%s begins on %s", c.Access.TLSCert, day(k.notBefore))
	case left < renewal:
		return warn(name, renew, "%s ends on %s, in %d days", c.Access.TLSCert, day(k.notAfter), int(left/(24*time.Hour)))
	case len(k.names) == 0:
		return warn(name, "a certificate with subjectAltName", "%s names no host: clients do not look at its common name", c.Access.TLSCert)
	case len(k.uncovered) > 0:
		fix := fmt.Sprintf("a certificate with subjectAltName %s; or a listener on a name that it has", strings.Join(k.uncovered, ", "))
		return warn(name, fix, "%s is for %s, and a listener is on %s", c.Access.TLSCert, strings.Join(k.names, ", "), strings.Join(k.uncovered, ", "))
	case k.exposed:
		return warn(name, "chmod 0600 "+c.Access.TLSKey, "the private key %s can be read by all, or changed by others than its owner", c.Access.TLSKey)
	}
	return pass(name, "for %s until %s, and its key fits", strings.Join(k.names, ", "), day(k.notAfter))
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func judgeKeys(c *node.Config, k *keys) Check {
	const name = "API keys"
	switch {
	case k.err != nil:
		return fail(name, "holdfast keys new --name shop --role order >> "+c.Access.APIKeys, "%v", k.err)
	case k.exposed:
		return warn(name, "chmod 0600 "+c.Access.APIKeys, "%s can be read by all, or changed by others than its owner", c.Access.APIKeys)
	}
	return pass(name, "%d in %s", k.count, c.Access.APIKeys)
}
