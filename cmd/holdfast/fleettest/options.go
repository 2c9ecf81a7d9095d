package fleettest

import (
	"context"
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"

	"holdfast/storage"
)

// Options say what a fleet is made of. Zero values stand for the defaults named at the fields.
type Options struct {
	// Nodes is how many there are at first, n1 and so on. Default 3.
	Nodes int
	// Shards is the number of data shards. Default 4.
	Shards int
	// Args are further flags of every node, ArgsOf those of one.
	Args   []string
	ArgsOf func(i int) []string
	// DirOf names the data directory of a node. Default: one in a temporary directory.
	DirOf func(i int) string
	// AddrsOf are the public, admin and peer address of a node. Default: free ports of the loopback.
	AddrsOf func(i int) [3]string
	// Prefix stands before the program in a node's command line, which it must replace by exec, as "ip netns exec NAME" does. Default:
	// nothing.
	Prefix func(i int) []string
	// HTTP sends the requests to a node. Default: a client of its own.
	HTTP func(i int) *http.Client
	// ReadOrders reads the orders of a node's database. Default: storage.ReadOrders. A test that serves a node's file system itself must let
	// another process read: SQLite maps a file into memory, and the fault of a page of it would stop the very process that has to answer it.
	ReadOrders func(ctx context.Context, database string) ([]storage.OrderRow, error)
	// Observe, when set, is told of every call of a load when it has ended. It is called by many goroutines.
	Observe func(Op)
}

func (o Options) withDefaults() Options {
	if o.Nodes == 0 {
		o.Nodes = 3
	}
	if o.Shards == 0 {
		o.Shards = 4
	}
	none := func(int) []string { return nil }
	if o.ArgsOf == nil {
		o.ArgsOf = none
	}
	if o.Prefix == nil {
		o.Prefix = none
	}
	if o.ReadOrders == nil {
		o.ReadOrders = storage.ReadOrders
	}
	if o.HTTP == nil {
		o.HTTP = func(int) *http.Client { return nil }
	}
	return o
}

// program returns the path of holdfast: what the path has, else what it builds.
func program(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath("holdfast"); err == nil {
		return path
	}
	path := filepath.Join(t.TempDir(), "holdfast")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "holdfast/cmd/holdfast").CombinedOutput(); err != nil {
		t.Fatalf("build holdfast: %v\n%s", err, out)
	}
	return path
}
