package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// demoCommand is a small demo whose files go to dir.
func demoCommand(ctx context.Context, t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	args = append([]string{"demo", "--units", "60", "--buyers", "3000", "--callers", "16", "--hold-ttl", "500ms"}, args...)
	cmd := exec.CommandContext(ctx, program(t), args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	return cmd
}

// nothingLeft fails when the demo left files behind.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// A small demo ends with a proof that passes, exit 0, and leaves nothing behind.
func TestDemo(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	cmd := demoCommand(ctx, t, dir, "-o", "json")
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, &log, &out)
	}
	var p struct {
		Pass       bool  `json:"pass"`
		Checks     []any `json:"checks"`
		AskedAgain int   `json:"asked_again"`
		DownMS     int   `json:"down_ms"`
		Tally      struct {
			Buyers int `json:"buyers"`
			Paid   int `json:"paid"`
			Over   int `json:"over_limit"`
			Clicks int `json:"double_clicks"`
		} `json:"tally"`
	}
	if err := json.Unmarshal(out.Bytes(), &p); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	if !p.Pass || len(p.Checks) != 10 || p.AskedAgain == 0 || p.DownMS == 0 {
		t.Errorf("%+v", p)
	}
	if p.Tally.Buyers != 3000 || p.Tally.Paid != 60 || p.Tally.Over == 0 || p.Tally.Clicks == 0 {
		t.Errorf("the crowd did not do its part: %+v", p.Tally)
	}
	if text := log.String(); strings.Contains(text, "\x1b") || strings.Contains(text, "\r") || !strings.Contains(text, "POWER CUT") {
		t.Errorf("standard error is not plain lines: %q", text)
	}
	nothingLeft(t, dir)
}

var nodeProcess = regexp.MustCompile(`process (\d+), ready`)

// A demo that is told to end takes its node and its files with it.
func TestDemoInterrupted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	cmd := demoCommand(ctx, t, dir, "--hold-ttl", "1m")
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	node, lines := "", bufio.NewScanner(pipe)
	for lines.Scan() {
		if m := nodeProcess.FindStringSubmatch(lines.Text()); m != nil {
			node = m[1]
		}
		if strings.Contains(lines.Text(), "POWER CUT") {
			break
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		if m := nodeProcess.FindStringSubmatch(lines.Text()); m != nil {
			node = m[1]
		}
	}
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
		t.Errorf("it ended with %v, not exit code 1", err)
	}
	if node == "" {
		t.Fatal("the demo named no process")
	}
	if b, err := os.ReadFile("/proc/" + node + "/cmdline"); err == nil && bytes.Contains(b, []byte(dir)) {
		t.Errorf("process %s still runs: %s", node, b)
	}
	nothingLeft(t, dir)
}
