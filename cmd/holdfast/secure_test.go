package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/api/client"
	"holdfast/cmd/holdfast/child"
)

// guarded is a node with TLS and keys, on addresses that others could reach, and the files it reads.
type guarded struct {
	t *testing.T
	*child.Node
	dir, cert, secret, keys string
	public, admin           string
	// each key as its caller knows it
	till, newTill, app, desk string
}

func launchGuarded(t *testing.T) *guarded {
	t.Helper()
	dir := t.TempDir()
	g := &guarded{t: t, dir: dir, cert: filepath.Join(dir, "cert.pem"), secret: filepath.Join(dir, "secret.pem"), keys: filepath.Join(dir, "keys.yaml")}
	g.certify(1)
	var entries []string
	for _, k := range []struct {
		name, role string
		key        *string
	}{{"shop", "order", &g.till}, {"shop", "order", &g.newTill}, {"app", "order", &g.app}, {"ops", "admin", &g.desk}} {
		out, err := exec.Command(program(t), "keys", "new", "--name", k.name, "--role", k.role).Output()
		key, entry, ok := strings.Cut(string(out), "\n")
		if err != nil || !ok {
			t.Fatalf("%s %v", out, err)
		}
		*k.key, entries = key, append(entries, entry)
	}
	g.write(g.keys, strings.Join(entries, ""))
	g.Node = launch(t, filepath.Join(dir, "data"), "--http", "0.0.0.0:0", "--admin", "0.0.0.0:0", "--tls-cert", g.cert, "--tls-key", g.secret,
		"--api-keys", g.keys)
	g.public, g.admin = g.url(g.Ready.HTTP), g.url(g.Ready.Admin)
	return g
}

func (g *guarded) url(addr string) string {
	g.t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		g.t.Fatal(err)
	}
	return "https://127.0.0.1:" + port
}

func (g *guarded) write(path, text string) {
	g.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// certify replaces the certificate by one of that serial number, which vouches for itself.
func (g *guarded) certify(serial int64) {
	g.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		g.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		g.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		g.t.Fatal(err)
	}
	g.write(g.cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	g.write(g.secret, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
}

// reload sends SIGHUP and waits until the log says what came of it.
func (g *guarded) reload(outcome string) {
	g.t.Helper()
	before := strings.Count(g.Log(), outcome)
	if err := syscall.Kill(g.PID(), syscall.SIGHUP); err != nil {
		g.t.Fatal(err)
	}
	for deadline := time.After(10 * time.Second); strings.Count(g.Log(), outcome) == before; {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			g.t.Fatalf("the log never says %q:\n%s", outcome, g.Log())
		}
	}
}

func (g *guarded) authorities() *x509.CertPool {
	g.t.Helper()
	text, err := os.ReadFile(g.cert)
	if err != nil {
		g.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool
}

// with returns a client that presents a key.
func (g *guarded) with(key string) *client.Client {
	g.t.Helper()
	c, err := client.New(client.Config{Addr: g.public, AdminAddr: g.admin, APIKey: key, RootCAs: g.authorities()})
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(c.Close)
	return c
}

// audited returns the lines of the audit log.
func (g *guarded) audited() (lines []map[string]any) {
	g.t.Helper()
	f, err := os.Open(filepath.Join(g.dir, "data", "audit.log"))
	if err != nil {
		g.t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var line map[string]any
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			g.t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

// An order travels over TLS with a key, on an address that others can reach. Without, with a wrong, a revoked and an order key on the admin
// listener: 401, 401, 401, 403, each in the audit log; and no key is in any log.
func TestGuardedNode(t *testing.T) {
	g := launchGuarded(t)
	ctx := t.Context()
	if _, err := g.with(g.desk).CreateSKU(ctx, client.SKUSpec{SKU: "sneaker", Stock: 10}); err != nil {
		t.Fatal(err)
	}
	place := func(key string) client.Placed {
		t.Helper()
		o, err := g.with(key).PlaceOrder(ctx, "cart-1", client.NewOrder{SKU: "sneaker", User: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	first := place(g.till)
	if again := place(g.newTill); again.ID != first.ID || !again.Replayed {
		t.Errorf("two keys of one name: %+v", again)
	}
	if other := place(g.app); other.ID == first.ID || other.Replayed {
		t.Errorf("a key of another name: %+v", other)
	}
	text, err := os.ReadFile(g.keys)
	if err != nil {
		t.Fatal(err)
	}
	entries := strings.SplitAfter(string(text), "\n")
	g.write(g.keys, strings.Join(entries[1:], ""))
	g.reload("read again")
	for _, row := range []struct {
		key, code string
	}{{"", "unauthenticated"}, {"hf_wrong", "unauthenticated"}, {g.till, "unauthenticated"}, {g.newTill, "forbidden"}} {
		if _, err := g.with(row.key).SKU(ctx, "sneaker"); client.CodeOf(err) != row.code {
			t.Errorf("%v, not %s", err, row.code)
		}
	}
	if _, err := g.with(g.till).PlaceOrder(ctx, "cart-2", client.NewOrder{SKU: "sneaker", User: "ada"}); client.CodeOf(err) != "unauthenticated" {
		t.Errorf("a revoked key: %v", err)
	}
	lines := g.audited()
	if len(lines) != 6 || lines[0]["event"] != "asked" || lines[1]["event"] != "answered" || lines[1]["key_name"] != "ops" || lines[1]["sku"] != "sneaker" {
		t.Fatalf("%v", lines)
	}
	for i, status := range []float64{401, 401, 401, 403} {
		if line := lines[2+i]; line["event"] != "refused" || line["status"] != status || line["call"] != "GET /v1/skus/sneaker" {
			t.Errorf("%v", line)
		}
	}
	g.write(g.keys, "- {name: shop, role: order, sha256: "+g.till+"}")
	g.reload("could not be read again")
	if _, err := g.with(g.desk).SKU(ctx, "sneaker"); err != nil {
		t.Errorf("a bad file took a key out of force: %v", err)
	}
	stop(t, g.Node)
	audit, err := os.ReadFile(filepath.Join(g.dir, "data", "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{g.till, g.newTill, g.app, g.desk} {
		if strings.Contains(g.Log(), key) || bytes.Contains(audit, []byte(key)) {
			t.Error("a log tells a key")
		}
	}
}

// SIGHUP changes the certificate for new connections and leaves those that are there alone, in the middle of a request too.
func TestCertificateIsReadAgain(t *testing.T) {
	g := launchGuarded(t)
	var reused []bool
	trace := &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = append(reused, c.Reused) }}
	get := func(h *http.Client, body io.Reader, length int64) (serial int64, status int) {
		t.Helper()
		r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodPut, g.admin+"/v1/skus/s", body)
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = length
		r.Header.Set("Authorization", "Bearer "+g.desk)
		r.Header.Set("Content-Type", "application/json")
		resp, err := h.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.TLS.PeerCertificates[0].SerialNumber.Int64(), resp.StatusCode
	}
	caller := func() *http.Client {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: g.authorities()}, ForceAttemptHTTP2: true}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}
	const spec = `{"stock":5}`
	old := caller()
	if serial, status := get(old, strings.NewReader(spec), int64(len(spec))); serial != 1 || status != 201 {
		t.Fatalf("certificate %d, status %d", serial, status)
	}
	// The certificate changes while this request's body is half way.
	body, feed := io.Pipe()
	go func() {
		_, _ = io.WriteString(feed, spec[:4])
		g.certify(2)
		g.reload("read again")
		_, _ = io.WriteString(feed, spec[4:])
		feed.Close()
	}()
	if serial, status := get(old, body, int64(len(spec))); serial != 1 || status != 200 {
		t.Errorf("certificate %d, status %d", serial, status)
	}
	if serial, status := get(caller(), strings.NewReader(spec), int64(len(spec))); serial != 2 || status != 200 {
		t.Errorf("certificate %d, status %d", serial, status)
	}
	if !slices.Equal(reused, []bool{false, true, false}) {
		t.Errorf("connections used again: %v", reused)
	}
}

// The command line reaches a guarded node, with the key from a file or from the environment, and never from an argument.
func TestCommandsOverTLS(t *testing.T) {
	g := launchGuarded(t)
	desk, till := filepath.Join(g.dir, "desk.key"), "HOLDFAST_API_KEY="+g.till
	g.write(desk, g.desk+"\n")
	run := func(env string, args ...string) (string, int) {
		cmd := exec.Command(program(t), append(args, "--ca", g.cert)...)
		cmd.Env = append(os.Environ(), env)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	for _, row := range []struct {
		env  string
		args []string
		code int
		want string
	}{
		{"", []string{"sku", "create", "shoe", "--stock", "5", "--admin-addr", g.admin, "--api-key-file", desk}, 0, "shoe"},
		{till, []string{"order", "place", "shoe", "--user", "ada", "--addr", g.public}, 0, "held"},
		{till, []string{"sku", "list", "--admin-addr", g.admin}, 1, "forbidden (403)"},
		{till, []string{"sku", "list", "--admin-addr", g.admin, "--api-key-file", desk}, 0, "shoe"},
		{"", []string{"sku", "list", "--admin-addr", g.admin}, 1, "unauthenticated (401)"},
		{"", []string{"sku", "list", "--admin-addr", g.admin, "--api-key-file", desk + ".none"}, 2, "--api-key-file"},
		{"", []string{"sku", "list", "--admin-addr", g.admin, "--api-key-file", g.keys}, 2, "one key and nothing else"},
		{"", []string{"sku", "list", "--admin-addr", strings.Replace(g.admin, "https", "http", 1)}, 3, "use https"},
	} {
		out, code := run(row.env, row.args...)
		if code != row.code || !strings.Contains(out, row.want) || strings.Contains(out, g.till) || strings.Contains(out, g.desk) {
			t.Errorf("%q: exit code %d\n%s", row.args, code, out)
		}
	}
	// Nobody but the given authority is believed.
	cmd := exec.Command(program(t), "sku", "list", "--admin-addr", g.admin, "--api-key-file", desk)
	if out, err := cmd.CombinedOutput(); err == nil || cmd.ProcessState.ExitCode() != 3 || !strings.Contains(string(out), "certificate") {
		t.Errorf("%v\n%s", err, out)
	}
}

// Addresses that others can reach need TLS and keys, both.
func TestUnguardedAddresses(t *testing.T) {
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys.yaml")
	entry := "- {name: a, role: admin, sha256: " + strings.Repeat("0", 64) + "}\n"
	if err := os.WriteFile(keys, []byte(entry), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	for i, args := range [][]string{
		{"--http", "0.0.0.0:0"}, {"--admin", ":0"}, {"--http", "0.0.0.0:0", "--api-keys", keys}, {"--peer", "0.0.0.0:0"},
		{"--http", ":0", "--tls-cert", keys, "--tls-key", keys},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			if code, text := refused(t, serveArgs(data, args...)...); code != 2 || !strings.Contains(text, "--insecure") {
				t.Errorf("%q: exit code %d: %s", args, code, text)
			}
			if _, err := os.Stat(data); !os.IsNotExist(err) {
				t.Errorf("%q: the data directory is there", args)
			}
		})
	}
	n := launch(t, data, "--http", "0.0.0.0:0", "--insecure")
	stop(t, n)
}
