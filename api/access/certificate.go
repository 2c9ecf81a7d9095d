package access

import (
	"crypto/tls"
	"fmt"
	"sync/atomic"
	"time"
)

// Certificate is the certificate that callers see, with its private key. Its methods may be called concurrently.
type Certificate struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]
	exposed           atomic.Bool
}

// LoadCertificate reads a chain of certificates and its private key, both in PEM. The error wraps ErrCertificate.
func LoadCertificate(certFile, keyFile string) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile}
	if err := c.Reload(); err != nil {
		return nil, err
	}
	return c, nil
}

// Reload reads the files again. Connections that are there stay, new ones see the new certificate. On an error, which wraps ErrCertificate, the
// certificate stays as it was: also when only one of the two files has been replaced so far, for then they do not belong together.
func (c *Certificate) Reload() error {
	_, err := plainFile(c.certFile)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	stat, err := plainFile(c.keyFile)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("%w %s, %s: %w", ErrCertificate, c.certFile, c.keyFile, err)
	}
	c.current.Store(&pair)
	c.exposed.Store(stat.Mode().Perm()&0o027 != 0)
	return nil
}

// Path returns the certificate's path.
func (c *Certificate) Path() string { return c.certFile }

// NotAfter returns when the certificate in force ends.
func (c *Certificate) NotAfter() time.Time { return c.current.Load().Leaf.NotAfter }

// Exposed reports whether the private key's file, as read last, can be changed by others than its owner or read by all.
func (c *Certificate) Exposed() bool { return c.exposed.Load() }

// ServerConfig returns how a listener speaks TLS: 1.2 or 1.3, forward secrecy and authenticated ciphers only, and HTTP/1.1 alone. HTTP/2 stays
// off on purpose: one connection could carry hundreds of requests, and the bound on connections would bound nothing.
func (c *Certificate) ServerConfig() *tls.Config {
	return &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
		MinVersion:     tls.VersionTLS12,
		CipherSuites: []uint16{ // of 1.2; those of 1.3 are all of this kind
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		NextProtos: []string{"http/1.1"},
	}
}
