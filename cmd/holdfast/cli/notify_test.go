package cli

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// heard is a service manager that notes what it is told.
type heard struct {
	mu    sync.Mutex
	lines []string
}

func (h *heard) send(lines ...string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, strings.Join(lines, " "))
	return nil
}

func (h *heard) count(line string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.lines {
		if l == line {
			n++
		}
	}
	return n
}

func unitTelling(h *heard) *unit {
	return &unit{send: h.send, logger: slog.New(slog.DiscardHandler), work: func() time.Duration { return 0 }, stop: func() {}}
}

// The watchdog hears of a node three times in its time, and nothing of one whose actors hang; when they answer again it hears again.
func TestWatchdogIsTiedToThePulse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(heard)
		u := unitTelling(h)
		u.watchdog = 30 * time.Second
		var hangs sync.Mutex
		pulse := func(ctx context.Context) error {
			if hangs.TryLock() {
				hangs.Unlock()
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}
		u.ready("serving", pulse)
		<-time.After(59 * time.Second)
		if n := h.count("WATCHDOG=1"); n != 6 {
			t.Errorf("%d beats in a minute: %q", n, h.lines)
		}
		hangs.Lock()
		<-time.After(10 * time.Minute)
		if n := h.count("WATCHDOG=1"); n != 6 {
			t.Errorf("%d beats of a node that hangs", n-6)
		}
		hangs.Unlock()
		<-time.After(time.Minute)
		if n := h.count("WATCHDOG=1"); n < 11 {
			t.Errorf("%d beats after it came back", n-6)
		}
		u.over(nil)
		if h.lines[0] != "READY=1 STATUS=serving" || h.count("STOPPING=1 STATUS=") != 0 {
			t.Errorf("%q", h.lines)
		}
	})
}

// A recovery says each step once and asks for time only while it works.
func TestRecoveryIsExtendedWhileItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(heard)
		u := unitTelling(h)
		var mu sync.Mutex
		var used, rate time.Duration
		u.work = func() time.Duration {
			mu.Lock()
			defer mu.Unlock()
			used += rate
			return used
		}
		setRate := func(d time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			rate = d
		}
		u.opening("recovering the log")
		setRate(100 * time.Millisecond)
		u.recovering()
		<-time.After(10*time.Second + time.Millisecond)
		const extend = "EXTEND_TIMEOUT_USEC=30000000"
		if h.count(extend) != 10 || h.count("STATUS=recovering the log") != 1 {
			t.Errorf("%q", h.lines)
		}
		setRate(time.Millisecond)
		u.opening("waiting for shard 1")
		<-time.After(time.Hour)
		if h.count(extend) != 10 || h.count("STATUS=waiting for shard 1") != 1 {
			t.Errorf("%q", h.lines)
		}
		u.over(errors.New("the log\nis damaged"))
		if last := h.lines[len(h.lines)-1]; last != "STOPPING=1 STATUS=the log is damaged" {
			t.Errorf("%q", last)
		}
	})
}

func TestReloadIsFramed(t *testing.T) {
	for name, err := range map[string]error{"well": nil, "failed": errors.New("no keys")} {
		t.Run(name, func(t *testing.T) {
			h := new(heard)
			if got := unitTelling(h).reload(func() error { _ = h.send("reads"); return err }, "serving"); !errors.Is(got, err) {
				t.Error(got)
			}
			if len(h.lines) != 3 || !strings.HasPrefix(h.lines[0], "RELOADING=1 MONOTONIC_USEC=") || h.lines[1] != "reads" {
				t.Fatalf("%q", h.lines)
			}
			if last := h.lines[2]; !strings.HasPrefix(last, "READY=1 STATUS=serving") || strings.Contains(last, "no keys") != (err != nil) {
				t.Errorf("%q", last)
			}
		})
	}
}

// A manager that cannot be told is complained about once, and nothing else comes of it.
func TestSilentManager(t *testing.T) {
	for name, env := range map[string][]string{
		"nobody listens":    {"NOTIFY_SOCKET=/nobody/listens/here"},
		"no address":        {"NOTIFY_SOCKET=vsock:2:1"},
		"no time":           {"WATCHDOG_USEC=soon"},
		"neither":           {"NOTIFY_SOCKET=x", "WATCHDOG_USEC=-1"},
		"no manager at all": nil,
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			u := newUnit(env, slog.New(slog.NewTextHandler(&log, nil)))
			u.recovering()
			u.ready("serving", func(context.Context) error { return nil })
			_ = u.reload(func() error { return nil }, "serving")
			u.draining(time.Second)
			u.over(errors.New("over"))
			want := 1
			if env == nil {
				want = 0
			}
			if n := strings.Count(log.String(), "\n"); n != want {
				t.Errorf("%d lines of log: %s", n, &log)
			}
		})
	}
	if used := processorTime(); used <= 0 {
		t.Errorf("no processor time: %v", used)
	}
}
