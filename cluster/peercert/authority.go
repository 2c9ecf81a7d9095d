package peercert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"path/filepath"
	"time"
)

// The bounds of what Make makes.
const (
	MaxNodes = 100
	MaxDays  = 3650
	// authorityDays is how long a new authority lasts.
	authorityDays = 3650
	// backdate lets clocks differ: a certificate made now is already good on a node that is a little behind.
	backdate = time.Hour
)

// Request says what to make.
type Request struct {
	// Dir is the directory, made when missing. An authority in it is used, otherwise one is made.
	Dir string
	// Nodes are the ids to make certificates for, at least one.
	Nodes []string
	// Days is how long they last.
	Days int
	// Now is the time at which they begin. Default: the machine's.
	Now time.Time
}

// Made says what was made, and where.
type Made struct {
	CA, CAKey string
	// NewAuthority: there was none in the directory before.
	NewAuthority bool
	Nodes        []NodeFiles
}

// NodeFiles are one node's files.
type NodeFiles struct {
	Node, Cert, Key string
	NotAfter        time.Time
}

// Paths returns where Make puts the certificate and the key of a node.
func Paths(dir, node string) (cert, key string) {
	name := filepath.Join(dir, "node-"+url.PathEscape(node))
	return name + ".crt", name + ".key"
}

func authorityPaths(dir string) (cert, key string) {
	return filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key")
}

// authority is one that signs.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// Make makes a certificate and a key for each node, signed by the authority in the directory. Nothing is ever replaced: when one of the files is
// there the error wraps ErrExists and nothing was written. Other errors wrap ErrRequest, or ErrFiles for an authority that cannot be used.
func Make(r Request) (*Made, error) {
	if r.Now.IsZero() {
		r.Now = time.Now()
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	made := &Made{}
	made.CA, made.CAKey = authorityPaths(r.Dir)
	var files []file
	ca, err := readAuthority(made.CA, made.CAKey)
	if err == nil && ca == nil {
		made.NewAuthority = true
		ca, files, err = newAuthority(made, r.Now)
	}
	if err != nil {
		return nil, err
	}
	for _, node := range r.Nodes {
		n, pair, err := ca.issue(&r, node)
		if err != nil {
			return nil, err
		}
		made.Nodes, files = append(made.Nodes, n), append(files, pair...)
	}
	return made, writeAll(r.Dir, files)
}

func (r *Request) check() error {
	switch {
	case r.Dir == "":
		return fmt.Errorf("%w: no directory is named", ErrRequest)
	case len(r.Nodes) < 1 || len(r.Nodes) > MaxNodes:
		return fmt.Errorf("%w: certificates for %d nodes: 1 to %d", ErrRequest, len(r.Nodes), MaxNodes)
	case r.Days < 1 || r.Days > MaxDays:
		return fmt.Errorf("%w: %d days: 1 to %d", ErrRequest, r.Days, MaxDays)
	}
	seen := make(map[string]bool)
	for _, node := range r.Nodes {
		if seen[node] || node == "" {
			return fmt.Errorf("%w: node %q is named twice, or has no name", ErrRequest, node)
		}
		seen[node] = true
	}
	return nil
}

// newAuthority makes one, and its files.
func newAuthority(made *Made, now time.Time) (*authority, []file, error) {
	key, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "holdfast development authority " + now.UTC().Format(time.DateTime)},
		NotBefore: now.Add(-backdate), NotAfter: now.AddDate(0, 0, authorityDays),
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	ca := &authority{cert: template, key: key}
	signed, err := ca.sign(template, key)
	if err != nil {
		return nil, nil, err
	}
	if ca.cert, err = x509.ParseCertificate(signed); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	files, err := pairOf(made.CA, signed, made.CAKey, key)
	return ca, files, err
}

// issue makes a node's certificate and key.
func (a *authority) issue(r *Request, node string) (NodeFiles, []file, error) {
	n := NodeFiles{Node: node, NotAfter: r.Now.AddDate(0, 0, r.Days).Truncate(time.Second)}
	n.Cert, n.Key = Paths(r.Dir, node)
	if n.NotAfter.After(a.cert.NotAfter) {
		return n, nil, fmt.Errorf("%w: the authority ends on %s, before the certificate of %s would: fewer days, or another directory",
			ErrRequest, a.cert.NotAfter.UTC().Format(time.DateOnly), node)
	}
	key, err := newKey()
	if err != nil {
		return n, nil, err
	}
	signed, err := a.sign(&x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "holdfast node"}, URIs: []*url.URL{NameOf(node)},
		NotBefore: r.Now.Add(-backdate), NotAfter: n.NotAfter, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, key)
	if err != nil {
		return n, nil, err
	}
	files, err := pairOf(n.Cert, signed, n.Key, key)
	return n, files, err
}

func (a *authority) sign(template *x509.Certificate, key crypto.Signer) ([]byte, error) {
	signed, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("%w: sign: %w", ErrRequest, err)
	}
	return signed, nil
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("%w: draw a key: %w", ErrRequest, err)
	}
	return key, nil
}

// serial draws 127 bits: a serial number is positive and has at most 20 bytes.
func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // It never fails; the program ends when there is no randomness.
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:])
}

var errOtherKey = errors.New("the key is not that of the certificate, or the certificate is no authority's")
