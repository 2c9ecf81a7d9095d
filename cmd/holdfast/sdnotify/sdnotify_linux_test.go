package sdnotify

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listen opens a manager's socket and returns its environment and a reader of the next message.
func listen(t *testing.T, name string) (env []string, next func() string) {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return []string{"A=b", "NOTIFY_SOCKET=" + name}, func() string {
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4096)
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

func TestSend(t *testing.T) {
	for kind, name := range map[string]string{
		"a path": filepath.Join(t.TempDir(), "notify"), "an abstract name": fmt.Sprintf("@holdfast-sdnotify-%d", os.Getpid()),
	} {
		t.Run(kind, func(t *testing.T) {
			env, next := listen(t, name)
			s, err := Open(env)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Send(Ready, Status("two\nlines\r\n"), Extend(1500*time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if got := next(); got != "READY=1\nSTATUS=two lines\nEXTEND_TIMEOUT_USEC=1500000" {
				t.Errorf("%q", got)
			}
			before := monotonic()
			if err := s.Send(Reloading()...); err != nil {
				t.Fatal(err)
			}
			var us int64
			got := next()
			if _, err := fmt.Sscanf(got, "RELOADING=1\nMONOTONIC_USEC=%d", &us); err != nil {
				t.Fatalf("%q: %v", got, err)
			}
			if at := time.Duration(us) * time.Microsecond; at < before.Truncate(time.Microsecond) || at > monotonic() {
				t.Errorf("a reload at %v, not in %v to %v", at, before, monotonic())
			}
		})
	}
}

func TestBadAddresses(t *testing.T) {
	if s, err := Open([]string{"NOTIFY_SOCKET="}); s != nil || err != nil {
		t.Errorf("an empty name: %v, %v", s, err)
	}
	var none *Socket
	if err := none.Send(Ready); err != nil {
		t.Errorf("nobody to tell: %v", err)
	}
	for _, name := range []string{"relative", "@", "/", "vsock:2:1234", "/" + strings.Repeat("n", maxAddress)} {
		if s, err := Open([]string{"NOTIFY_SOCKET=" + name}); !errors.Is(err, ErrAddress) || s != nil {
			t.Errorf("%q: %v, %v", name, s, err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/nobody/listens/here", t.TempDir(), file, "@nobody-listens-here"} {
		s, err := Open([]string{"NOTIFY_SOCKET=" + name})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(Ready); !errors.Is(err, ErrSend) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// A manager that does not read costs no more than the time that a send may take.
func TestManagerThatDoesNotRead(t *testing.T) {
	env, _ := listen(t, filepath.Join(t.TempDir(), "notify"))
	s, err := Open(env)
	if err != nil {
		t.Fatal(err)
	}
	for range 100_000 {
		if err = s.Send(Alive); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrSend) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestWatchdog(t *testing.T) {
	for _, row := range []struct {
		env  string
		want time.Duration
		err  error
	}{
		{"", 0, nil}, {"WATCHDOG_USEC=", 0, nil}, {"WATCHDOG_USEC=30000000", 30 * time.Second, nil},
		{"WATCHDOG_USEC=2000 WATCHDOG_PID=7", 2 * time.Millisecond, nil}, {"WATCHDOG_USEC=2000 WATCHDOG_PID=8", 0, nil},
		{"WATCHDOG_USEC=0", 0, ErrWatchdog}, {"WATCHDOG_USEC=-1", 0, ErrWatchdog}, {"WATCHDOG_USEC=30s", 0, ErrWatchdog},
		{"WATCHDOG_USEC=9223372036854775807", 0, ErrWatchdog}, {"WATCHDOG_USEC=99999999999999999999", 0, ErrWatchdog},
	} {
		if got, err := Watchdog(strings.Fields(row.env), 7); got != row.want || !errors.Is(err, row.err) {
			t.Errorf("%q: %v, %v", row.env, got, err)
		}
	}
}
