package peercert

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// Identity is a node's certificate, its private key and the authorities it believes of others. Its methods may be called concurrently.
type Identity struct {
	node                      string
	certFile, keyFile, caFile string
	current                   atomic.Pointer[material]
}

// material is what was read from the files at one time.
type material struct {
	pair    tls.Certificate
	roots   *x509.CertPool
	exposed bool
}

// Load reads the certificate of a node with its chain, its private key, and the authorities that others must be vouched for by, all in PEM. The
// error wraps ErrFiles; ErrOtherNode when the certificate does not name the node, ErrUnverified when those same authorities do not vouch for it.
// One that has expired is loaded: it keeps no node from starting, and every connection says so.
func Load(node, certFile, keyFile, caFile string) (*Identity, error) {
	id := &Identity{node: node, certFile: certFile, keyFile: keyFile, caFile: caFile}
	if err := id.Reload(); err != nil {
		return nil, err
	}
	return id, nil
}

// Reload reads the files again. On an error, as Load's, everything stays as it was: also when only one of two files has been replaced so far, for
// then they do not belong together.
func (id *Identity) Reload() error {
	read, err := id.read()
	if err != nil {
		return err
	}
	id.current.Store(read)
	return nil
}

func (id *Identity) read() (*material, error) {
	pair, err := tls.LoadX509KeyPair(id.certFile, id.keyFile)
	if err != nil {
		return nil, fmt.Errorf("%w %s, %s: %w", ErrFiles, id.certFile, id.keyFile, err)
	}
	stat, err := os.Stat(id.keyFile)
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrFiles, id.keyFile, err)
	}
	text, err := os.ReadFile(id.caFile)
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrFiles, id.caFile, err)
	}
	m := &material{pair: pair, roots: x509.NewCertPool(), exposed: stat.Mode().Perm()&0o027 != 0}
	if !m.roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%w %s: there is no certificate in it", ErrFiles, id.caFile)
	}
	if !Names(pair.Leaf, id.node) {
		return nil, fmt.Errorf("%w %s: %w: this node is %s, the certificate is one %s", ErrFiles, id.certFile, ErrOtherNode, id.node, described(pair.Leaf))
	}
	chain := []*x509.Certificate{pair.Leaf}
	for _, der := range pair.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%w %s: %w", ErrFiles, id.certFile, err)
		}
		chain = append(chain, c)
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		if err := verify(chain, m.roots, usage); err != nil && !outOfTime(err) {
			return nil, fmt.Errorf("%w %s: against the authorities in %s: %w", ErrFiles, id.certFile, id.caFile, err)
		}
	}
	return m, nil
}

// outOfTime reports whether all that is wrong with a certificate is when it is used.
func outOfTime(err error) bool {
	var invalid x509.CertificateInvalidError
	return errors.As(err, &invalid) && invalid.Reason == x509.Expired
}

// Node returns the id of the node.
func (id *Identity) Node() string { return id.node }

// Path returns the certificate's path.
func (id *Identity) Path() string { return id.certFile }

// NotAfter returns when the certificate in force ends.
func (id *Identity) NotAfter() time.Time { return id.current.Load().pair.Leaf.NotAfter }

// Exposed reports whether the private key's file, as read last, can be changed by others than its owner or read by all.
func (id *Identity) Exposed() bool { return id.current.Load().exposed }
