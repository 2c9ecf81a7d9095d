package node

import (
	"net"
	"runtime"
	"sync/atomic"
	"testing"
)

// A node that starts has its ports and refuses connections; they are not accepted and left without an answer.
func TestStartingNodeRefusesConnections(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the ports are silent while a node starts on Linux only")
	}
	cfg := config(t.TempDir())
	free := open(t, cfg)
	addrs := free.Addrs()
	drain(t, free)
	cfg.HTTP, cfg.Admin = addrs.HTTP, addrs.Admin
	var refused atomic.Int64
	cfg.Opening = func(step string) {
		if step != "recovering the log" {
			return
		}
		for _, at := range []string{addrs.HTTP, addrs.Admin} {
			conn, err := net.Dial("tcp", at)
			if err == nil {
				_ = conn.Close()
				t.Errorf("%s takes connections", at)
				continue
			}
			refused.Add(1)
		}
	}
	n := open(t, cfg)
	defer drain(t, n)
	if refused.Load() != 2 {
		t.Fatalf("%d ports refused", refused.Load())
	}
	if _, err := n.client(t).Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
}
