package peercert

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// ServerConfig returns how the end that was dialled speaks TLS, with the files that are in force now: make one for each connection. Which node
// dialled is not known before its handshake says so; compare that with Names.
func (id *Identity) ServerConfig() *tls.Config {
	m := id.current.Load()
	c := m.config(x509.ExtKeyUsageClientAuth, "")
	c.ClientAuth, c.ClientCAs = tls.RequireAnyClientCert, m.roots
	c.Certificates = []tls.Certificate{m.pair}
	return c
}

// ClientConfig returns how the end that dials speaks TLS, for one connection. The other must be the node of that name; "" takes any of the cluster.
func (id *Identity) ClientConfig(want string) *tls.Config {
	m := id.current.Load()
	c := m.config(x509.ExtKeyUsageServerAuth, want)
	// The library would compare a host name. VerifyConnection does all that it skips, and the node id.
	c.InsecureSkipVerify = true
	// Whatever the other asks for: it shall see this certificate and say what is wrong with it.
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &m.pair, nil }
	return c
}

// config is what both ends share. Nothing is resumed: each connection is verified against the authorities in force.
func (m *material) config(usage x509.ExtKeyUsage, want string) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			if err := verify(s.PeerCertificates, m.roots, usage); err != nil {
				return err
			}
			leaf := s.PeerCertificates[0]
			if len(Nodes(leaf)) == 0 || want != "" && !Names(leaf, want) {
				return fmt.Errorf("%w: wanted node %s, met one %s", ErrOtherNode, orAny(want), described(leaf))
			}
			return nil
		},
	}
}

func orAny(node string) string {
	if node == "" {
		return "of this cluster"
	}
	return node
}

// verify checks a chain, the leaf first, against the authorities.
func verify(chain []*x509.Certificate, roots *x509.CertPool, usage x509.ExtKeyUsage) error {
	if len(chain) == 0 {
		return fmt.Errorf("%w: there is none", ErrUnverified)
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: time.Now(), KeyUsages: []x509.ExtKeyUsage{usage},
	})
	if err == nil {
		return nil
	}
	if ends := chain[0].NotAfter; outOfTime(err) && time.Now().After(ends) {
		return fmt.Errorf("%w: the one %s expired on %s: %w", ErrUnverified, described(chain[0]), ends.UTC().Format(time.DateTime), err)
	}
	if unknown := (x509.UnknownAuthorityError{}); errors.As(err, &unknown) {
		return fmt.Errorf("%w: the one %s is signed by %q, which is none of --peer-ca: %w", ErrUnverified, described(chain[0]),
			chain[0].Issuer.CommonName, err)
	}
	return fmt.Errorf("%w: the one %s: %w", ErrUnverified, described(chain[0]), err)
}
