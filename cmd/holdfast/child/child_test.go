package child

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const readyLine = `{"ready":true,"http":"127.0.0.1:1","admin":"127.0.0.1:2","peer":"127.0.0.1:3"}`

// script starts a shell script in the place of a node.
func script(t *testing.T, text string) (*Node, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	n, err := Start(ctx, "/bin/sh", []string{"-c", text}, nil)
	if err == nil {
		t.Cleanup(n.Kill)
	}
	return n, err
}

func TestStartReadsTheReadyLine(t *testing.T) {
	var log bytes.Buffer
	n, err := Start(t.Context(), "/bin/sh", []string{"-c", "echo begin >&2; echo '" + readyLine + "'; exec cat"}, &log)
	if err != nil {
		t.Fatal(err)
	}
	if n.Ready != (Ready{Ready: true, HTTP: "127.0.0.1:1", Admin: "127.0.0.1:2", Peer: "127.0.0.1:3"}) {
		t.Errorf("%+v", n.Ready)
	}
	<-n.Done() // cat reads no input
	if n.ExitCode() != 0 || n.Log() != "begin" || log.String() != "begin\n" {
		t.Errorf("exit code %d, log %q, %q", n.ExitCode(), n.Log(), log.String())
	}
	n.Kill()
}

func TestStartFails(t *testing.T) {
	for name, text := range map[string]string{
		"it ends":                 "echo the reason >&2; exit 4",
		"another line":            "echo the reason >&2; echo hello; exec sleep 60",
		"not ready":               "echo the reason >&2; echo '{\"ready\":false}'; exec sleep 60",
		"a line without an end":   "echo the reason >&2; head -c 10000 /dev/zero; exec sleep 60",
		"it closes, and lives on": "echo the reason >&2; exec >&-; exec sleep 60",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := script(t, text); !errors.Is(err, ErrNotReady) || !strings.Contains(err.Error(), "the reason") {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := Start(t.Context(), "/no/such/program", nil, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no program: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Start(ctx, "/bin/sh", []string{"-c", "exec sleep 60"}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a node that says nothing: %v", err)
	}
}

func TestKillAndStop(t *testing.T) {
	n, err := script(t, "echo '"+readyLine+"'; exec sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	n.Kill()
	if n.ExitCode() != -1 {
		t.Errorf("killed: exit code %d", n.ExitCode())
	}
	if code, err := n.Stop(t.Context()); code != -1 || err != nil {
		t.Errorf("stopped when dead: %d, %v", code, err)
	}
	n, err = script(t, "trap 'exit 7' TERM; echo '"+readyLine+"'; while :; do sleep 0.01; done")
	if err != nil {
		t.Fatal(err)
	}
	if code, err := n.Stop(t.Context()); code != 7 || err != nil {
		t.Errorf("stopped: %d, %v", code, err)
	}
	n, err = script(t, "trap '' TERM; echo '"+readyLine+"'; exec sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := n.Stop(ctx); !errors.Is(err, ErrStopTimeout) {
		t.Errorf("deaf to SIGTERM: %v", err)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	n := newTail(nil)
	for range 3000 {
		if _, err := n.Write([]byte("0123456789\n")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := n.Write([]byte("the end\n")); err != nil {
		t.Fatal(err)
	}
	if text := n.text(); len(text) > maxTailBytes || !strings.HasSuffix(text, "0123456789\nthe end") {
		t.Errorf("%d bytes: ...%q", len(text), text[max(0, len(text)-30):])
	}
}

func TestFreeAddrs(t *testing.T) {
	addrs, err := FreeAddrs(3)
	if err != nil || len(addrs) != 3 {
		t.Fatalf("%q, %v", addrs, err)
	}
	seen := make(map[string]bool)
	for _, addr := range addrs {
		l, err := net.Listen("tcp", addr)
		if err != nil || seen[addr] {
			t.Fatalf("%s: %v", addr, err)
		}
		seen[addr] = true
		defer l.Close()
	}
}
