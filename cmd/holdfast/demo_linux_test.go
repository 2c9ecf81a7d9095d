package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/storage"
)

// terminal opens a pseudo terminal of 72 columns: the user's side, and the program's.
func terminal(t *testing.T) (user, program *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo terminals here: ", err)
	}
	t.Cleanup(func() { _ = user.Close() })
	if err := unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(filepath.Join("/dev/pts", strconv.Itoa(n)), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(program.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 72}); err != nil {
		t.Fatal(err)
	}
	return user, program
}

var (
	tryURL      = regexp.MustCompile(`curl -i (\S+) `)
	tryDatabase = regexp.MustCompile(`sqlite3 (\S+) `)
)

// On a terminal the demo shows one live line, serves on with the same orders, and takes everything away when interrupted.
func TestDemoOnATerminal(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	user, tty := terminal(t)
	cmd := demoCommand(ctx, t, dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	text := readUntil(t, user, cmd, "Ctrl-C.")
	url, database := tryURL.FindStringSubmatch(text), tryDatabase.FindStringSubmatch(text)
	if url == nil || database == nil || !strings.Contains(text, "PASS: three independent counts agree") || !strings.Contains(text, "\r\x1b[K") {
		t.Fatalf("it shows\n%s", text)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url[1], strings.NewReader(`{"sku":"sneaker","user":"me"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", "mine")
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusConflict {
		t.Errorf("%s: %v, %v", url[1], resp, err)
	}
	rows, err := storage.ReadTotals(ctx, database[1])
	if err != nil || len(rows) < 2 {
		t.Errorf("%s: %v, %v", database[1], rows, err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("interrupted: %v", err)
	}
	nothingLeft(t, dir)
}

// readUntil reads what a program shows until it shows some text.
func readUntil(t *testing.T, from *os.File, cmd *exec.Cmd, want string) string {
	t.Helper()
	var shown bytes.Buffer
	buf := make([]byte, 4096)
	for !strings.Contains(shown.String(), want) {
		n, err := from.Read(buf)
		shown.Write(buf[:n])
		if err != nil {
			t.Fatalf("%v, %v\n%s", err, cmd.Wait(), &shown)
		}
	}
	return shown.String()
}
