package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/api/client"
	"holdfast/cmd/holdfast/child"
)

// launch runs a node on dir and free ports until the test ends.
func launch(t *testing.T, dir string, args ...string) *child.Node {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	n, err := child.Start(ctx, program(t), serveArgs(dir, args...), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Kill)
	return n
}

func serveArgs(dir string, args ...string) []string {
	return append([]string{"serve", "--data-dir", dir, "--http", anyPort, "--admin", anyPort, "--peer", anyPort}, args...)
}

func clientOf(t *testing.T, n *child.Node) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Addr: n.Ready.HTTP, AdminAddr: n.Ready.Admin})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// refused runs a node that must not start and returns its exit code and standard error. Nothing may be on standard output.
func refused(t *testing.T, args ...string) (code int, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(t), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		t.Fatalf("%q ended with %v\n%s", args, err, &errs)
	}
	if out.Len() > 0 {
		t.Errorf("standard output holds %q", &out)
	}
	return exit.ExitCode(), errs.String()
}

// The ready line is the only thing on standard output, and true; SIGTERM ends a node with 0.
func TestReadyLineAndDrain(t *testing.T) {
	cmd := exec.Command(program(t), serveArgs(filepath.Join(t.TempDir(), "node"), "--log-format", "json")...)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	out := json.NewDecoder(pipe)
	var line map[string]any
	if err := out.Decode(&line); err != nil {
		t.Fatal(err)
	}
	if len(line) != 4 || line["ready"] != true {
		t.Fatalf("ready line %v", line)
	}
	for _, listener := range []string{"http", "admin"} {
		resp, err := http.Get("http://" + line[listener].(string) + "/readyz")
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("readyz of %s: %v, %v", listener, resp, err)
		}
		_ = resp.Body.Close()
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := out.Decode(&line); err == nil {
		t.Errorf("a second line on standard output: %v", line)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("SIGINT: %v\n%s", err, &log)
	}
	for text := range strings.Lines(log.String()) {
		if !json.Valid([]byte(text)) {
			t.Errorf("a log line that is not JSON: %s", text)
		}
	}
}

// Started twice with the same command line after a kill, nothing changes.
func TestRestartTwice(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "node")
	n := launch(t, dir)
	c := clientOf(t, n)
	if _, err := c.CreateSKU(t.Context(), client.SKUSpec{SKU: "sneaker", Stock: 5}); err != nil {
		t.Fatal(err)
	}
	first, err := c.PlaceOrder(t.Context(), "cart-1", client.NewOrder{SKU: "sneaker", User: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		n.Kill()
		n = launch(t, dir)
		c = clientOf(t, n)
		again, err := c.PlaceOrder(t.Context(), "cart-1", client.NewOrder{SKU: "sneaker", User: "ada"})
		if err != nil || !again.Replayed || again.ID != first.ID {
			t.Fatalf("%+v, %v; first it was %+v", again, err, first)
		}
		s, err := c.SKU(t.Context(), "sneaker")
		if err != nil || s.Available != 4 || s.Held != 1 || s.Sold != 0 {
			t.Fatalf("%+v, %v", s, err)
		}
	}
}

// What a node cannot start with is named, with the exit code of its kind, before it serves.
func TestServeRefusals(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "node")
	n := launch(t, dir)
	t.Run("a directory in use", func(t *testing.T) {
		if code, text := refused(t, serveArgs(dir)...); code != 1 {
			t.Errorf("exit code %d: %s", code, text)
		}
	})
	t.Run("a port in use", func(t *testing.T) {
		args := append(serveArgs(filepath.Join(t.TempDir(), "other")), "--http", n.Ready.HTTP)
		if code, text := refused(t, args...); code != 1 || !strings.Contains(text, n.Ready.HTTP) {
			t.Errorf("exit code %d: %s", code, text)
		}
	})
	n.Kill()
	t.Run("another node's directory", func(t *testing.T) {
		if code, text := refused(t, serveArgs(dir, "--node-id", "n2")...); code != 1 || !strings.Contains(text, "--node-id n1") {
			t.Errorf("exit code %d: %s", code, text)
		}
	})
	t.Run("a directory that is a file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if code, text := refused(t, serveArgs(file)...); code != 1 {
			t.Errorf("exit code %d: %s", code, text)
		}
	})
	t.Run("a corrupt log", func(t *testing.T) {
		segments, err := filepath.Glob(filepath.Join(dir, "wal", "*"))
		if err != nil {
			t.Fatal(err)
		}
		corrupt(t, segments)
		code, text := refused(t, serveArgs(dir)...)
		if code != 4 || !strings.Contains(text, "segment") || !strings.Contains(text, "offset") {
			t.Errorf("exit code %d: %s", code, text)
		}
	})
}

// corrupt flips a byte early in the first segment.
func corrupt(t *testing.T, paths []string) {
	t.Helper()
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil || len(b) < 8192 {
			continue
		}
		b[4200] ^= 0x5a
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("no segment among %q", paths)
}

// What was admitted when a node is told to end is answered: a caller whose connection was closed under its request finds out that nothing happened.
func TestDrainAnswersWhatWasAdmitted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "node")
	n := launch(t, dir, "--drain-timeout", "10s")
	c := clientOf(t, n)
	if _, err := c.CreateSKU(t.Context(), client.SKUSpec{SKU: "sneaker", Stock: 100_000}); err != nil {
		t.Fatal(err)
	}
	type end struct {
		key string
		err error
	}
	const callers = 16
	ends, first := make(chan end, callers), make(chan struct{}, callers)
	for caller := range callers {
		go func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("key-%d-%d", caller, i)
				if _, err := c.PlaceOrder(t.Context(), key, client.NewOrder{SKU: "sneaker", User: "ada"}); err != nil {
					ends <- end{key, err}
					return
				}
				if i == 0 {
					first <- struct{}{}
				}
			}
		}()
	}
	for range callers {
		select {
		case <-first:
		case e := <-ends:
			t.Fatal(e.err)
		}
	}
	stop(t, n)
	if conn, err := net.Dial("tcp", n.Ready.HTTP); err == nil {
		_ = conn.Close()
		t.Error("somebody still listens")
	}
	c = clientOf(t, launch(t, dir))
	for range callers {
		e := <-ends
		if _, err := c.Outcome(t.Context(), "sneaker", e.key); client.CodeOf(err) != "outcome_not_seen" {
			t.Errorf("%s ended with %v, and now its outcome is %v", e.key, e.err, err)
		}
	}
}

func stop(t *testing.T, n *child.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if code, err := n.Stop(ctx); code != 0 || err != nil {
		t.Fatalf("exit code %d, %v\n%s", code, err, n.Log())
	}
}
