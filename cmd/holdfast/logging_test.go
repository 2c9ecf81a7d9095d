package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// run is a node whose standard error is kept.
type run struct {
	t     *testing.T
	cmd   *exec.Cmd
	log   bytes.Buffer
	out   io.ReadCloser
	ready struct{ HTTP, Admin, Peer string }
}

func startRun(t *testing.T, dir string, env []string, args ...string) *run {
	t.Helper()
	r := &run{t: t, cmd: exec.Command(program(t), serveArgs(dir, args...)...)}
	var err error
	if r.out, err = r.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	r.cmd.Stderr = &r.log
	r.cmd.Env = append(r.cmd.Environ(), env...)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	if err := json.NewDecoder(r.out).Decode(&r.ready); err != nil {
		t.Fatalf("%v\n%s", err, &r.log)
	}
	return r
}

func (r *run) end(with syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(with); err != nil {
		r.t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r.out); err != nil {
		r.t.Error(err)
	}
	if err := r.cmd.Wait(); err != nil && with != syscall.SIGKILL {
		r.t.Errorf("%v: %v\n%s", with, err, &r.log)
	}
}

// records holds every line to the form of a record and counts the messages that contain each of the words.
func (r *run) records(words ...string) map[string]int {
	r.t.Helper()
	found := make(map[string]int)
	for line := range strings.Lines(r.log.String()) {
		var record struct{ Time, Level, Msg string }
		if err := json.Unmarshal([]byte(line), &record); err != nil || record.Time == "" || record.Level == "" || record.Msg == "" {
			r.t.Errorf("%v: not a record: %q", err, line)
		}
		for _, word := range words {
			if strings.Contains(record.Msg, word) {
				found[word]++
			}
		}
	}
	return found
}

// garble writes to a port what no protocol is.
func garble(t *testing.T, addr string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, "GET / HTTP/9.9\r\nmarker\x00\r\n\r\n\x16\x03\x01junk"); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// Whatever it answers; that it has done with us is all.
	_, _ = io.Copy(io.Discard, c)
}

// Whatever happens to a node, standard error holds records and nothing else: those of the libraries below it too, of its start, of a start after a
// kill, of its end, of garbage on its ports, of a collector that is not there and of OTEL_ variables that are wrong.
func TestStandardErrorIsRecords(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "node")
	env := []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_BSP_SCHEDULE_DELAY=1", "OTEL_TRACES_SAMPLER=sometimes",
		"OTEL_EXPORTER_OTLP_HEADERS=marker", "OTEL_EXPORTER_OTLP_TIMEOUT=soon",
	}
	flags := []string{"--log-format", "json", "--log-level", "debug", "--log-requests", "all", "--slow-request", "1ns"}
	for _, with := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		r := startRun(t, dir, env, flags...)
		for _, call := range []string{"http://" + r.ready.HTTP + "/v1/orders/marker", "http://" + r.ready.Admin + "/readyz?verbose"} {
			resp, err := http.Get(call)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
		}
		for _, addr := range []string{r.ready.HTTP, r.ready.Admin, r.ready.Peer} {
			garble(t, addr)
		}
		r.end(with)
		found := r.records("serving", "request", "opentelemetry", "raft", "draining", "drained")
		if found["serving"] != 1 || found["request"] < 2 || found["opentelemetry"] < 3 || found["raft"] < 1 ||
			with == syscall.SIGTERM && (found["draining"] != 1 || found["drained"] != 1) {
			t.Errorf("%v in\n%s", found, &r.log)
		}
		if strings.Contains(r.log.String(), "marker") {
			t.Errorf("what a stranger or a variable said is in the log:\n%s", &r.log)
		}
	}
}

// Flags that are no way to log end it before anything is opened.
func TestBadLogging(t *testing.T) {
	for _, args := range [][]string{
		{"--log-requests", "some"}, {"--log-requests-rate", "0"}, {"--log-requests-rate", "1000001"}, {"--slow-request", "0s"},
		{"--log-level", "loud"}, {"--log-format", "xml"},
	} {
		dir := filepath.Join(t.TempDir(), "node")
		if code, text := refused(t, append(serveArgs(dir), args...)...); code != 2 || !strings.Contains(text, args[0]) {
			t.Errorf("%v: exit code %d: %s", args, code, text)
		}
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")
	if code, text := refused(t, serveArgs(filepath.Join(t.TempDir(), "node"))...); code != 2 || !strings.Contains(text, "OTEL_EXPORTER_OTLP_ENDPOINT") {
		t.Errorf("exit code %d: %s", code, text)
	}
}
