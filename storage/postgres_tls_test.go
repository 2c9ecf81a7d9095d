package storage

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/storage/pgtest"
)

// sslmode means what it means elsewhere: verify-full talks to nobody whose certificate it does not trust, disable to nobody who wants TLS.
func TestTLSAsTheURLSays(t *testing.T) {
	server := pgtest.Start(t)
	cert, key := certificate(t)
	other, _ := certificate(t)
	ours, theirs := filepath.Join(t.TempDir(), "ours.pem"), filepath.Join(t.TempDir(), "theirs.pem")
	for path, content := range map[string][]byte{ours: cert, theirs: other} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	admin := server.URL("postgres")
	run(t, admin, "alter system set ssl_cert_file = '"+server.WriteFile(t, "server.crt", cert)+"'",
		"alter system set ssl_key_file = '"+server.WriteFile(t, "server.key", key)+"'", "alter system set ssl = on", "select pg_reload_conf()")
	eventually(t, 5*time.Second, "TLS is on", func() bool {
		return strings.Contains(strings.Join(dump(t, admin, "", "show ssl"), ""), "on")
	})
	for _, tc := range []struct {
		name   string
		params []string
		tls    string
		fails  string
	}{
		{"none", []string{"sslmode", "disable"}, "[false]", ""},
		{"any", []string{"sslmode", "require"}, "[true]", ""},
		{"preferred", []string{"sslmode", "prefer"}, "[true]", ""},
		{"verified", []string{"sslmode", "verify-full", "sslrootcert", ours}, "[true]", ""},
		{"stranger", []string{"sslmode", "verify-full", "sslrootcert", theirs}, "", "certificate"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			name, _ := server.Schema(t)
			m := newModel(50, 1)
			m.change(20)
			f := mustOpen(t, config(server.URL("postgres", append(tc.params, "search_path", name, "application_name", tc.name)...), m))
			defer abandon(f)
			if tc.fails != "" {
				eventually(t, 5*time.Second, "refused", func() bool { return f.Status()[0].Err != nil })
				if err := f.Status()[0].Err; !strings.Contains(err.Error(), tc.fails) {
					t.Errorf("status: %v, want %q", err, tc.fails)
				}
				return
			}
			eventually(t, 5*time.Second, "flushed", func() bool { return m.lastFlushed() == m.at() })
			query := "select ssl from pg_stat_ssl join pg_stat_activity using (pid) where application_name = '" + tc.name + "'"
			if have := strings.Join(dump(t, admin, "", query), ""); have != tc.tls {
				t.Errorf("TLS is %s, want %s", have, tc.tls)
			}
		})
	}
}

// certificate makes a certificate for 127.0.0.1 that signs itself, and its key.
func certificate(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "database"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}
