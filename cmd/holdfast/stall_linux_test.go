package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast/api/client"
	"holdfast/wal/fusetest"
)

// A whole node on a disk whose fsync fails, or hangs: it ends with exit code 4 and the reason, which its manager hears too; an fsync that hangs
// for less than that is only warned of. On the same disk, sound again, it has every order that it acknowledged.
func TestDiskFaultsEndTheNode(t *testing.T) {
	const exit, slow, hang = 3 * time.Second, 1200 * time.Millisecond, 5 * time.Second
	tests := []struct {
		name  string
		errno syscall.Errno
		wait  time.Duration
		says  string
		ends  bool
	}{
		{"fsync fails", syscall.EIO, 0, "input/output error", true},
		{"fsync hangs", 0, hang, "wal: disk stalled: fsync takes over 3s", true},
		{"fsync is slow", 0, slow, "the log's disk is slow", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mounted := fusetest.Mount(t)
			said, _ := manager(t, filepath.Join(t.TempDir(), "notify"))
			data := filepath.Join(mounted.Dir(), "data")
			args := []string{"--wal-segment-bytes", "2097152", "--sink", "none", "--disk-stall-exit", exit.String()}
			n := launch(t, data, args...)
			c := clientOf(t, n)
			if _, err := c.CreateSKU(t.Context(), client.SKUSpec{SKU: "shoe", Stock: 1000}); err != nil {
				t.Fatal(err)
			}
			sold := place(t, c, 0, 20)
			mounted.SetHook(once(func(op fusetest.Op) bool { return op.Kind == fusetest.Sync && strings.HasSuffix(op.Name, ".wal") },
				func() fusetest.Answer { return fusetest.Answer{Errno: tt.errno, Until: after(tt.wait)} }))
			sold += place(t, c, 20, 40)
			if !tt.ends {
				if log := n.Log(); sold != 40 || !strings.Contains(log, tt.says) {
					t.Errorf("%d sold: %s", sold, log)
				}
				return
			}
			select {
			case <-n.Done():
			case <-time.After(20 * time.Second):
				t.Fatal("it goes on without a log")
			}
			if n.ExitCode() != 4 || !strings.Contains(n.Log(), tt.says) || strings.Contains(n.Log(), "panic") {
				t.Errorf("exit code %d: %s", n.ExitCode(), n.Log())
			}
			if got, _ := hear(t, said, "STOPPING=1"); !strings.Contains(got, tt.says) {
				t.Errorf("%q", got)
			}
			mounted.SetHook(nil)
			s, err := clientOf(t, launch(t, data, args...)).SKU(t.Context(), "shoe")
			if err != nil || s.Held < sold || sold < 20 {
				t.Errorf("%d acknowledged: %+v, %v", sold, s, err)
			}
		})
	}
}

// place places orders one by one until one is refused, and returns how many were acknowledged.
func place(t *testing.T, c *client.Client, from, to int) (sold int64) {
	t.Helper()
	for i := from; i < to; i++ {
		if _, err := c.PlaceOrder(t.Context(), fmt.Sprintf("key-%d", i), client.NewOrder{SKU: "shoe", User: fmt.Sprintf("user-%d", i)}); err != nil {
			return sold
		}
		sold++
	}
	return sold
}

// once gives the first operation that matches an answer of its own.
func once(matches func(fusetest.Op) bool, answer func() fusetest.Answer) fusetest.Hook {
	var met atomic.Bool
	return func(op fusetest.Op) fusetest.Answer {
		if !matches(op) || !met.CompareAndSwap(false, true) {
			return fusetest.Answer{}
		}
		return answer()
	}
}

// after is closed when so much time has passed; nil for none.
func after(d time.Duration) <-chan struct{} {
	if d == 0 {
		return nil
	}
	c := make(chan struct{})
	time.AfterFunc(d, func() { close(c) })
	return c
}
