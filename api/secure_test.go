package api

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/api/access"
)

// files are a certificate and its private key on disk.
type files struct{ cert, key string }

func newFiles(t testing.TB) files {
	dir := t.TempDir()
	return files{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
}

// issue replaces the files by a new certificate of that serial number for host h, valid around when.
func (f files) issue(t testing.TB, serial int64, when time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "h"}, DNSNames: []string{"h"},
		NotBefore: when.Add(-time.Hour), NotAfter: when.Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{f.cert: {Type: "CERTIFICATE", Bytes: cert}, f.key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (f files) load(t testing.TB) func(*Config) {
	t.Helper()
	certificate, err := access.LoadCertificate(f.cert, f.key)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) { c.Certificate = certificate }
}

// caller is a TLS connection to the public listener. Certificates are told apart by their serial numbers here, and verified in the tests of processes.
func (w *wire) caller(t *testing.T) *tls.Conn {
	t.Helper()
	return tls.Client(w.publicAt.dial(t), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
}

func ordering(t *testing.T, c *tls.Conn, from *bufio.Reader, key string, want int) {
	t.Helper()
	go func() {
		if _, err := io.WriteString(c, rawOrder(key)); err != nil {
			t.Error(err)
		}
	}()
	if r, body := reply(t, from); r.StatusCode != want {
		t.Errorf("%d %s", r.StatusCode, body)
	}
}

// An order travels over TLS 1.3 and HTTP/1.1 on a connection that outlives a new certificate; the next connection sees that one.
func TestCertificateRotation(t *testing.T) {
	f := newFiles(t)
	f.issue(t, 1, noon)
	onWire(t, func(w *wire) {
		w.sku("shoe", `{"stock":9}`)
		old := w.caller(t)
		from := bufio.NewReader(old)
		ordering(t, old, from, "k1", 201)
		state := old.ConnectionState()
		if state.Version != tls.VersionTLS13 || state.NegotiatedProtocol != "http/1.1" || state.PeerCertificates[0].SerialNumber.Int64() != 1 {
			t.Errorf("%+v", state)
		}
		f.issue(t, 2, noon)
		if err := w.server.Reload(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.cert, []byte("half of a"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := w.server.Reload(); !errors.Is(err, access.ErrCertificate) {
			t.Errorf("%v", err)
		}
		if w.counter("reloads_total", "what", "certificate", "result", "ok") != 1 || w.counter("reloads_total", "result", "failed") != 1 {
			t.Error("the metric does not say so")
		}
		ordering(t, old, from, "k2", 201)
		fresh := w.caller(t)
		ordering(t, fresh, bufio.NewReader(fresh), "k3", 201)
		if serial := fresh.ConnectionState().PeerCertificates[0].SerialNumber.Int64(); serial != 2 {
			t.Errorf("certificate %d", serial)
		}
		if w.counter("certificate_not_after_timestamp_seconds") != float64(noon.Add(time.Hour).Unix()) {
			t.Error("the end of the certificate is not in the metric")
		}
		old.Close()
		fresh.Close()
	}, f.load(t))
}

// What does not shake hands has as long as a head has, and is counted.
func TestSlowHandshake(t *testing.T) {
	f := newFiles(t)
	f.issue(t, 1, noon)
	hello := helloOf(t)
	for name, sent := range map[string][]byte{"nothing": nil, "half a record": {0x16, 3, 1, 2}, "a hello, then nothing": hello} {
		t.Run(name, func(t *testing.T) {
			onWire(t, func(w *wire) {
				c := w.publicAt.dial(t)
				began := time.Now()
				go c.Write(sent)
				if _, err := io.ReadAll(c); err != nil {
					t.Errorf("the server does not hang up: %v", err)
				}
				if took := time.Since(began); took < DefaultHeaderTimeout || took > DefaultHeaderTimeout+time.Second {
					t.Errorf("after %v", took)
				}
				synctest.Wait()
				if w.counter("tls_handshake_failures_total", "listener", "public") != 1 || w.counter("connections", "listener", "public") != 0 {
					t.Error("the metrics do not say so")
				}
				c.Close()
			}, f.load(t))
		})
	}
}

// Nobody reads what the server writes in its handshake: that too ends in time.
func TestHandshakeNobodyReads(t *testing.T) {
	f := newFiles(t)
	f.issue(t, 1, noon)
	hello := helloOf(t)
	onWire(t, func(w *wire) {
		c := w.publicAt.dial(t)
		began := time.Now()
		if _, err := c.Write(hello); err != nil {
			t.Fatal(err)
		}
		for w.counter("connections", "listener", "public") > 0 {
			<-time.After(100 * time.Millisecond)
			if time.Since(began) > 3*DefaultHeaderTimeout {
				t.Fatal("the server waits for ever")
			}
		}
		c.Close()
	}, f.load(t))
}

// helloOf records the first flight of a TLS client.
func helloOf(t *testing.T) []byte {
	t.Helper()
	near, far := net.Pipe()
	go func() {
		// The handshake fails when the pipe is closed.
		_ = tls.Client(near, &tls.Config{InsecureSkipVerify: true}).Handshake()
	}()
	head := make([]byte, 5)
	if _, err := io.ReadFull(far, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, int(head[3])<<8|int(head[4]))
	if _, err := io.ReadFull(far, body); err != nil {
		t.Fatal(err)
	}
	near.Close()
	far.Close()
	return append(head, body...)
}

// The rows of bad input below the handler hold over TLS too, and plain HTTP is told what is wrong.
func TestBadInputOverTLS(t *testing.T) {
	f := newFiles(t)
	f.issue(t, 1, noon)
	onWire(t, func(w *wire) {
		w.sku("shoe", `{"stock":9}`)
		r, body := w.send(t, 0, rawOrder("k"))
		if r.StatusCode != 400 || !strings.Contains(body, "https") || w.counter("malformed_heads_total", "listener", "public") != 1 {
			t.Errorf("%d %s", r.StatusCode, body)
		}
		for _, row := range []struct {
			text   string
			status int
		}{
			{"nonsense\r\n\r\n", 400}, {orderHead + "X-Pad: " + long(MaxHeaderBytes+5000) + "\r\n\r\n", 431},
			{orderHead + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411}, {orderHead + "Content-Length: 100\r\n\r\n{", 408},
		} {
			c := w.caller(t)
			go io.WriteString(c, row.text)
			if r, body := reply(t, bufio.NewReader(c)); r.StatusCode != row.status || !r.Close {
				t.Errorf("%d %s", r.StatusCode, body)
			}
			c.Close()
		}
		if got := w.counter("malformed_heads_total", "listener", "public"); got != 3 {
			t.Errorf("%v malformed heads", got)
		}
		if w.core.Calls() != 1 {
			t.Error("the core was asked")
		}
	}, f.load(t))
}

// Old versions, and callers that take nothing but HTTP/2, do not get in; a connection too many is closed without a word.
func TestHandshakesRefused(t *testing.T) {
	f := newFiles(t)
	f.issue(t, 1, noon)
	onWire(t, func(w *wire) {
		for _, config := range []*tls.Config{
			{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
			{InsecureSkipVerify: true, NextProtos: []string{"h2"}},
			{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}},
		} {
			c := tls.Client(w.publicAt.dial(t), config)
			if err := c.Handshake(); err == nil {
				t.Errorf("%+v", c.ConnectionState())
			}
			c.Close()
			synctest.Wait()
		}
		if got := w.counter("tls_handshake_failures_total", "listener", "public"); got != 3 {
			t.Errorf("%v handshakes failed", got)
		}
		first := w.caller(t)
		if err := first.Handshake(); err != nil {
			t.Fatal(err)
		}
		second := w.publicAt.dial(t)
		if b, err := io.ReadAll(second); err != nil || len(b) > 0 || w.counter("connections_refused_total", "listener", "public") != 1 {
			t.Errorf("%q %v", b, err)
		}
		second.Close()
		first.Close()
	}, f.load(t), func(c *Config) { c.MaxConns = 1 })
}
