package wal_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

// The tests here are scenario 13 of the design, the log's share of the fifteen nastiest: a power cut inside a many-page
// batch with every subset of its pages kept; kill -9, restart, append, power cut (TestKillThenPowerCut); the segment with
// the only vote record goes, then an election; the bound of the disk on a follower during an election.

// TestEverySubsetOfPages loses, of a batch of ten pages, each of the 1,024 sets of pages: all of it is there or nothing.
func TestEverySubsetOfPages(t *testing.T) {
	const page, pages = 4096, 10
	cfg := func(fs wal.FS) wal.Config { c := small(fs); c.SegmentBytes = 128 << 10; return c }
	fs := waltest.NewFS()
	l := open(t, cfg(fs))
	must(t, l.Group(1).StoreLogs(entries(1, 1, 3, 0, 100)))
	must(t, l.Group(1).SetUint64([]byte("CurrentTerm"), 5))
	closeLog(t, l)
	before := fs.ReadFile(firstSegment)
	l = open(t, cfg(fs))
	must(t, l.Group(1).StoreLogs(entries(1, 4, 21, 0, 2000)))
	closeLog(t, l)
	after := fs.ReadFile(firstSegment)
	first, end := page, len(after)
	for after[end-1] == before[end-1] {
		end--
	}
	if n := (end - first + page - 1) / page; n != pages {
		t.Fatalf("the batch has %d pages", n)
	}
	whole, torn := 0, 0
	for kept := range 1 << pages {
		content := slices.Clone(before)
		for p := range pages {
			if kept>>p&1 == 1 {
				copy(content[first+p*page:first+(p+1)*page], after[first+p*page:])
			}
		}
		left := changed(fs, firstSegment, content)
		r, err := wal.Verify(left, dir)
		must(t, err)
		l := open(t, cfg(left))
		if n, err := l.Group(1).GetUint64([]byte("CurrentTerm")); n != 5 || err != nil {
			t.Fatalf("pages %b: term %d, %v", kept, n, err)
		}
		if last, _ := l.Group(1).LastIndex(); last == 21 {
			whole++
			want(t, l.Group(1), append(entries(1, 1, 3, 0, 100), entries(1, 4, 21, 0, 2000)...))
		} else {
			torn++
			want(t, l.Group(1), entries(1, 1, 3, 0, 100))
			if kept != 0 && r.TornTail == nil {
				t.Fatalf("pages %b: cut without a word", kept)
			}
		}
		closeLog(t, l)
	}
	t.Logf("%d subsets of %d pages: %d whole, %d torn", 1<<pages, pages, whole, torn)
	if whole != 1 {
		t.Errorf("whole %d times", whole)
	}
}

// voter is a group of which only term and vote count. Its checker: neither ever goes back, and no vote of a term changes.
type voter struct {
	g    *wal.Group
	term uint64
	cand string
}

func (v *voter) elect(term uint64, cand string) error {
	if err := v.g.SetUint64([]byte("CurrentTerm"), term); err != nil {
		return err
	}
	v.term = term
	if err := v.g.Set([]byte("LastVoteCand"), []byte(cand)); err != nil {
		return err
	}
	v.cand = cand
	return nil
}

// check says what is wrong with the voter that was found, when v is what had been acknowledged.
func (v voter) check(found *wal.Group) error {
	term, err := found.GetUint64([]byte("CurrentTerm"))
	if err != nil || term < v.term {
		return fmt.Errorf("term %d, %v; acknowledged was %d", term, err, v.term)
	}
	cand, err := found.Get([]byte("LastVoteCand"))
	if term == v.term && (err != nil || string(cand) != v.cand) {
		return fmt.Errorf("vote %q in term %d, %v; acknowledged was %q", cand, term, err, v.cand)
	}
	return nil
}

func TestVoteCheckerFindsLoss(t *testing.T) {
	l := open(t, small(waltest.NewFS()))
	defer closeLog(t, l)
	v := voter{g: l.Group(1)}
	if (voter{term: 5, cand: "n1"}).check(v.g) == nil {
		t.Error("a lost vote is not found")
	}
	must(t, v.elect(5, "n2"))
	if (voter{term: 6, cand: "n1"}).check(v.g) == nil || (voter{term: 5, cand: "n1"}).check(v.g) == nil || v.check(v.g) != nil {
		t.Error("an older term or another vote is not found, or the right one is")
	}
}

// TestTheSegmentWithTheOnlyVoteGoes lets a group vote once and stand still while others reclaim segment after segment, and
// cuts the power at each operation: the vote is there, and the next election starts from it.
func TestTheSegmentWithTheOnlyVoteGoes(t *testing.T) {
	fs := waltest.NewFS()
	l := open(t, crashConfig(fs))
	v := voter{g: l.Group(2)}
	must(t, v.elect(7, "node-3"))
	r := rand.New(rand.NewPCG(13, 13))
	var mu sync.Mutex // guards r and points
	points := 0
	fs.SetHook(func(op waltest.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if !op.Changes() {
			return nil
		}
		points++
		cut := fs.Crash(r)
		after, err := wal.Open(crashConfig(cut))
		if err != nil {
			t.Errorf("before %+v: %v", op, err)
			return nil
		}
		defer closeLog(t, after)
		if err := v.check(after.Group(2)); err != nil {
			t.Errorf("before %+v: %v", op, err)
		}
		next := voter{g: after.Group(2), term: v.term, cand: v.cand}
		must(t, next.elect(v.term+1, "node-1"))
		again := open(t, crashConfig(cut.Crash(r)))
		defer closeLog(t, again)
		if err := next.check(again.Group(2)); err != nil {
			t.Errorf("an election after %+v: %v", op, err)
		}
		return nil
	})
	churn(t, l, 1, 150, func() {})
	fs.SetHook(nil)
	closeLog(t, l)
	rep, err := wal.Verify(fs, dir)
	must(t, err)
	if rep.Segments[0].Sequence < 3 {
		t.Errorf("vacuous: segment %d is still there", rep.Segments[0].Sequence)
	}
	t.Logf("%d crash points, each with an election and a second crash", points)
}

// TestTheBoundDuringAnElection fills a follower to the hard bound. It leaves with the reason; started again it still votes,
// as often as it takes, through any crash, and is freed by a truncation.
func TestTheBoundDuringAnElection(t *testing.T) {
	fs := waltest.NewFS()
	cfg := func(fs wal.FS) wal.Config { c := crashConfig(fs); c.HardBytes = 5 * c.SegmentBytes; return c }
	full := cfg(fs)
	fatal := make(chan error, 1)
	full.OnFatal = func(err error) { fatal <- err }
	l := open(t, full)
	var err error
	last := uint64(0)
	for err == nil {
		if err = l.Group(1).StoreLog(entry(1, last+1, 0, 800)); err == nil {
			last++
		}
	}
	if err := <-fatal; !errors.Is(err, wal.ErrHardBound) {
		t.Fatalf("OnFatal: %v", err)
	}
	_ = l.Close() // says the same
	r := rand.New(rand.NewPCG(13, 14))
	crashes := 0
	v := voter{}
	for term := uint64(1); term <= 40; term++ { // the reserve of such a small segment
		l := open(t, cfg(fs))
		if v.g = l.Group(2); term > 1 {
			must(t, v.check(v.g))
		}
		must(t, v.elect(term, fmt.Sprint("node-", term%3)))
		if n := l.DiskBytes(); n > full.HardBytes {
			t.Fatalf("%d bytes on disk", n)
		}
		cut := fs.Crash(r) // before Close
		crashes++
		closeLog(t, l)
		fs = cut
	}
	l = open(t, cfg(fs))
	must(t, l.Group(1).DeleteRange(1, last-2))
	must(t, l.Group(1).StoreLogs(entries(1, last+1, last+10, 0, 800)))
	closeLog(t, l)
	l = open(t, cfg(fs))
	want(t, l.Group(1), entries(1, last-1, last+10, 0, 800))
	v.g = l.Group(2)
	must(t, v.check(v.g))
	closeLog(t, l)
	t.Logf("full at entry %d; %d elections, each followed by a crash", last, crashes)
}

// TestKillBeforeTheNameIsDurable kills the process when a prepared segment has its name, but not durably. The next process
// finds it and goes on in it; a power cut then must not take the name, and with it what was acknowledged.
func TestKillBeforeTheNameIsDurable(t *testing.T) {
	fs := waltest.NewFS()
	var killed *waltest.FS
	named, ready := false, make(chan struct{})
	fs.SetHook(func(op waltest.Op) error {
		switch {
		case op.Kind == waltest.OpRename && op.Name == dir+"/0000000000000002.wal":
			named = true
		case op.Kind == waltest.OpSyncDir && named && killed == nil:
			killed = fs.Kill()
			close(ready)
		}
		return nil
	})
	l := open(t, small(fs))
	must(t, l.Group(1).StoreLogs(entries(1, 1, 3, 0, 700)))
	<-ready
	closeLog(t, l)

	l = open(t, crashConfig(killed))
	from, _ := l.Group(1).LastIndex()
	held, stored := make(chan struct{}), make(chan struct{})
	killed.SetHook(func(op waltest.Op) error { // the housekeeper, who makes the third segment, gets no further
		if op.Kind == waltest.OpSyncDir {
			close(held)
			<-stored
		}
		return nil
	})
	must(t, l.Group(1).StoreLogs(entries(1, from+1, 24, 0, 700)))
	<-held
	r := rand.New(rand.NewPCG(13, 15))
	for range 30 {
		after := open(t, crashConfig(killed.Crash(r)))
		want(t, after.Group(1), entries(1, 1, 24, 0, 700))
		closeLog(t, after)
	}
	killed.SetHook(nil)
	close(stored)
	closeLog(t, l)
}
