package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 11, 12, 0, 0, 987654321, time.FixedZone("east", 3600))

func open(t testing.TB, cfg Config) *Log {
	t.Helper()
	l, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// lines returns the lines of a file, each of which must be whole.
func lines(t testing.TB, path string) []Record {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var records []Record
	for _, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		var r Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		records = append(records, r)
	}
	return records
}

func TestALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, Config{Path: path})
	err := l.Write(Record{Time: noon, Event: Asked, RequestID: "r1", KeyName: "ops", Remote: "127.0.0.1:9", Call: "PUT /v1/skus/shoe", SKU: "shoe",
		Change: json.RawMessage("{\n \"stock\": 5\n}")})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Write(Record{Time: noon.Truncate(time.Second), Event: Answered, RequestID: "r1", Call: "\n\x00\"", Status: 201}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	want := `{"time":"2026-11-11T11:00:00.987Z","event":"asked","request_id":"r1","key_name":"ops","remote":"127.0.0.1:9",` +
		`"call":"PUT /v1/skus/shoe","sku":"shoe","change":{"stock":5}}` + "\n" +
		`{"time":"2026-11-11T11:00:00.000Z","event":"answered","request_id":"r1","key_name":"","remote":"","call":"\n\u0000\"","status":201}` + "\n"
	if err != nil || string(text) != want {
		t.Errorf("%v\n%s", err, text)
	}
	if stat, err := os.Stat(path); err != nil || stat.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", stat.Mode(), err)
	}
}

// Rotation keeps so many files of so many bytes; the youngest lines are all there, in order, none twice.
func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, Config{Path: path, FileBytes: 1000, Files: 3})
	const n = 100
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range n / 4 {
				if err := l.Write(Record{Time: noon, Event: Asked, RequestID: fmt.Sprint(w, "-", i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, name := range []string{path + ".2", path + ".1", path} {
		if stat, err := os.Stat(name); err != nil || stat.Size() > 1000 {
			t.Errorf("%s: %v", name, err)
		}
		for _, r := range lines(t, name) {
			if seen[r.RequestID] {
				t.Errorf("%s stands twice", r.RequestID)
			}
			seen[r.RequestID] = true
		}
	}
	if _, err := os.Stat(path + ".3"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a fourth file: %v", err)
	}
	for w := range 4 {
		for i := 1; i < n/4; i++ {
			if seen[fmt.Sprint(w, "-", i-1)] && !seen[fmt.Sprint(w, "-", i)] {
				t.Errorf("line %d of writer %d is gone, the one before it is there", i, w)
			}
		}
	}
	if len(seen) < 10 {
		t.Errorf("%d lines in all", len(seen))
	}
}

// A line longer than a file has one of its own.
func TestALineLongerThanAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, Config{Path: path, FileBytes: 10, Files: 2})
	for i := range 3 {
		if err := l.Write(Record{Event: Asked, RequestID: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := lines(t, path+".1"), lines(t, path); len(a) != 1 || len(b) != 1 || a[0].RequestID != "1" || b[0].RequestID != "2" {
		t.Errorf("%v %v", a, b)
	}
}

// What a crash left of a line does not spoil the next one.
func TestContinuesAfterACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, []byte("{\"request_id\":\"old\"}\n{\"request_id\":\"to"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := open(t, Config{Path: path})
	if err := l.Write(Record{Event: Asked, RequestID: "new"}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "\"to\n{\"time\"") || !strings.HasPrefix(string(text), "{\"request_id\":\"old\"}\n") {
		t.Errorf("%v %q", err, text)
	}
}

// A full disk fails each line until there is room again. The node's log has what the line was about, without the caller's words.
func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	path := filepath.Join(t.TempDir(), "audit.log")
	reg := prometheus.NewPedanticRegistry()
	var told bytes.Buffer
	l := open(t, Config{Path: path, Registerer: reg, Logger: slog.New(slog.NewTextHandler(&told, nil))})
	fill := func() {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if err := l.dropLocked(); err != nil {
			t.Fatal(err)
		}
		l.file = full
	}
	r := Record{Event: Answered, RequestID: "r1", KeyName: "ops", Call: "PUT /v1/skus/secret-shoe", Route: "PUT /v1/skus/{sku}", SKU: "secret-shoe",
		Change: json.RawMessage(`{"stock":12345}`), Status: 201}
	for range 2 {
		fill()
		if err := l.Write(r); !errors.Is(err, ErrWrite) || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%v", err)
		}
	}
	fill()
	l.Refuse(r)
	for _, part := range []string{"request_id=r1", "key_name=ops", `route="PUT /v1/skus/{sku}"`, "status=201", "event=answered"} {
		if strings.Count(told.String(), part) < 2 {
			t.Errorf("no %s in %s", part, told.String())
		}
	}
	if text := told.String(); strings.Contains(text, "secret-shoe") || strings.Contains(text, "12345") {
		t.Errorf("a caller's words in %s", text)
	}
	if err := l.Write(Record{Event: Asked, RequestID: "r", Route: "x"}); err != nil || len(lines(t, path)) != 1 {
		t.Errorf("%v", err)
	}
	if got := count(t, reg, "holdfast_audit_failures_total"); got != 3 {
		t.Errorf("%v failures", got)
	}
	if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), "oute") {
		t.Errorf("%v %s", err, text)
	}
}

func count(t testing.TB, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.Metric[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

// Refusals are written so many at once and then one a second; the next line tells how many were not.
func TestRefusalsArePaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	now := noon
	reg := prometheus.NewPedanticRegistry()
	l := open(t, Config{Path: path, Registerer: reg, Now: func() time.Time { return now }})
	for range refusalBurst + 7 {
		l.Refuse(Record{Time: now, Status: 401})
	}
	if got := lines(t, path); len(got) != refusalBurst || got[0].Event != Refused || count(t, reg, "holdfast_audit_omitted_total") != 7 {
		t.Fatalf("%d lines", len(got))
	}
	now = now.Add(refusalInterval)
	for range 2 {
		l.Refuse(Record{Time: now})
	}
	got := lines(t, path)
	if len(got) != refusalBurst+1 || got[refusalBurst].Omitted != 7 {
		t.Fatalf("%d lines, %+v", len(got), got[len(got)-1])
	}
	now = now.Add(24 * time.Hour)
	for range 2 * refusalBurst {
		l.Refuse(Record{})
	}
	if got := lines(t, path); len(got) != 2*refusalBurst+1 || got[refusalBurst+1].Omitted != 1 {
		t.Errorf("%d lines after a day", len(got))
	}
	if err := l.Write(Record{Event: Asked}); err != nil {
		t.Errorf("changes are not limited: %v", err)
	}
}

func TestReopenAndClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, Config{Path: path})
	if err := errors.Join(l.Write(Record{RequestID: "a"}), os.Rename(path, path+".taken"), l.Reopen(), l.Write(Record{RequestID: "b"})); err != nil {
		t.Fatal(err)
	}
	if a, b := lines(t, path+".taken"), lines(t, path); len(a) != 1 || len(b) != 1 || b[0].RequestID != "b" {
		t.Errorf("%v %v", a, b)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Write(Record{}); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	for _, bad := range []Config{{}, {Path: path, Files: 1}, {Path: path, FileBytes: -1}} {
		if _, err := Open(bad); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := Open(Config{Path: filepath.Join(path, "below a file")}); !errors.Is(err, ErrWrite) {
		t.Errorf("%v", err)
	}
}
