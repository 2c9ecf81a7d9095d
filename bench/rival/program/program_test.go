package program_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"holdfast/bench/rival/program"
)

const servesAs = "HOLDFAST_TEST_SERVES_AT"

// TestMain is a server, too, when its last argument says so: it listens until it is told to end.
func TestMain(m *testing.M) {
	if at, ok := strings.CutPrefix(os.Args[len(os.Args)-1], servesAs+"="); ok {
		serve(at)
		return
	}
	goleak.VerifyTestMain(m)
}

func serve(at string) {
	l, err := net.Listen("tcp", at)
	if err != nil {
		panic(err)
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		conn.Close()
	}
}

func config(t *testing.T) program.Config {
	return program.Config{
		Name: "test", Parent: t.TempDir(), Stop: syscall.SIGTERM,
		Command: func(_ string, port int) (string, []string) {
			return os.Args[0], []string{servesAs + "=127.0.0.1:" + strconv.Itoa(port)}
		},
		Answers: func(ctx context.Context, port int) error {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", "127.0.0.1:"+strconv.Itoa(port))
			if err != nil {
				return err
			}
			return conn.Close()
		},
	}
}

func TestServerLives(t *testing.T) {
	cfg := config(t)
	prepared := ""
	cfg.Prepare = func(dir string, _ func(string, ...string) error) error {
		prepared = dir
		return nil
	}
	s, err := program.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.Answers(t.Context(), s.Port()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(prepared); err != nil || filepath.Dir(prepared) != cfg.Parent {
		t.Errorf("its directory is %s: %v", prepared, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := cfg.Answers(t.Context(), s.Port()); err == nil {
		t.Error("it answers after Close")
	}
	leftNothing(t, cfg)
}

func TestServerThatEnds(t *testing.T) {
	cfg := config(t)
	cfg.Command = func(string, int) (string, []string) { return os.Args[0], []string{"-no-such-flag"} }
	if s, err := program.Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "no-such-flag") {
		t.Errorf("started %v, err %v: what the server said is missing", s, err)
	}
	leftNothing(t, cfg)
}

func leftNothing(t *testing.T, cfg program.Config) {
	t.Helper()
	if left, err := os.ReadDir(cfg.Parent); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestFind(t *testing.T) {
	parent := t.TempDir()
	for _, version := range []string{"9", "15"} {
		dir := filepath.Join(parent, version, "bin")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "holdfast-test-server"), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	path, err := program.Find("holdfast-test-server", "none", filepath.Join(parent, "*/bin"))
	if err != nil || path != filepath.Join(parent, "15", "bin", "holdfast-test-server") {
		t.Errorf("found %s, %v", path, err)
	}
	_, err = program.Find("holdfast-no-such-server", "some-package", "")
	missing, ok := errors.AsType[*program.MissingError](err)
	if !ok || !errors.Is(err, program.ErrMissing) || missing.Debian != "some-package" {
		t.Errorf("%v", err)
	}
}
