package demo

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"holdfast/cmd/holdfast/child"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scripted is a node that is a shell script.
func scripted(t *testing.T, text string) *power {
	t.Helper()
	program := filepath.Join(t.TempDir(), "node")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	p := &power{program: program, logs: &labels{}, name: "n1", dir: t.TempDir(), addrs: []string{"a:1", "a:2", "a:3"}}
	t.Cleanup(p.off)
	return p
}

const getsReady = `echo '{"ready":true,"http":"a:1","admin":"a:2","peer":"a:3"}'` + "\n"

// A node that ends by itself breaks the sale off, one that is killed or drained does not.
func TestANodeThatEndsByItself(t *testing.T) {
	p := scripted(t, getsReady+"echo 'no disk' >&2; exit 4\n")
	f := fleet{p}
	if err := f.fault(); err != nil {
		t.Errorf("before the start: %v", err)
	}
	if err := p.open(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	<-p.current().Done()
	s := &sale{fleet: f, over: make(chan struct{})}
	if err := s.watch(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "n1 ended by itself with exit code 4\nno disk") {
		t.Errorf("%v", err)
	}
	p.off()
	if err := f.fault(); err != nil {
		t.Errorf("after it was ended on purpose: %v", err)
	}
	close(s.over)
	if err := s.watch(t.Context(), nil); !errors.Is(err, errHeld) {
		t.Errorf("a sale that ended: %v", err)
	}
}

// A node that cannot be drained in order is told of.
func TestDrainThatFails(t *testing.T) {
	p := scripted(t, "trap 'echo lost >&2; exit 4' TERM\n"+getsReady+"while :; do sleep 0.01; done\n")
	if err := p.open(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if err := (fleet{p}).drain(t.Context()); err == nil || !strings.Contains(err.Error(), "drain n1: exit code 4\nlost") {
		t.Errorf("%v", err)
	}
}

// A node whose port was taken in between is started on others; one that does not start is given up after some tries.
func TestOpenDrawsOtherPorts(t *testing.T) {
	p := scripted(t, "case \"$*\" in *a:1*) echo 'port taken' >&2; exit 1;; esac\n"+getsReady+"exec sleep 60\n")
	if err := p.open(t.Context(), "x:1"); err != nil {
		t.Fatal(err)
	}
	if args := strings.Join(p.args(), " "); strings.Contains(args, "a:1") || !strings.Contains(args, "--join x:1") {
		t.Errorf("it runs with %s", args)
	}
	p = scripted(t, "echo x >>\"$5\"/starts; echo 'port taken' >&2; exit 1\n")
	if err := p.open(t.Context(), ""); !errors.Is(err, child.ErrNotReady) || !strings.Contains(err.Error(), "port taken") {
		t.Errorf("%v", err)
	}
	starts, err := os.ReadFile(filepath.Join(p.dir, "starts"))
	if err != nil || len(starts) != 2*startTries {
		t.Errorf("%q, %v", starts, err)
	}
}
