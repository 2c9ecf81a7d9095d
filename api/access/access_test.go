package access

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func digest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

func line(name, role, key string) string {
	return fmt.Sprintf("- {name: %s, role: %s, sha256: %s}\n", name, role, digest(key))
}

func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A fresh key has 256 bits, and its entry lets it in with its name and role, and nothing else.
func TestNewKeyAndItsEntry(t *testing.T) {
	key, err := NewKey(bytes.NewReader(bytes.Repeat([]byte{0xAB}, 32)))
	if err != nil || key != "hf_q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s" {
		t.Fatalf("%q, %v", key, err)
	}
	if _, err := NewKey(bytes.NewReader(make([]byte, 31))); err == nil {
		t.Error("a key of less than 256 bits")
	}
	other, err := NewKey(rand.Reader)
	if err != nil || other == key || len(other) != len(key) {
		t.Fatalf("%q, %v", other, err)
	}
	text, err := Entry(Caller{"shop-1", RoleAdmin}, key)
	if err != nil || strings.Contains(text, key) {
		t.Fatalf("%q, %v", text, err)
	}
	keys, err := LoadKeys(write(t, text))
	if err != nil {
		t.Fatal(err)
	}
	if who, ok := keys.Identify([]string{"Bearer " + key}); !ok || who != (Caller{"shop-1", RoleAdmin}) {
		t.Errorf("%+v %v", who, ok)
	}
	for _, wrong := range []string{other, key[:len(key)-1], key + "A", strings.ToUpper(key), digest(key)} {
		if who, ok := keys.Identify([]string{"Bearer " + wrong}); ok {
			t.Errorf("%+v may call", who)
		}
	}
	if _, err := Entry(Caller{"no spaces", RoleOrder}, key); !errors.Is(err, ErrName) {
		t.Errorf("%v", err)
	}
}

// Several keys may share a name, in any place of the file.
func TestKeysShareAName(t *testing.T) {
	keys, err := LoadKeys(write(t, line("shop", "order", "one")+line("ops", "admin", "two")+line("shop", "order", "three")))
	if err != nil || keys.Len() != 3 {
		t.Fatal(err)
	}
	for key, want := range map[string]Caller{"one": {"shop", RoleOrder}, "two": {"ops", RoleAdmin}, "three": {"shop", RoleOrder}} {
		if who, ok := keys.Identify([]string{"bearer  " + key}); !ok || who != want {
			t.Errorf("%s: %+v %v", key, who, ok)
		}
	}
}

func TestBadKeysFiles(t *testing.T) {
	good := line("shop", "order", "k")
	for name, row := range map[string]struct{ text, want string }{
		"empty":             {"", "line 1: there are no keys"},
		"only a comment":    {"# later\n", "line 1: there are no keys"},
		"an empty list":     {"[]", "line 1: there are no keys"},
		"null":              {"~", "line 1: must be a list"},
		"a mapping":         {"keys:\n" + good, "line 1: must be a list"},
		"a value":           {good + "- hf_secret\n", "line 2: must be {name, role, sha256}"},
		"unknown member":    {good + strings.Replace(line("x", "admin", "y"), "}", ", hf_secret: 1}", 1), "line 2: the members are"},
		"a plain key":       {good + "- {name: x, role: admin, key: hf_secret}", "line 2: the members are"},
		"a key as its hash": {good + "- name: x\n  role: admin\n  sha256: hf_secret", "line 4: sha256 must be 64 hex digits"},
		"short hash":        {strings.Replace(good, digest("k"), digest("k")[2:], 1), "line 1: sha256"},
		"long hash":         {strings.Replace(good, digest("k"), digest("k")+"00", 1), "line 1: sha256"},
		"no hex":            {strings.Replace(good, digest("k"), "zz"+digest("k")[2:], 1), "line 1: sha256"},
		"unknown role":      {line("shop", "hf_secret", "k"), "line 1: access: a role is"},
		"role in capitals":  {line("shop", "Admin", "k"), "line 1: access: a role is"},
		"empty name":        {line(`""`, "order", "k"), "line 1: access: a name is"},
		"odd name":          {line(`"a b"`, "order", "k"), "line 1: access: a name is"},
		"long name":         {line(strings.Repeat("n", 65), "order", "k"), "line 1: access: a name is"},
		"no role":           {"- {name: shop, sha256: " + digest("k") + "}", "line 1: role is missing"},
		"no hash":           {"- {name: shop, role: order}", "line 1: sha256 is missing"},
		"twice a member":    {"- {name: shop, role: order, role: admin, sha256: " + digest("k") + "}", "line 1: "},
		"twice a hash":      {good + "\n" + line("x", "admin", "k"), "line 3: the same sha256 stands in line 1"},
		"a list as a value": {"- {name: [shop], role: order, sha256: " + digest("k") + "}", "line 1: name must be a plain value"},
		"an alias":          {"- &a {name: shop, role: order, sha256: " + digest("k") + "}\n- *a\n", "line 2: must be"},
		"no YAML":           {good + "- {name: hf_secret\n", "this is not YAML"},
		"two documents":     {good + "---\n" + good, "a second document"},
		"too many":          {strings.Repeat(good, MaxKeys+1), "more than 1000 keys"},
		"too long":          {good + strings.Repeat("#\n", maxFileBytes/2), "more than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "too many" {
				row.text = ""
				for i := range MaxKeys + 1 {
					row.text += line("n", "order", fmt.Sprint(i))
				}
			}
			keys, err := LoadKeys(write(t, row.text))
			if !errors.Is(err, ErrKeysFile) || keys != nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%v", err)
			}
			if err != nil && strings.Contains(err.Error(), "hf_secret") {
				t.Errorf("the error tells: %v", err)
			}
		})
	}
	if _, err := LoadKeys(filepath.Join(t.TempDir(), "none")); !errors.Is(err, ErrKeysFile) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// A file that went bad leaves the keys in force; a good one revokes what it lacks.
func TestReloadKeys(t *testing.T) {
	path := write(t, line("shop", "order", "old"))
	keys, err := LoadKeys(path)
	if err != nil || keys.Exposed() {
		t.Fatal(err, keys.Exposed())
	}
	knows := func(key string) bool { _, ok := keys.Identify([]string{"Bearer " + key}); return ok }
	for _, bad := range []string{"", "- x", line("shop", "order", "new") + line("shop", "none", "x")} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := keys.Reload(); !errors.Is(err, ErrKeysFile) || !knows("old") || knows("new") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := os.WriteFile(path, []byte(line("shop", "order", "new")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(path, 0o644), keys.Reload()); err != nil || knows("old") || !knows("new") || !keys.Exposed() {
		t.Errorf("%v %v %v %v", err, knows("old"), knows("new"), keys.Exposed())
	}
}

func TestBearer(t *testing.T) {
	for _, row := range []struct {
		headers []string
		token   string
	}{
		{[]string{"Bearer abc"}, "abc"}, {[]string{"bEARER   abc=="}, "abc=="}, {[]string{"Bearer -._~+/"}, "-._~+/"},
		{nil, ""}, {[]string{""}, ""}, {[]string{"Bearer"}, ""}, {[]string{"Bearer "}, ""}, {[]string{"Bearer =="}, ""},
		{[]string{"Basic abc"}, ""}, {[]string{"Bearerabc"}, ""}, {[]string{"abc"}, ""}, {[]string{"Bearer\tabc"}, ""}, {[]string{" Bearer abc"}, ""},
		{[]string{"Bearer a b"}, ""}, {[]string{"Bearer a,b"}, ""}, {[]string{"Bearer a=b"}, ""}, {[]string{"Bearer é"}, ""},
		{[]string{"Bearer abc", "Bearer abc"}, ""},
		{[]string{"Bearer " + strings.Repeat("a", 256)}, strings.Repeat("a", 256)}, {[]string{"Bearer " + strings.Repeat("a", 257)}, ""},
	} {
		if token, ok := bearer(row.headers); ok != (row.token != "") || ok && token != row.token {
			t.Errorf("%q: %q %v", row.headers, token, ok)
		}
	}
}

// Whatever the header is, it lets in exactly who presents a key.
func FuzzBearer(f *testing.F) {
	const key = "hf_q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s"
	entries, err := parseKeys([]byte(line("shop", "order", key)))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "Bearer " + key, "bearer  " + key, "Bearer " + key + " ", "Basic " + key, "Bearer " + key + "=", "Bearer\x00" + key} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		token, ok := bearer([]string{header})
		if !ok {
			return
		}
		if len(token) > maxTokenBytes || !strings.HasSuffix(header, token) || !strings.EqualFold(header[:7], "bearer ") {
			t.Fatalf("%q becomes %q", header, token)
		}
		if _, in := identify(entries, token); in != (token == key) {
			t.Fatalf("%q: %v", header, in)
		}
	})
}

// A file is refused, with a line, or every one of its entries is whole.
func FuzzKeysFile(f *testing.F) {
	for _, seed := range []string{"", "[]", line("shop", "order", "k"), "- name: x\n  role: admin\n  sha256: " + digest("y"), "- &a [*a]", "--- \n...\n---"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := parseKeys(text)
		if err != nil {
			if !strings.Contains(err.Error(), "line ") && !strings.Contains(err.Error(), "bytes") {
				t.Fatalf("no line in %v", err)
			}
			return
		}
		if len(entries) == 0 || len(entries) > MaxKeys {
			t.Fatalf("%d entries", len(entries))
		}
		seen := map[hash]bool{}
		for _, e := range entries {
			if !validName(e.Name) || e.Role != RoleOrder && e.Role != RoleAdmin || seen[e.hash] {
				t.Fatalf("%+v", e)
			}
			seen[e.hash] = true
		}
	})
}

func BenchmarkIdentify(b *testing.B) {
	for _, n := range []int{2, 100, MaxKeys} {
		text := ""
		for i := range n {
			text += line("shop", "order", fmt.Sprint(i))
		}
		entries, err := parseKeys([]byte(text))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := identify(entries, "hf_q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s"); ok {
					b.Fatal("a stranger")
				}
			}
		})
	}
}
