package peercert

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// file is one to write.
type file struct {
	path string
	text []byte
}

// pairOf returns the files of a certificate and its key, the key first: a certificate that is there has its key.
func pairOf(certPath string, der []byte, keyPath string, key crypto.Signer) ([]file, error) {
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("%w: encode the key: %w", ErrRequest, err)
	}
	return []file{
		{keyPath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})},
		{certPath, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})},
	}, nil
}

// readAuthority reads the authority of a directory; nil when there is none.
func readAuthority(certPath, keyPath string) (*authority, error) {
	_, certErr := os.Stat(certPath)
	_, keyErr := os.Stat(keyPath)
	if errors.Is(certErr, fs.ErrNotExist) && errors.Is(keyErr, fs.ErrNotExist) {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(certPath, keyPath)
	if err != nil {
		return nil, fmt.Errorf("%w %s, %s: %w", ErrFiles, certPath, keyPath, err)
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok || !pair.Leaf.IsCA {
		return nil, fmt.Errorf("%w %s, %s: %w", ErrFiles, certPath, keyPath, errOtherKey)
	}
	return &authority{cert: pair.Leaf, key: key}, nil
}

// writeAll writes every file or none.
func writeAll(dir string, files []file) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("%w: %w", ErrRequest, err)
	}
	for _, f := range files {
		if _, err := os.Lstat(f.path); err == nil {
			return fmt.Errorf("%w: %s: a certificate is renewed by moving it away first, with its key", ErrExists, f.path)
		}
	}
	for i, f := range files {
		if err := writeNew(f); err != nil {
			for _, done := range files[:i] {
				_ = os.Remove(done.path)
			}
			return err
		}
	}
	return nil
}

// writeNew writes a file that only its owner can read and that is not there yet.
func writeNew(f file) error {
	out, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s", ErrExists, f.path)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRequest, err)
	}
	_, err = out.Write(f.text)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		_ = os.Remove(f.path)
		return fmt.Errorf("%w: write %s: %w", ErrRequest, f.path, err)
	}
	return nil
}
