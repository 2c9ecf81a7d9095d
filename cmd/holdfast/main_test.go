package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"holdfast/api/apitest"
	"holdfast/api/client"
	"holdfast/cmd/holdfast/child"
	"holdfast/wal"
)

// The test binary, under the name holdfast, is the program: scripts and tests run it as a process.
func TestMain(m *testing.M) {
	if err := os.Setenv("GORACE", raceExit); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"holdfast": main, ordersProgram: printOrders})
}

// raceExit keeps a program built with the race detector from waiting a second before it exits.
const raceExit = "atexit_sleep_ms=0"

// The command line as people type it. Each file in testdata/script is one story.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "makelog": makeLog, "goldenlog": goldenLog, "flip": flip, "tear": tear, "deafserver": deafServer, "shutport": shutPort, "node": runNode, "orderid": orderID, "isjson": isJSON,
			"fakecluster": fakeCluster, "wasasked": wasAsked, "nothingin": nothingIn,
		},
		Setup: func(e *testscript.Env) error {
			e.Values[runningKey{}] = &running{}
			e.Setenv("GORACE", raceExit)
			return nil
		},
	})
}

// program returns the path of the test binary that is holdfast.
func program(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("holdfast")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// exits CODE PROGRAM ARGS... runs a program that must end with that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, not %d", got, want)
	}
}

// makelog DIR writes a small log.
func makeLog(ts *testscript.TestScript, _ bool, args []string) {
	log, err := wal.Open(wal.Config{Dir: ts.MkAbs(args[0]), ClusterID: [16]byte{1, 2, 3}, SegmentBytes: 64 << 10})
	ts.Check(err)
	for term := range uint64(20) {
		ts.Check(log.Group(uint32(term%3)).SetUint64([]byte("CurrentTerm"), term+1))
	}
	ts.Check(log.Close())
}

// goldenlog DIR puts a log there that an earlier build wrote, with entries of two groups.
func goldenLog(ts *testscript.TestScript, _ bool, args []string) {
	content, err := os.ReadFile(filepath.Join(golden, "v1.wal"))
	ts.Check(err)
	ts.Check(os.MkdirAll(ts.MkAbs(args[0]), 0o750))
	ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(args[0]), "0000000000000001.wal"), content, 0o640))
}

// golden is where the package of the log keeps them.
var golden = filepath.Join("..", "..", "wal", "testdata")

// segments returns the segments of a log in order of their names, those ahead of the log apart.
func segments(ts *testscript.TestScript, dir string) []string {
	report, err := wal.Verify(nil, ts.MkAbs(dir))
	ts.Check(err)
	var paths []string
	for _, s := range report.Segments {
		paths = append(paths, filepath.Join(ts.MkAbs(dir), s.Name))
	}
	return paths
}

// flip DIR OFFSET changes one byte, for good measure in many bits, of the first segment and sets SEGMENT to its name.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	at, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	change(ts, segments(ts, args[0])[0], at)
}

// tear DIR damages the end of the last batch, as a power cut in the middle of a write does, and sets SEGMENT.
func tear(ts *testscript.TestScript, _ bool, args []string) {
	report, err := wal.Verify(nil, ts.MkAbs(args[0]))
	ts.Check(err)
	last := report.Segments[0]
	for _, s := range report.Segments {
		if s.Batches > 0 { // the one after the log is prepared, and empty
			last = s
		}
	}
	path := filepath.Join(ts.MkAbs(args[0]), last.Name)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	ts.Check(err)
	_, err = f.WriteAt(make([]byte, 24), last.UsedBytes-24)
	ts.Check(err)
	ts.Check(f.Close())
	ts.Setenv("SEGMENT", last.Name)
}

func change(ts *testscript.TestScript, path string, at int64) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	ts.Check(err)
	var b [1]byte
	_, err = f.ReadAt(b[:], at)
	ts.Check(err)
	b[0] ^= 0x5a
	_, err = f.WriteAt(b[:], at)
	ts.Check(err)
	ts.Check(f.Close())
	ts.Setenv("SEGMENT", filepath.Base(path))
}

// deafserver starts a server that takes every request and hangs up, and points --addr and --admin-addr at it.
func deafServer(ts *testscript.TestScript, _ bool, _ []string) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	ts.Defer(s.Close)
	ts.Setenv("HOLDFAST_ADDR", s.URL)
	ts.Setenv("HOLDFAST_ADMIN_ADDR", s.URL)
}

// shutport points --addr and --admin-addr at a port where nobody listens.
func shutPort(ts *testscript.TestScript, _ bool, _ []string) {
	addrs, err := child.FreeAddrs(1)
	ts.Check(err)
	ts.Setenv("HOLDFAST_ADDR", addrs[0])
	ts.Setenv("HOLDFAST_ADMIN_ADDR", addrs[0])
}

// orderid FILE sets ORDER to the id in the order that -o json printed.
func orderID(ts *testscript.TestScript, _ bool, args []string) {
	var o client.Order
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &o))
	ts.Setenv("ORDER", o.ID)
}

// running is the node of a script, and its cluster in memory.
type running struct {
	node    *child.Node
	cluster *apitest.Cluster
}

type runningKey struct{}

// node ARGS... runs a node on $WORK/data until the script ends, and points --addr and --admin-addr at it. "node -kill" cuts its power.
func runNode(ts *testscript.TestScript, _ bool, args []string) {
	r := ts.Value(runningKey{}).(*running)
	if len(args) == 1 && args[0] == "-kill" {
		r.node.Kill()
		return
	}
	path, err := exec.LookPath("holdfast")
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	serve := append([]string{"serve", "--data-dir", ts.MkAbs("data"), "--http", anyPort, "--admin", anyPort, "--peer", anyPort}, args...)
	r.node, err = child.Start(ctx, path, serve, nil)
	ts.Check(err)
	ts.Defer(r.node.Kill)
	ts.Setenv("HOLDFAST_ADDR", r.node.Ready.HTTP)
	ts.Setenv("HOLDFAST_ADMIN_ADDR", r.node.Ready.Admin)
}

const anyPort = "127.0.0.1:0"
