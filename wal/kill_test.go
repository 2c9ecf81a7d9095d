package wal_test

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/wal"
)

var (
	kills    = flag.Int("kills", 40, "how often TestKill kills the writing process; 200 for acceptance")
	killSeed = flag.Uint64("killseed", 0, "seed of TestKill; 0: a fresh one")
)

// writerEnv makes TestWriterProcess the writer: seed, generation and directory.
const writerEnv = "HOLDFAST_WAL_WRITER"

// A line of the pipe between the writer and the one who kills it: what it is about to do, or has been told is durable.
const (
	lineTry   = 't'
	lineAck   = 'a'
	lineEvent = 'e' // something was done to a segment: group is which, index the bytes rewritten so far
)

const lineBytes = 24

func encodeLine(what byte, c mixedCall) []byte {
	b := make([]byte, lineBytes)
	b[0], b[1] = what, byte(c.kind)
	binary.LittleEndian.PutUint32(b[4:], c.group)
	binary.LittleEndian.PutUint64(b[8:], c.index)
	binary.LittleEndian.PutUint32(b[16:], c.count)
	binary.LittleEndian.PutUint32(b[20:], c.version)
	return b
}

func decodeLine(b []byte) (what byte, c mixedCall) {
	le := binary.LittleEndian
	return b[0], mixedCall{kind: callKind(b[1]), group: le.Uint32(b[4:]), index: le.Uint64(b[8:]), count: le.Uint32(b[16:]), version: le.Uint32(b[20:])}
}

// TestWriterProcess is the process that TestKill kills; by itself it does nothing. It writes until then.
func TestWriterProcess(t *testing.T) {
	var seed, generation uint64
	var dir string
	if _, err := fmt.Sscan(os.Getenv(writerEnv), &seed, &generation, &dir); err != nil {
		return
	}
	pipe := os.NewFile(3, "pipe")
	cfg := mixedConfig(dir)
	cfg.Observer = &teller{to: pipe}
	cfg.OnFatal = func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(4)
	}
	l, err := wal.Open(cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(4)
	}
	var all sync.WaitGroup
	for id := range uint32(mixedGroups) {
		all.Go(func() { writeUntilKilled(l.Group(id), seed, uint32(generation), pipe) })
	}
	all.Wait()
}

// writeUntilKilled never returns: its reader kills it, or is gone.
func writeUntilKilled(g *wal.Group, seed uint64, generation uint32, pipe io.Writer) {
	first, _ := g.FirstIndex()
	last, _ := g.LastIndex()
	h := holding{first: first}
	if last > 0 {
		h.versions = make([]uint32, last-first+1) // which they are matters to the reader alone
	}
	m := newMixer(g.ID(), seed, h, generation<<16)
	for {
		c := m.choose()
		_, tried := pipe.Write(encodeLine(lineTry, c))
		err := c.do(g)
		if err == nil {
			_, err = pipe.Write(encodeLine(lineAck, c))
		}
		if err != nil || tried != nil {
			fmt.Fprintln(os.Stderr, "group", g.ID(), tried, err)
			os.Exit(1)
		}
		m.holding = m.after(c, c.count)
	}
}

// teller tells of segments.
type teller struct {
	to    io.Writer
	space wal.Space
	mu    sync.Mutex // guards space
}

func (o *teller) ObserveBatch(wal.BatchStats)  {}
func (o *teller) ObserveSegments(int, int64)   {}
func (o *teller) ObserveRecovery(wal.Progress) {}

func (o *teller) ObserveSpace(s wal.Space) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.space = s
}

func (o *teller) ObserveSegment(e wal.SegmentEvent) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = o.to.Write(encodeLine(lineEvent, mixedCall{group: uint32(e), index: uint64(o.space.Rewritten)})) // the next line fails too
}

// TestKill kills -9 a process that writes, at random moments, again and again on the same directory on the real file
// system. Each time everything acknowledged is there bit for bit, nothing is there that was never written, and no term
// or vote is older than what was acknowledged.
func TestKill(t *testing.T) {
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("run it again: go test ./wal -run '^%s$' -args -kills %d -killseed %d", t.Name(), *kills, seed)
	k := &killer{t: t, dir: t.TempDir(), seed: seed, r: rand.New(rand.NewPCG(seed, 0)), events: make(map[wal.SegmentEvent]int)}
	begin := time.Now()
	for k.generation = 1; k.generation <= uint32(*kills) && !t.Failed(); k.generation++ {
		k.round()
	}
	t.Logf("%d kills in %.1f s: %d calls acknowledged; %d calls under way when killed, of them %d found done, %d in part, %d not done; %d torn tails; "+
		"segments: %d made, %d used again, %d removed; %d bytes rewritten forward", *kills, time.Since(begin).Seconds(), k.acked,
		k.whole+k.part+k.undone, k.whole, k.part, k.undone, k.torn,
		k.events[wal.SegmentPrepared], k.events[wal.SegmentRecycled], k.events[wal.SegmentRemoved], k.rewritten)
	if k.acked == 0 || k.whole+k.part == 0 || k.undone == 0 {
		t.Error("the kills hit nothing")
	}
	if *kills >= 12 && (k.events[wal.SegmentRecycled] == 0 || k.rewritten == 0) {
		t.Error("no segment was used again, or nothing rewritten forward")
	}
}

// killer is the parent's side.
type killer struct {
	t          *testing.T
	dir        string
	seed       uint64
	r          *rand.Rand
	generation uint32
	groups     [mixedGroups]holding
	pending    [mixedGroups]*mixedCall // tried, not acknowledged

	acked, whole, part, undone, torn int
	events                           map[wal.SegmentEvent]int
	rewritten                        uint64
}

// round runs the writer, kills it and looks at what is there.
func (k *killer) round() {
	in, out, err := os.Pipe()
	must(k.t, err)
	defer func() { must(k.t, in.Close()) }()
	said := new(strings.Builder)
	cmd := exec.Command(os.Args[0], "-test.run", "^TestWriterProcess$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %s", writerEnv, k.r.Uint64(), k.generation, k.dir))
	cmd.ExtraFiles, cmd.Stderr = []*os.File{out}, said
	must(k.t, cmd.Start())
	must(k.t, out.Close())
	kill := func() { _ = cmd.Process.Kill() } // it may have gone by itself, which Wait tells
	rescue := time.AfterFunc(time.Minute, kill)
	defer rescue.Stop()
	lines := 1 + k.r.IntN(1500)
	if k.r.IntN(5) == 0 { // while the log is opened, or soon after
		early := time.AfterFunc(time.Duration(k.r.IntN(60))*time.Millisecond, kill)
		defer early.Stop()
	}
	k.listen(in, lines, kill)
	err = cmd.Wait()
	if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != -1 {
		k.t.Fatalf("generation %d: the writer ended by itself: %v: %s", k.generation, err, said)
	}
	k.examine()
}

// listen reads what the writer says, kills it after so many lines, and reads what it had said until then.
func (k *killer) listen(in io.Reader, lines int, kill func()) {
	b, rewritten := make([]byte, lineBytes), uint64(0)
	for n := 1; ; n++ {
		if _, err := io.ReadFull(in, b); err != nil {
			if err != io.EOF {
				k.t.Fatal(err)
			}
			return
		}
		switch what, c := decodeLine(b); what {
		case lineTry:
			k.pending[c.group] = &c
		case lineAck:
			k.acked++
			k.groups[c.group], k.pending[c.group] = k.groups[c.group].after(c, c.count), nil
		case lineEvent:
			k.events[wal.SegmentEvent(c.group)]++
			k.rewritten, rewritten = k.rewritten+c.index-rewritten, c.index
		}
		if n == lines {
			kill()
		}
	}
}

// examine reads the log offline, opens it, and compares. What it finds of calls that were under way is what counts from
// now on.
func (k *killer) examine() {
	report, err := wal.Verify(wal.OS{}, k.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		k.t.Fatalf("generation %d: Verify: %v", k.generation, err)
	}
	if report.TornTail != nil {
		k.torn++
	}
	l := open(k.t, mixedConfig(k.dir))
	defer closeLog(k.t, l)
	for id := range k.groups {
		found, states, told := settle(k.groups[id], k.pending[id], l.Group(uint32(id)))
		if found < 0 {
			k.t.Errorf("generation %d: group %d: %s", k.generation, id, told)
			continue
		}
		if k.pending[id] != nil {
			k.count(found, len(states)-1)
		}
		k.groups[id], k.pending[id] = states[found], nil
	}
}

func (k *killer) count(found, all int) {
	switch found {
	case 0:
		k.undone++
	case all:
		k.whole++
	default:
		k.part++
	}
}

// settle returns in which of the states that it may be in a group is, or -1 with what is wrong about each.
func settle(h holding, pending *mixedCall, g *wal.Group) (found int, states []holding, told string) {
	states = []holding{h}
	if pending != nil {
		states = h.possible(*pending)
	}
	var all []string
	for i, s := range states {
		d := s.differs(g)
		if d == "" {
			return i, states, ""
		}
		all = append(all, d)
	}
	return -1, states, strings.Join(all, "; or: ")
}

// TestKillCheckerFindsLoss takes away, adds and changes what must be there, and expects the comparison to see it.
func TestKillCheckerFindsLoss(t *testing.T) {
	dir := t.TempDir()
	l := open(t, mixedConfig(dir))
	defer closeLog(t, l)
	g, h := l.Group(1), holding{}
	do := func(c mixedCall) {
		t.Helper()
		must(t, c.do(g))
	}
	for _, c := range []mixedCall{{kind: callAppend, group: 1, index: 5, count: 10, version: 1}, {kind: callTerm, group: 1, version: 7}, {kind: callVote, group: 1, version: 8}} {
		do(c)
		h = h.after(c, c.count)
	}
	finds := func(what string) {
		t.Helper()
		if found, _, _ := settle(h, nil, g); found >= 0 {
			t.Error("not found:", what)
		}
	}
	if _, _, told := settle(h, nil, g); told != "" {
		t.Error(told)
	}
	next := mixedCall{kind: callAppend, group: 1, index: 15, count: 3, version: 2}
	do(mixedCall{kind: callAppend, group: 1, index: 15, count: 2, version: 2})
	finds("entries nobody tried to write")
	if found, _, told := settle(h, &next, g); found != 2 {
		t.Errorf("two of three entries of the call under way: %d, %s", found, told)
	}
	do(mixedCall{kind: callSuffix, group: 1, index: 14})
	finds("a lost entry")
	do(mixedCall{kind: callAppend, group: 1, index: 14, count: 1, version: 2})
	finds("an entry with other bytes")
	do(mixedCall{kind: callSuffix, group: 1, index: 14})
	do(mixedCall{kind: callAppend, group: 1, index: 14, count: 1, version: 1})
	do(mixedCall{kind: callTerm, group: 1, version: 6})
	finds("an older term")
	do(mixedCall{kind: callTerm, group: 1, version: 7})
	do(mixedCall{kind: callVote, group: 1, version: 7})
	finds("an older vote")
	do(mixedCall{kind: callVote, group: 1, version: 8})
	if _, _, told := settle(h, nil, g); told != "" {
		t.Error(told)
	}
}
