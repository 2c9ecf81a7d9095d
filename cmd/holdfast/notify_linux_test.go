package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/api/client"
)

// manager listens where NOTIFY_SOCKET of the children that follow points, and returns what they say as it comes, beats of the watchdog apart.
func manager(t *testing.T, name string) (said chan string, beats chan struct{}) {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", name)
	said, beats = make(chan string, 1000), make(chan struct{}, 1000)
	over := make(chan struct{})
	t.Cleanup(func() { _ = conn.Close(); <-over })
	go func() {
		defer close(over)
		b := make([]byte, 4096)
		for {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			if text := string(b[:n]); text == "WATCHDOG=1" {
				beats <- struct{}{}
			} else {
				said <- text
			}
		}
	}()
	return said, beats
}

// hear returns the next message that begins so, and those before it.
func hear(t *testing.T, said <-chan string, begins string) (message string, before []string) {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case message = <-said:
			if strings.HasPrefix(message, begins) {
				return message, before
			}
			before = append(before, message)
		case <-late:
			t.Fatalf("no %s; heard %q", begins, before)
		}
	}
}

// A node tells its service manager when it is ready, in order, reading again and going down, over both kinds of address.
func TestServiceManagerIsTold(t *testing.T) {
	for kind, name := range map[string]string{
		"a path": filepath.Join(t.TempDir(), "notify"), "an abstract name": fmt.Sprintf("@holdfast-test-%d", os.Getpid()),
	} {
		t.Run(kind, func(t *testing.T) {
			said, beats := manager(t, name)
			t.Setenv("WATCHDOG_USEC", "60000")
			n := launch(t, filepath.Join(t.TempDir(), "node"))
			ready, before := hear(t, said, "READY=1")
			if !strings.Contains(ready, "\nSTATUS=serving on "+n.Ready.HTTP+", administration on "+n.Ready.Admin) {
				t.Errorf("%q", ready)
			}
			for _, message := range before {
				if !strings.HasPrefix(message, "STATUS=") && !strings.HasPrefix(message, "EXTEND_TIMEOUT_USEC=") {
					t.Errorf("%q before it was ready", message)
				}
			}
			for range 5 {
				select {
				case <-beats:
				case <-time.After(10 * time.Second):
					t.Fatal("the watchdog hears nothing")
				}
			}
			if err := syscall.Kill(n.PID(), syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			if got, before := hear(t, said, "RELOADING=1\nMONOTONIC_USEC="); len(before) > 0 {
				t.Errorf("%q before %q", before, got)
			}
			if got, before := hear(t, said, "READY=1"); len(before) > 0 {
				t.Errorf("%q before %q", before, got)
			}
			stop(t, n)
			if got, _ := hear(t, said, "STOPPING=1"); got != "STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=30000000" {
				t.Errorf("%q", got)
			}
		})
	}
}

// What the watchdog ends with SIGABRT ends by a signal under the environment of the unit: by an exit code of 2, as Go has it otherwise, it would
// stay down as if its flags were wrong.
func TestWatchdogEndsWithASignal(t *testing.T) {
	_, unit := unitFile(t, "")
	for _, line := range regexp.MustCompile(`(?m)^Environment=(\w+)=(.*)$`).FindAllStringSubmatch(unit, -1) {
		t.Setenv(line[1], line[2])
	}
	n := launch(t, filepath.Join(t.TempDir(), "node"))
	if err := syscall.Kill(n.PID(), syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-n.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("it goes on")
	}
	if code := n.ExitCode(); code != -1 || !strings.Contains(n.Log(), "goroutine ") {
		t.Errorf("exit code %d, without a signal or without a dump", code)
	}
}

// A node that cannot start says why; one whose manager cannot be told serves all the same, and complains once.
func TestServiceManagerAndTrouble(t *testing.T) {
	said, _ := manager(t, filepath.Join(t.TempDir(), "notify"))
	busy, err := net.Listen("tcp", anyPort)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	if code, _ := refused(t, serveArgs(filepath.Join(t.TempDir(), "node"), "--http", busy.Addr().String())...); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if got, _ := hear(t, said, "STOPPING=1"); !strings.Contains(got, "STATUS=node: cannot listen") {
		t.Errorf("%q", got)
	}
	for name, address := range map[string]string{
		"nobody there": filepath.Join(t.TempDir(), "nobody"), "no address": "nonsense", "a directory": t.TempDir(), "another family": "vsock:2:1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("NOTIFY_SOCKET", address)
			t.Setenv("WATCHDOG_USEC", "20000")
			n := launch(t, filepath.Join(t.TempDir(), "node"))
			if _, err := clientOf(t, n).CreateSKU(t.Context(), client.SKUSpec{SKU: "shoe", Stock: 1}); err != nil {
				t.Error(err)
			}
			stop(t, n)
			if times := strings.Count(n.Log(), "the service manager is not told"); times != 1 {
				t.Errorf("complained %d times: %s", times, n.Log())
			}
		})
	}
}
