package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/cmd/holdfast/demo"
)

// demoCommand is a small demo whose files go to dir.
func demoCommand(ctx context.Context, t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	args = append([]string{"demo", "--units", "60", "--buyers", "3000", "--callers", "16", "--hold-ttl", "500ms"}, args...)
	cmd := exec.CommandContext(ctx, program(t), args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	return cmd
}

// nothingLeft fails when the demo left files or processes behind.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Error(err)
	}
	for _, process := range processes {
		if line, err := os.ReadFile(process); err == nil && bytes.Contains(line, []byte(dir)) {
			t.Errorf("%s still runs: %q", process, line)
		}
	}
}

// demonstrated is what a demo prints as JSON.
type demonstrated struct {
	Pass   bool `json:"pass"`
	Checks []struct {
		Check string `json:"check"`
	} `json:"checks"`
	Nodes      int    `json:"nodes"`
	AskedAgain int    `json:"asked_again"`
	Unknown    int    `json:"unknown"`
	LedBefore  string `json:"led_before"`
	LedAfter   string `json:"led_after"`
	GapMS      int    `json:"gap_ms"`
	DownMS     int    `json:"down_ms"`
	Tally      struct {
		Buyers int `json:"buyers"`
		Paid   int `json:"paid"`
		Over   int `json:"over_limit"`
		Clicks int `json:"double_clicks"`
	} `json:"tally"`
}

// A small demo ends with a proof that passes, exit 0, and leaves nothing behind: on three nodes that lose their leader, and on one that loses its power.
func TestDemo(t *testing.T) {
	for nodes, rows := range map[int]int{1: 10, 3: 14} {
		t.Run(fmt.Sprintf("nodes=%d", nodes), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			dir := t.TempDir()
			cmd := demoCommand(ctx, t, dir, "-o", "json", "--nodes", fmt.Sprint(nodes))
			var out, log bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &log
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v\n%s\n%s", err, &log, &out)
			}
			var p demonstrated
			if err := json.Unmarshal(out.Bytes(), &p); err != nil {
				t.Fatalf("%v: %s", err, &out)
			}
			t.Logf("no order accepted for %d ms, one node gone for %d ms", p.GapMS, p.DownMS)
			if !p.Pass || p.Nodes != nodes || len(p.Checks) != rows || p.AskedAgain == 0 || p.Unknown != 0 || p.GapMS == 0 || p.DownMS == 0 {
				t.Errorf("%+v", p)
			}
			if p.LedBefore == "" || (nodes > 1) != (p.LedAfter != "" && p.LedAfter != p.LedBefore) {
				t.Errorf("led by %q and then by %q", p.LedBefore, p.LedAfter)
			}
			if p.Tally.Buyers != 3000 || p.Tally.Paid != 60 || p.Tally.Over == 0 || p.Tally.Clicks == 0 {
				t.Errorf("the crowd did not do its part: %+v", p.Tally)
			}
			if text := log.String(); strings.Contains(text, "\x1b") || strings.Contains(text, "\r") || !strings.Contains(text, "POWER CUT") {
				t.Errorf("standard error is not plain lines: %q", text)
			}
			nothingLeft(t, dir)
		})
	}
}

// A demo that is told to end takes its nodes and its files with it.
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
	interrupted := false
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		if !interrupted && strings.Contains(lines.Text(), "POWER CUT") {
			interrupted = true
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 || !interrupted {
		t.Errorf("it ended with %v, not exit code 1", err)
	}
	nothingLeft(t, dir)
}

// A node that does not start, or does not come back, ends the demo with its reason, its nodes and its files. The program of the nodes is a script that
// fails from some start on.
func TestDemoWithANodeThatFails(t *testing.T) {
	for name, test := range map[string]struct {
		nodes, fails int // the start that fails, of all
		says         string
	}{
		"the only one":            {1, 1, "start n1"},
		"the first":               {3, 1, "start n1"},
		"one that joins":          {3, 3, "start n"},
		"one that was killed":     {3, 4, "start again after the power cut"},
		"the only one, in a sale": {1, 2, "start again after the power cut"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			dir := t.TempDir()
			t.Setenv("TMPDIR", dir)
			starts := filepath.Join(t.TempDir(), "starts")
			script := filepath.Join(t.TempDir(), "node")
			text := fmt.Sprintf("#!/bin/sh\necho x >>%s\n[ $(wc -l <%s) -lt %d ] || { echo 'no more nodes' >&2; exit 4; }\nexec %s \"$@\"\n",
				starts, starts, test.fails, program(t))
			if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			d, err := demo.Run(ctx, demo.Config{Program: script, Nodes: test.nodes, Units: 60, Buyers: 3000, Callers: 16, HoldTTL: 500 * time.Millisecond, Log: &log})
			if err == nil {
				t.Fatalf("the sale was held: %v\n%s", d.Close(), &log)
			}
			if !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "no more nodes") {
				t.Errorf("%v", err)
			}
			nothingLeft(t, dir)
		})
	}
}
