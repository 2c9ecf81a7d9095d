package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/api/access"
	"holdfast/api/audit"
	"holdfast/stock"
)

// entryOf is the line of a file of keys that lets a key in.
func entryOf(name, role, key string) string {
	sum := sha256.Sum256([]byte(key))
	return fmt.Sprintf("- {name: %s, role: %s, sha256: %s}\n", name, role, hex.EncodeToString(sum[:]))
}

// keysIn puts entries into a file.
func keysIn(t testing.TB, path string, entries ...string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(entries, "")), 0o600); err != nil {
		t.Fatal(err)
	}
}

func withKeys(t testing.TB, entries ...string) func(*Config) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.yaml")
	keysIn(t, path, entries...)
	return withKeysFile(t, path)
}

func withKeysFile(t testing.TB, path string) func(*Config) {
	t.Helper()
	keys, err := access.LoadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) { c.Keys = keys }
}

// withAudit keeps the audit log at path.
func withAudit(t testing.TB, path string) func(*Config) {
	t.Helper()
	log, err := audit.Open(audit.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(c *Config) { c.Audit = log }
}

func auditLines(t testing.TB, path string) []audit.Record {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var records []audit.Record
	for decoder := json.NewDecoder(strings.NewReader(string(text))); ; {
		var r audit.Record
		if err := decoder.Decode(&r); err == io.EOF {
			return records
		} else if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		records = append(records, r)
	}
}

// Without a key, with a wrong one, a revoked one, and an order key on the admin listener: 401, 401, 401, 403, before anything else is looked at, and
// each in the audit log.
func TestWhoMayCall(t *testing.T) {
	dir := t.TempDir()
	path, log := filepath.Join(dir, "keys.yaml"), filepath.Join(dir, "audit.log")
	keysIn(t, path, entryOf("shop", "order", "till"), entryOf("ops", "admin", "desk"), entryOf("gone", "admin", "fired"))
	s := newShop(t, withKeysFile(t, path), withAudit(t, log))
	s.key = "fired"
	s.want(s.admin("GET /v1/skus", ""), 200, "")
	keysIn(t, path, entryOf("shop", "order", "till"), entryOf("ops", "admin", "desk"))
	if err := s.server.Reload(); err != nil {
		t.Fatal(err)
	}
	calls := []string{"GET /v1/skus", "PUT /v1/skus/shoe", "GET /metrics", "GET /debug/pprof/", "GET /no/such", "GET /v1//x", "DELETE /v1/skus/shoe"}
	refusals := 0
	for _, call := range calls {
		for _, row := range []struct {
			key, code, name string
			status          int
		}{{"", "unauthenticated", "", 401}, {"wrong", "unauthenticated", "", 401}, {"fired", "unauthenticated", "", 401}, {"till", "forbidden", "shop", 403}} {
			s.key = row.key
			a := s.admin(call, `{"stock":"x"`, "X-Request-Id: r-"+row.code)
			s.want(a, row.status, row.code)
			if (a.header.Get("Www-Authenticate") == `Bearer realm="holdfast"`) != (row.status == 401) || a.header.Get("Connection") != "close" {
				t.Errorf("%s: %v", call, a.header)
			}
			lines := auditLines(t, log)
			if refusals++; len(lines) != refusals {
				t.Fatalf("%d lines after %d refusals", len(lines), refusals)
			}
			got := lines[len(lines)-1]
			if got.Event != audit.Refused || got.Status != row.status || got.Code != row.code || got.KeyName != row.name || got.Call != call ||
				got.RequestID != "r-"+row.code || got.Remote == "" || !got.Time.Equal(noon) {
				t.Errorf("%s with %q: %+v", call, row.key, got)
			}
		}
	}
	s.key = "wrong"
	s.want(s.public(placing, orderText, "Idempotency-Key: k"), 401, "unauthenticated")
	s.want(s.public("GET /no/such", ""), 401, "unauthenticated")
	if s.core.Calls() != 1 || len(auditLines(t, log)) != refusals {
		t.Errorf("%d calls of the core", s.core.Calls())
	}
	s.key = "till"
	s.want(s.public(placing, orderText, "Idempotency-Key: k"), 404, "sku_not_found")
	s.key = "desk"
	s.want(s.public(placing, orderText, "Idempotency-Key: k"), 404, "sku_not_found")
	s.want(s.admin("GET /no/such", ""), 404, "route_not_found")
	s.key = ""
	for _, probe := range []string{"GET /livez", "GET /readyz", "GET /version", "HEAD /livez"} {
		s.want(s.public(probe, ""), 200, "")
		s.want(s.admin(probe, ""), 200, "")
	}
}

// A key name is a scope of idempotency keys: one key under two names is two orders, under two entries of one name it is one.
func TestScopeOfIdempotencyKeys(t *testing.T) {
	s := newShop(t, withKeys(t, entryOf("shop", "order", "old"), entryOf("shop", "order", "new"), entryOf("app", "order", "app"), entryOf("ops", "admin", "desk")))
	s.key = "desk"
	s.sku("shoe", `{"stock":5}`)
	place := func(key string) string {
		s.key = key
		return s.place("k", `{"sku":"shoe","user":"ann"}`)
	}
	first := place("old")
	if place("new") != first {
		t.Error("another key of the same name is another scope")
	}
	if place("app") == first {
		t.Error("another name is the same scope")
	}
	s.key = "new"
	if m := s.want(s.public("GET /v1/skus/shoe/outcomes/k", ""), 200, ""); m["order"].(map[string]any)["id"] != first {
		t.Errorf("%v", m)
	}
	s.key = "desk"
	s.want(s.public("GET /v1/skus/shoe/outcomes/k", ""), 404, "outcome_not_seen")
}

// Each change has a line before it and one after, with who, what and the result; what is only read has none.
func TestAuditOfChanges(t *testing.T) {
	log := filepath.Join(t.TempDir(), "audit.log")
	s := newShop(t, withKeys(t, entryOf("ops", "admin", "desk")), withAudit(t, log))
	s.key = "desk"
	name := strings.Repeat("n", 128)
	for i, row := range []struct {
		call, body, sku, change string
		status                  int
		code                    string
	}{
		{"PUT /v1/skus/shoe", "{\n\t\"stock\": 5 }", "shoe", `{"stock":5}`, 201, ""},
		{"PUT /v1/skus/shoe", `{"stock":6}`, "shoe", `{"stock":6}`, 409, "sku_exists"},
		{"PATCH /v1/skus/shoe", `{"hot":true}`, "shoe", `{"hot":true}`, 200, ""},
		{"POST /v1/skus/shoe/adjustments", `{"delta":-1,"reason":"broken"}`, "shoe", `{"delta":-1,"reason":"broken"}`, 200, ""},
		{"POST /v1/skus/shoe/freeze", "", "shoe", "", 200, ""},
		{"POST /v1/skus/" + name + "/unfreeze", "{}", name, "", 404, "sku_not_found"},
	} {
		s.admin(row.call, row.body, "Idempotency-Key: k", fmt.Sprint("X-Request-Id: r", i))
		lines := auditLines(t, log)
		if len(lines) != 2*i+2 {
			t.Fatalf("%s: %d lines", row.call, len(lines))
		}
		asked, answered := lines[2*i], lines[2*i+1]
		for _, r := range []audit.Record{asked, answered} {
			if r.KeyName != "ops" || r.Call != row.call || r.SKU != row.sku || string(r.Change) != row.change || r.RequestID != fmt.Sprint("r", i) {
				t.Errorf("%+v", r)
			}
		}
		if asked.Event != audit.Asked || asked.Status != 0 || answered.Event != audit.Answered || answered.Status != row.status || answered.Code != row.code {
			t.Errorf("%+v %+v", asked, answered)
		}
	}
	before := len(auditLines(t, log))
	s.want(s.admin("GET /v1/skus/shoe", ""), 200, "")
	s.want(s.public(placing, orderText, "Idempotency-Key: k"), 423, "frozen")
	if after := len(auditLines(t, log)); after != before {
		t.Errorf("%d lines about what was read or ordered", after-before)
	}
	// What is not even a change has only its answer.
	s.want(s.admin("PUT /v1/skus/cup", `{"stock":-1}`), 400, "invalid_value")
	s.server.Drain()
	s.want(s.admin("PUT /v1/skus/cup", `{"stock":1}`), 503, "draining")
	rest := auditLines(t, log)[before:]
	if len(rest) != 2 || rest[0].Event != audit.Answered || rest[0].Code != "invalid_value" || rest[1].Code != "draining" {
		t.Errorf("%+v", rest)
	}
	text, err := os.ReadFile(log)
	if err != nil || strings.Contains(string(text), "desk") {
		t.Errorf("the log tells the key: %v", err)
	}
}

// While the audit log cannot be written no change is made, buyers buy, and what is only read is read.
func TestFullAuditLog(t *testing.T) {
	log := filepath.Join(t.TempDir(), "audit.log")
	s := newShop(t, withAudit(t, log))
	s.sku("shoe", `{"stock":5}`)
	if err := os.Rename(log, log+".full"); err != nil {
		t.Fatal(err)
	}
	if err := s.server.Reload(); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(log, 0o700); err != nil {
		t.Fatal(err)
	}
	hash := s.core.Hash()
	for call, body := range map[string]string{
		"PUT /v1/skus/cup": `{"stock":1}`, "PATCH /v1/skus/shoe": `{"hot":true}`, "POST /v1/skus/shoe/freeze": "",
		"POST /v1/skus/shoe/adjustments": `{"delta":1,"reason":"found"}`,
	} {
		a := s.admin(call, body, "Idempotency-Key: k")
		if m := s.want(a, 503, "overloaded"); m["bound"] != "audit-log" || a.header.Get("Retry-After") != "1" {
			t.Errorf("%v", m)
		}
	}
	if s.core.Hash() != hash {
		t.Error("a change was made")
	}
	s.place("k", `{"sku":"shoe","user":"ann"}`)
	s.want(s.admin("GET /v1/skus/shoe", ""), 200, "")
	if err := os.Remove(log); err != nil {
		t.Fatal(err)
	}
	s.want(s.admin("PATCH /v1/skus/shoe", `{"hot":true}`), 200, "")
	if got := auditLines(t, log); len(got) != 2 {
		t.Errorf("%+v", got)
	}
}

// The node's log has the route of a change that the audit log cannot hold, not the SKU.
func TestAuditFailureTellsNoSKU(t *testing.T) {
	log := filepath.Join(t.TempDir(), "audit.log")
	var told bytes.Buffer
	kept, err := audit.Open(audit.Config{Path: log, Logger: slog.New(slog.NewTextHandler(&told, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s := newShop(t, func(c *Config) { c.Audit = kept })
	if err := errors.Join(os.Remove(log), kept.Reopen(), os.Mkdir(log, 0o700)); err != nil {
		t.Fatal(err)
	}
	s.want(s.admin("PUT /v1/skus/secret-shoe", `{"stock":5}`), 503, "overloaded")
	if text := told.String(); strings.Contains(text, "secret-shoe") || !strings.Contains(text, `route="PUT /v1/skus/{sku}"`) {
		t.Errorf("%s", text)
	}
	if err := kept.Close(); err != nil {
		t.Error(err)
	}
}

// A change whose answer cannot be written down was made, and is answered as made.
func TestAuditFailsAfterTheChange(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s := newShop(t, withAudit(t, filepath.Join(dir, "audit.log")))
	broken := false
	s.core.Before = nil
	s.server.cfg.Core = afterwards{s.server.cfg.Core, func() {
		if !broken {
			broken = os.RemoveAll(dir) == nil && s.server.cfg.Audit.Reopen() == nil
		}
	}}
	s.want(s.admin("PUT /v1/skus/shoe", `{"stock":5}`), 201, "")
	if !broken {
		t.Fatal("nothing was broken")
	}
	s.want(s.admin("PUT /v1/skus/cup", `{"stock":5}`), 503, "overloaded")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s.want(s.admin("PUT /v1/skus/cup", `{"stock":5}`), 201, "")
}

// A browser's call for a page of another site is refused; everybody else's is not.
func TestCrossSite(t *testing.T) {
	log := filepath.Join(t.TempDir(), "audit.log")
	s := newShop(t, withAudit(t, log))
	s.sku("shoe", `{"stock":5}`)
	hash := s.core.Hash()
	freeze := "POST http://127.0.0.1:8081/v1/skus/shoe/freeze"
	var headers = []string{
		"Origin: http://shop.example", "Origin: null", "Origin: http://127.0.0.1:3000", "Origin: http://localhost:8081", "Origin: ://",
		"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site",
	}
	for _, header := range headers {
		s.want(s.admin(freeze, "", header), 403, "forbidden")
		s.want(s.public("POST http://127.0.0.1:8081/v1/orders/"+someID+"/cancel", "", header), 403, "forbidden")
	}
	// A name that somebody pointed here makes a page look like ours. With keys, a page that has one is.
	rebound := []string{"Origin: http://shop.example:8081", "Sec-Fetch-Site: same-origin"}
	s.want(s.admin("POST http://shop.example:8081/v1/skus/shoe/freeze", "", rebound...), 403, "forbidden")
	if s.core.Hash() != hash {
		t.Fatal("somebody else's page changed something")
	}
	if got := auditLines(t, log); len(got) != 2+len(headers)+1 || got[3].Code != "forbidden" {
		t.Errorf("%d lines", len(got))
	}
	for _, header := range []string{"Origin: http://127.0.0.1:8081", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none", "Accept: */*"} {
		s.want(s.admin(freeze, "", header), 200, "")
	}
	s.want(s.admin("POST http://localhost:8081/v1/skus/shoe/freeze", "", "Origin: http://localhost:8081"), 200, "")
	s.want(s.admin("GET http://127.0.0.1:8081/v1/skus", "", "Sec-Fetch-Site: cross-site", "Origin: http://shop.example"), 200, "")
	keyed := newShop(t, withKeys(t, entryOf("ops", "admin", "desk")))
	keyed.key = "desk"
	keyed.sku("shoe", `{"stock":5}`)
	keyed.want(keyed.admin("POST http://shop.example:8081/v1/skus/shoe/freeze", "", rebound...), 200, "")
	keyed.want(keyed.admin(freeze, "", headers[0]), 403, "forbidden")
}

// Without keys, a listener that only its own machine reaches answers nobody who calls it by a name that somebody could have pointed there, whatever is
// asked; probes are for all. With keys, or where others reach it and a proxy may stand in front, names are welcome.
func TestRebinding(t *testing.T) {
	log := filepath.Join(t.TempDir(), "audit.log")
	s := newShop(t, withAudit(t, log))
	s.sku("shoe", `{"stock":5}`)
	before := len(auditLines(t, log))
	hosts := map[string]bool{
		"shop.example": false, "shop.example:8080": false, "127.0.0.1.shop.example": false, "localhost.shop.example": false, "notlocalhost": false,
		"127.0.0.1@shop.example": false, "[shop.example]": false, ":8080": false, "127.1": false, "2130706433": false,
		"127.0.0.1": true, "127.0.0.1:8080": true, "localhost": true, "localhost:8081": true, "[::1]": true, "[::1]:8080": true, "10.0.0.1": true, "": true,
	}
	get := func(h http.Handler, call, host, key string) int {
		method, path, _ := strings.Cut(call, " ")
		r := httptest.NewRequest(method, path, nil)
		r.Host = host
		if key != "" {
			r.Header.Set("Authorization", "Bearer "+key)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == 403 && (!strings.Contains(w.Body.String(), `"code":"forbidden"`) || !strings.Contains(w.Body.String(), "as Host")) {
			t.Errorf("%s", w.Body)
		}
		return w.Code
	}
	calls := func(s *shop) map[string]http.Handler {
		return map[string]http.Handler{"GET /v1/skus/shoe/availability": s.server.Public(), "GET /v1/skus": s.server.Admin(), "GET /metrics": s.server.Admin()}
	}
	refused := 0
	for host, welcome := range hosts {
		for call, h := range calls(s) {
			if got := get(h, call, host, ""); got != 200 {
				t.Errorf("not bound to loopback, %s under %q: %d", call, host, got)
			}
		}
		s.server.public.loopback.Store(true)
		s.server.admin.loopback.Store(true)
		for call, h := range calls(s) {
			got, want := get(h, call, host, ""), map[bool]int{true: 200, false: 403}[welcome]
			if got != want {
				t.Errorf("%s under %q: %d, want %d", call, host, got, want)
			}
			if got == 403 && h == s.server.Admin() {
				refused++
			}
		}
		if get(s.server.Public(), "GET /livez", host, "") != 200 || get(s.server.Admin(), "GET /readyz", host, "") != 200 {
			t.Errorf("a probe under %q", host)
		}
		s.server.public.loopback.Store(false)
		s.server.admin.loopback.Store(false)
	}
	if got := auditLines(t, log)[before:]; len(got) != refused || got[0].Code != "forbidden" {
		t.Errorf("%d lines about %d refusals", len(got), refused)
	}
	keyed := newShop(t, withKeys(t, entryOf("ops", "admin", "desk")))
	keyed.key = "desk"
	keyed.sku("shoe", `{"stock":5}`)
	keyed.server.public.loopback.Store(true)
	keyed.server.admin.loopback.Store(true)
	for call, h := range calls(keyed) {
		if got := get(h, call, "shop.example", "desk"); got != 200 {
			t.Errorf("with a key, %s: %d", call, got)
		}
	}
}

// A server takes the rule on names from the addresses that its listeners are bound to.
func TestLoopback(t *testing.T) {
	for addr, want := range map[net.Addr]bool{
		&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}: true, &net.TCPAddr{IP: net.IPv4(127, 9, 9, 9)}: true, &net.TCPAddr{IP: net.IPv6loopback}: true,
		&net.TCPAddr{IP: net.IPv4zero}: false, &net.TCPAddr{IP: net.IPv6zero}: false, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}: false,
		&net.TCPAddr{}: false, newPipes().Addr(): false,
	} {
		if loopback(addr) != want {
			t.Errorf("%v: %v", addr, !want)
		}
	}
	s := newShop(t)
	at := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	public, admin, served := at(), at(), make(chan error, 1)
	go func() { served <- s.server.Serve(public, admin) }()
	for _, l := range []net.Listener{public, admin} {
		for host, want := range map[string]int{"shop.example": 403, "localhost": 404, l.Addr().String(): 404} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String()+"/no/such", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host, r.Close = host, true
			got, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			if got.Body.Close(); got.StatusCode != want {
				t.Errorf("under %q: %d", host, got.StatusCode)
			}
		}
	}
	if err := s.server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// Whatever stands in Authorization: who presents the key may call, all others get 401, and nobody a fault.
func FuzzAuthorization(f *testing.F) {
	const key = "hf_q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s"
	s := newShop(f, withKeys(f, entryOf("ops", "admin", key)))
	for _, seed := range []string{"", "Bearer " + key, "bearer " + key, "Basic b3BzOg==", "Bearer " + key + "," + key, "Bearer"} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, header string, twice bool) {
		r := httptest.NewRequest(http.MethodGet, "/v1/skus", nil)
		r.Header["Authorization"] = []string{header}
		if twice {
			r.Header["Authorization"] = []string{header, header}
		}
		w := httptest.NewRecorder()
		s.server.Admin().ServeHTTP(w, r)
		scheme, token, _ := strings.Cut(header, " ")
		want := 401
		if strings.EqualFold(scheme, "bearer") && strings.TrimLeft(token, " ") == key && !twice {
			want = 200
		}
		if w.Code != want {
			t.Errorf("%q: %d %s", header, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), key) {
			t.Errorf("the answer tells the key: %s", w.Body)
		}
	})
}

// afterwards does something behind each answer of a core.
type afterwards struct {
	Core
	then func()
}

func (a afterwards) Do(ctx context.Context, r stock.Request) stock.Outcome {
	out := a.Core.Do(ctx, r)
	a.then()
	return out
}
