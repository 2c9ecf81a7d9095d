package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/api/client"
)

// A disk that gets full while orders come ends the node with exit code 4 and a reason, which its manager hears too; with some space it goes on, and
// every order that it acknowledged is there.
func TestDiskGetsFull(t *testing.T) {
	dir := mounted(t, "size=24m")
	said, _ := manager(t, filepath.Join(t.TempDir(), "notify"))
	data, small := filepath.Join(dir, "data"), []string{"--wal-segment-bytes", "2097152", "--sink", "none"}
	n := launch(t, data, small...)
	c := clientOf(t, n)
	if _, err := c.CreateSKU(t.Context(), client.SKUSpec{SKU: "shoe", Stock: 1_000_000}); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 24<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	var sold int64
	for batch := 0; batch < 200; batch++ {
		orders := make([]client.BatchItem, 4000)
		for i := range orders {
			orders[i].Key = fmt.Sprintf("key-%d-%d", batch, i)
			orders[i].SKU, orders[i].User = "shoe", "ada"
		}
		results, err := c.PlaceBatch(t.Context(), orders)
		if err != nil {
			break
		}
		for _, r := range results {
			if r.Status == 201 {
				sold++
			}
		}
	}
	select {
	case <-n.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on without a log")
	}
	if n.ExitCode() != 4 || !strings.Contains(n.Log(), "no space left on device") || strings.Contains(n.Log(), "panic") {
		t.Errorf("exit code %d: %s", n.ExitCode(), n.Log())
	}
	if got, _ := hear(t, said, "STOPPING=1"); !strings.Contains(got, "no space left on device") {
		t.Errorf("%q", got)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s, err := clientOf(t, launch(t, data, small...)).SKU(t.Context(), "shoe")
	if err != nil || s.Held < sold || sold == 0 {
		t.Errorf("%d acknowledged: %+v, %v", sold, s, err)
	}
}

// A disk with room for the first segment of the log and not for the second is a start that fails with exit code 1 and what to do: no node gets ready
// on it, whatever it is that meets the end of the disk first.
func TestStartOnANearlyFullDisk(t *testing.T) {
	for _, size := range []string{"6m", "7m", "7900k"} {
		for try := range 3 {
			data := filepath.Join(mounted(t, "size="+size), "data")
			cmd := exec.Command(program(t), serveArgs(data, "--wal-segment-bytes", "4194304")...)
			var out, errs bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &errs
			err := cmd.Run()
			if code := cmd.ProcessState.ExitCode(); code != 1 || out.Len() > 0 || !strings.Contains(errs.String(), "is full: free some space") {
				t.Errorf("%s, try %d: exit code %d, %v\n%s\n%s", size, try, code, err, &out, &errs)
			}
		}
	}
	// Room for both, for snapshots and for the database, is enough.
	stop(t, launch(t, filepath.Join(mounted(t, "size=12m"), "data"), "--wal-segment-bytes", "4194304"))
}
