package node

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// A node does not wait for its own answer when --join names it, alone or among others.
func TestJoinNamesTheNodeItself(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	own := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	c := config(filepath.Join(t.TempDir(), "data"))
	c.NodeID, c.Peer, c.Join, c.JoinTimeout = "n2", own, []string{own}, time.Hour
	n, err := Open(t.Context(), c)
	if n != nil || !errors.Is(err, ErrJoin) || ExitCode(err) != exitNobody {
		t.Fatalf("it joined itself: %v", err)
	}
	first := open(t, config(filepath.Join(t.TempDir(), "data")))
	defer func() { drain(t, first) }()
	c.Join = []string{own, first.Addrs().Peer}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if n, err = Open(ctx, c); err != nil {
		t.Fatal(err)
	}
	drain(t, n)
}
