package wal_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

var allBits = flag.Bool("allbits", false, "flip every bit of the log and cut its files at every byte, not at one in some")

// sample is a log of a few segments with everything in it: two rotations, truncations, a drop, keys, two groups.
func sample(t testing.TB) *waltest.FS {
	t.Helper()
	fs := waltest.NewFS()
	l := open(t, small(fs))
	a, b := l.Group(1), l.Group(2)
	must(t, a.SetUint64([]byte("CurrentTerm"), 3))
	must(t, a.Set([]byte("LastVoteCand"), []byte("node-1")))
	for i := uint64(1); i <= 45; i += 3 {
		must(t, a.StoreLogs(entries(1, i, i+2, 0, 500)))
		must(t, b.StoreLog(entry(2, i/3+1, 0, 200)))
	}
	must(t, a.DeleteRange(1, 4))
	must(t, a.DeleteRange(40, 45))
	must(t, a.StoreLogs(entries(1, 40, 44, 1, 300)))
	must(t, b.Drop())
	must(t, b.StoreLogs(entries(2, 100, 103, 1, 100)))
	must(t, a.SetUint64([]byte("CurrentTerm"), 4))
	awaitSpare(t, fs, 4)
	closeLog(t, l)
	return fs
}

// awaitSpare waits until the segment after the one in use has been prepared, which happens beside the appends.
func awaitSpare(t testing.TB, fs *waltest.FS, segments int) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); len(segmentsOf(fs)) < segments; <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%d segments, want %d", len(segmentsOf(fs)), segments)
		}
	}
}

// contents opens a log and returns all of it as text, or the error of Open.
func contents(fs *waltest.FS) (string, error) {
	l, err := wal.Open(small(fs))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, id := range l.Groups() {
		m, err := modelOf(l.Group(id))
		if err != nil {
			return "", errors.Join(err, l.Close())
		}
		fmt.Fprintf(&b, "%d: %s\n", id, m)
	}
	return b.String(), l.Close()
}

// segmentsOf are the paths of the segments, in order.
func segmentsOf(fs *waltest.FS) []string {
	return slices.DeleteFunc(fs.Names(), func(n string) bool { return filepath.Ext(n) != ".wal" })
}

// changed is fs with one file replaced.
func changed(fs *waltest.FS, name string, content []byte) *waltest.FS {
	fs = fs.Clone()
	fs.WriteFile(name, content)
	return fs
}

// TestEveryTruncationIsRefused cuts each file at many places, with -allbits at every one.
func TestEveryTruncationIsRefused(t *testing.T) {
	for name, fs := range samples(t) {
		t.Run(name, func(t *testing.T) { everyTruncationIsRefused(t, fs) })
	}
}

func everyTruncationIsRefused(t *testing.T, fs *waltest.FS) {
	count := 0
	for _, name := range segmentsOf(fs) {
		content := fs.ReadFile(name)
		for n := 0; n < len(content); n++ {
			if !*allBits && n%61 > 1 {
				continue
			}
			_, err := contents(changed(fs, name, content[:n:n]))
			damage := new(wal.CorruptionError)
			if !errors.As(err, &damage) || !errors.Is(err, wal.ErrCorrupt) || damage.Segment != filepath.Base(name) {
				t.Fatalf("%s cut to %d bytes: %v", name, n, err)
			}
			count++
		}
		if _, err := contents(changed(fs, name, append(content, 0))); !errors.Is(err, wal.ErrCorrupt) {
			t.Fatalf("%s with one byte more: %v", name, err)
		}
	}
	t.Logf("%d truncations refused", count)
}

// TestSingleBitFlips flips single bits anywhere in the log: it is recovered exactly, or refused; never is anything lost.
func TestSingleBitFlips(t *testing.T) {
	for name, fs := range samples(t) {
		t.Run(name, func(t *testing.T) { singleBitFlips(t, fs) })
	}
}

func singleBitFlips(t *testing.T, fs *waltest.FS) {
	whole, err := contents(fs.Clone())
	must(t, err)
	exact, refused, total := 0, 0, 0
	for _, name := range segmentsOf(fs) {
		content := fs.ReadFile(name)
		for bit := range len(content) * 8 {
			if !*allBits && bit/8 > 100 && bit%151 > 1 { // 151 is prime: every bit of a byte has its turn
				continue
			}
			total++
			content[bit/8] ^= 1 << (bit % 8)
			text, err := contents(changed(fs, name, slices.Clone(content)))
			content[bit/8] ^= 1 << (bit % 8)
			damage := new(wal.CorruptionError)
			switch {
			case errors.As(err, &damage):
				refused++
				if damage.Offset > int64(bit/8) || damage.Segment != filepath.Base(name) {
					t.Fatalf("bit %d of byte %d of %s: the error names %s, offset %d", bit%8, bit/8, name, damage.Segment, damage.Offset)
				}
			case err != nil:
				t.Fatalf("bit %d of byte %d of %s: %v", bit%8, bit/8, name, err)
			case text != whole:
				t.Fatalf("bit %d of byte %d of %s: something was lost silently:\n%s\nwas\n%s", bit%8, bit/8, name, text, whole)
			default:
				exact++
			}
		}
	}
	t.Logf("%d bits flipped: %d times recovered exactly, %d times refused", total, exact, refused)
	if exact == 0 || refused == 0 {
		t.Error("vacuous: one of the two never happened")
	}
}

func TestMissingSegments(t *testing.T) {
	for name, fs := range samples(t) {
		t.Run(name, func(t *testing.T) { missingSegments(t, fs) })
	}
}

func missingSegments(t *testing.T, fs *waltest.FS) {
	names := segmentsOf(fs)
	if len(names) < 3 {
		t.Fatalf("the sample has only %d segments", len(names))
	}
	for i, name := range names {
		cut := fs.Clone()
		must(t, cut.Remove(name))
		text, err := contents(cut)
		if i == len(names)-1 { // prepared in advance, never begun
			whole, wholeErr := contents(fs.Clone())
			if err != nil || wholeErr != nil || text != whole {
				t.Errorf("without the unused segment: %v, %v", err, wholeErr)
			}
			continue
		}
		damage := new(wal.CorruptionError)
		if !errors.As(err, &damage) {
			t.Errorf("without %s: %v", name, err)
			continue
		}
		named := name
		if i == 0 {
			named = names[1] // the oldest that is there
		}
		if damage.Segment != filepath.Base(named) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// TestDamageBeforeTheEndIsRefused destroys whole stretches that are followed by later batches.
func TestDamageBeforeTheEndIsRefused(t *testing.T) {
	for name, fs := range samples(t) {
		t.Run(name, func(t *testing.T) { damageBeforeTheEndIsRefused(t, fs) })
	}
}

func damageBeforeTheEndIsRefused(t *testing.T, fs *waltest.FS) {
	r, err := wal.Verify(fs, dir)
	must(t, err)
	for i, s := range r.Segments {
		if s.Batches < 2 {
			continue
		}
		content := fs.ReadFile(dir + "/" + s.Name)
		end := int(s.UsedBytes)
		if !s.Sealed {
			end -= 3000
		}
		for at := 4096; at < end; at += 777 {
			bad := slices.Clone(content)
			clear(bad[at:min(at+600, end)])
			if slices.Equal(bad, content) {
				continue
			}
			if _, err := contents(changed(fs, dir+"/"+s.Name, bad)); !errors.Is(err, wal.ErrCorrupt) {
				t.Errorf("segment %d: 600 zeros at %d: %v", i, at, err)
			}
		}
	}
}

func TestTornTailIsCutWithItsPlace(t *testing.T) {
	fs := waltest.NewFS()
	l := open(t, small(fs))
	must(t, l.Group(1).StoreLogs(entries(1, 1, 5, 0, 100)))
	closeLog(t, l)
	r, err := wal.Verify(fs, dir)
	must(t, err)
	end := r.Segments[0].UsedBytes

	l = open(t, small(fs))
	must(t, l.Group(1).StoreLogs(entries(1, 6, 8, 0, 400)))
	closeLog(t, l)
	content := fs.ReadFile(firstSegment)
	for _, torn := range []struct {
		name     string
		from, to int64 // bytes that were lost
	}{{"the end", end + 500, 16 << 10}, {"the beginning", end, end + 512}, {"the middle", end + 300, end + 812}, {"all but the end", end, end + 1300}} {
		bad := slices.Clone(content)
		clear(bad[torn.from:torn.to])
		left := changed(fs, firstSegment, bad)
		r, err := wal.Verify(left, dir)
		if err != nil || r.TornTail == nil || r.TornTail.Offset != end || r.TornTail.Segment != filepath.Base(firstSegment) {
			t.Errorf("%s lost: %+v, %v", torn.name, r.TornTail, err)
		}
		l := open(t, small(left))
		want(t, l.Group(1), entries(1, 1, 5, 0, 100))
		must(t, l.Group(1).StoreLog(entry(1, 6, 1, 10)))
		closeLog(t, l)
		l = open(t, small(left))
		want(t, l.Group(1), append(entries(1, 1, 5, 0, 100), entry(1, 6, 1, 10)))
		closeLog(t, l)
	}
}

func TestOpenRefuses(t *testing.T) {
	newer := func(fs *waltest.FS) {
		content := fs.ReadFile(firstSegment)
		wal.SetVersion(content, 3)
		fs.WriteFile(firstSegment, content)
	}
	tests := []struct {
		name string
		do   func(fs *waltest.FS, c *wal.Config)
		err  error
	}{
		{"another cluster", func(_ *waltest.FS, c *wal.Config) { c.ClusterID[0]++ }, wal.ErrOtherCluster},
		{"a newer format", func(fs *waltest.FS, _ *wal.Config) { newer(fs) }, wal.ErrNewerFormat},
		{"no directory", func(_ *waltest.FS, c *wal.Config) { c.Dir = "" }, wal.ErrConfig},
		{"tiny segments", func(_ *waltest.FS, c *wal.Config) { c.SegmentBytes = 4096 }, wal.ErrConfig},
		{"odd segments", func(_ *waltest.FS, c *wal.Config) { c.SegmentBytes = 20_000 }, wal.ErrConfig},
		{"tiny hard bound", func(_ *waltest.FS, c *wal.Config) { c.HardBytes = 40_000 }, wal.ErrConfig},
		{"soft above hard", func(_ *waltest.FS, c *wal.Config) { c.SoftBytes, c.HardBytes = 90_000, 80_000 }, wal.ErrConfig},
	}
	whole := sample(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fs := whole.Clone()
			cfg := small(fs)
			tt.do(fs, &cfg)
			before := fs.ReadFile(firstSegment)
			if _, err := wal.Open(cfg); !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			if !slices.Equal(before, fs.ReadFile(firstSegment)) {
				t.Error("a log that was refused has been changed")
			}
			if _, err := wal.Open(cfg); errors.Is(err, wal.ErrLocked) {
				t.Error("the lock was kept")
			}
		})
	}
}

func TestLocked(t *testing.T) {
	for name, cfg := range map[string]wal.Config{"memory": small(waltest.NewFS()), "disk": small(nil)} {
		if cfg.FS == nil {
			cfg.Dir = filepath.Join(t.TempDir(), "a", "log")
		}
		l := open(t, cfg)
		if _, err := wal.Open(cfg); !errors.Is(err, wal.ErrLocked) {
			t.Errorf("%s: the second Open: %v", name, err)
		}
		closeLog(t, l)
		closeLog(t, open(t, cfg))
	}
}

// TestDamageWhileRunning is a bit that rots after the log was opened: the read fails the log, raft never sees it.
func TestDamageWhileRunning(t *testing.T) {
	fs := waltest.NewFS()
	cfg := small(fs)
	cfg.CacheBytes = -1
	fatal := make(chan error, 1)
	cfg.OnFatal = func(err error) { fatal <- err }
	l := open(t, cfg)
	must(t, l.Group(1).StoreLogs(entries(1, 1, 5, 0, 100)))
	f, err := fs.Open(firstSegment, wal.ReadWrite)
	must(t, err)
	_, err = f.WriteAt([]byte("rot"), 4096+300)
	must(t, err)
	var failed error
	for i := uint64(1); i <= 5 && failed == nil; i++ {
		failed = l.Group(1).GetLog(i, new(raft.Log))
	}
	for _, err := range []error{failed, <-fatal, l.Group(1).StoreLog(entry(1, 6, 0, 1)), l.Close()} {
		if !errors.Is(err, wal.ErrFailed) || !errors.Is(err, wal.ErrCorrupt) {
			t.Errorf("error %v", err)
		}
	}
}

// TestDamageFromTheEnd overwrites the end of the log, from any place in its last batches on, with garbage, with zeros and
// with sectors of both: what is left is what stood before, never less without a message, or the log is refused.
func TestDamageFromTheEnd(t *testing.T) {
	t.Run("fresh", func(t *testing.T) { damageFromTheEnd(t, waltest.NewFS()) })
	t.Run("recycled", func(t *testing.T) { damageFromTheEnd(t, recycledSample(t)) })
}

// activeOf is the segment that takes the next batch of a log that nobody has open.
func activeOf(t *testing.T, fs *waltest.FS) wal.SegmentReport {
	t.Helper()
	r, err := wal.Verify(fs, dir)
	must(t, err)
	return r.Segments[slices.IndexFunc(r.Segments, func(s wal.SegmentReport) bool { return !s.Sealed })]
}

// makeRoom appends to a log until half of the active segment is free.
func makeRoom(t *testing.T, fs *waltest.FS) {
	t.Helper()
	for i := uint64(1); len(segmentsOf(fs)) > 0 && activeOf(t, fs).UsedBytes > 7<<10; i++ {
		l := open(t, small(fs))
		must(t, l.Group(10).StoreLog(entry(10, i, 0, 900)))
		closeLog(t, l)
	}
}

func damageFromTheEnd(t *testing.T, fs *waltest.FS) {
	makeRoom(t, fs)
	l := open(t, small(fs))
	ends := []int64{0}
	var states []string
	for i := uint64(1); i <= 12; i++ {
		must(t, l.Group(8).StoreLog(entry(8, i, 0, 400)))
		must(t, l.Group(9).SetUint64([]byte("CurrentTerm"), i))
	}
	closeLog(t, l)
	whole, err := contents(fs.Clone())
	must(t, err)
	active := activeOf(t, fs)
	segment, end := dir+"/"+active.Name, int(active.UsedBytes)
	must(t, wal.Inspect(fs, dir, wal.Filter{}, func(f wal.FrameReport) error {
		if f.Kind == "end" && f.Segment == active.Name {
			ends = append(ends, f.Offset+f.Bytes)
		}
		return nil
	}))
	content := fs.ReadFile(segment)
	for _, e := range ends[2:] { // the state after each batch
		cut := slices.Clone(content)
		clear(cut[e:])
		s, err := contents(changed(fs, segment, cut))
		must(t, err)
		states = append(states, s)
	}
	random := rand.New(rand.NewPCG(21, 21))
	same, cut, refused := 0, 0, 0
	for from := end - 1200; from < end; from++ {
		for kind := range 3 {
			bad := slices.Clone(content)
			for at := from; at < min(end+300, len(bad)); at++ {
				if bad[at] = 0; kind == 0 || kind == 2 && at/512%2 == 0 {
					bad[at] = byte(random.Uint32())
				}
			}
			left := changed(fs, segment, bad)
			report, err := wal.Verify(left, dir)
			if errors.Is(err, wal.ErrCorrupt) {
				refused++
				continue
			}
			must(t, err)
			s, err := contents(left)
			must(t, err)
			at := slices.Index(states, s)
			switch {
			case s == whole:
				same++
			case at < 0:
				t.Fatalf("damage from %d on: a state that never was:\n%s", from, s)
			case report.TornTail == nil && ends[at+2] != int64(from) && kind != 1:
				t.Fatalf("damage from %d on: cut to batch %d without a message", from, at)
			case report.TornTail == nil && slices.ContainsFunc(bad[ends[at+2]:min(wal.PageEnd(int64(end+300)), int64(len(bad)))], func(b byte) bool { return b != 0 }):
				t.Fatalf("zeros from %d on: cut to batch %d without a message", from, at)
			default:
				cut++
			}
		}
	}
	t.Logf("%d damages: %d lost nothing, %d were cut, %d refused", same+cut+refused, same, cut, refused)
	if cut < 1000 {
		t.Error("vacuous")
	}
}
