//go:build unix

package access

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

// A pipe that nobody writes into, a device without an end and a directory are refused at once, as keys and as a certificate.
func TestOnlyFilesAreRead(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, "/dev/zero", t.TempDir()} {
		if _, err := LoadKeys(path); !errors.Is(err, ErrKeysFile) || !errors.Is(err, errNotPlain) {
			t.Errorf("keys: %v", err)
		}
		if _, err := LoadCertificate(path, path); !errors.Is(err, ErrCertificate) || !errors.Is(err, errNotPlain) {
			t.Errorf("a certificate: %v", err)
		}
	}
}
