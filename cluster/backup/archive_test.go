package backup

import (
	"archive/tar"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"holdfast/stock"
)

var stride = flag.Int("stride", 61, "of how many bytes of an archive one is cut at, and one is changed")

// A backup has every state as its leader's snapshot has it, wherever the leaders are, in an archive that any tar reads, and says what is in it.
func TestABackupIsWhatTheShardsAre(t *testing.T) {
	for _, nodes := range [][]string{{"a"}, {"a", "b"}, {"a", "b", "c"}} {
		w := newWorld(t, nodes...)
		b := w.archive()
		c, err := Verify(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		want := Manifest{
			Format: 1, ClusterID: fmt.Sprintf("%x", oldID), Ancestors: []string{fmt.Sprintf("%032x", 9)}, Epoch: 3, Level: 1, Shards: 2, Node: "a",
			Version: "1.2.3", TakenAt: taken,
		}
		if fmt.Sprint(c.Manifest) != fmt.Sprint(want) || c.Settings.RetentionMS != 90_000_000 {
			t.Errorf("manifest %+v, settings %+v", c.Manifest, c.Settings)
		}
		for i, s := range c.Shards {
			id := uint32(i + 1)
			if s.ID != id || s.Index != 70+uint64(id) || s.Term != testTerm || s.Epoch != 3 || s.SKUs != 2 || s.Orders != 2 || s.Available != 36 ||
				s.Held != 3 || s.Sold != 1 || s.Broken != 0 || s.Clock != 6_000 {
				t.Errorf("shard %d: %+v", id, s)
			}
		}
		if m, files, err := Check(bytes.NewReader(b)); err != nil || fmt.Sprint(m) != fmt.Sprint(want) || fmt.Sprint(files) != fmt.Sprint(c.Files) {
			t.Errorf("checked: %+v, %v, %v", m, files, err)
		}
		unpacked := tar.NewReader(bytes.NewReader(b))
		for i, name := range []string{"manifest.json", "meta.snapshot", "shard-1.snapshot", "shard-2.snapshot", "checksums.json"} {
			h, err := unpacked.Next()
			if err != nil || h.Name != name || !h.ModTime.Equal(taken) {
				t.Fatalf("file %d: %+v, %v", i, h, err)
			}
			content, _ := io.ReadAll(unpacked)
			if state := w.states[uint32(i-1)]; i >= 1 && i <= 3 && !bytes.Equal(content, state) {
				t.Errorf("%s: %d bytes, the state has %d", name, len(content), len(state))
			}
		}
		if _, err := unpacked.Next(); err != io.EOF {
			t.Errorf("behind the last file: %v", err)
		}
		if n := w.opened(0); n != 0 {
			t.Errorf("%d snapshots are still open", n)
		}
	}
}

// refused says of a file that is no whole backup that it is none, and not that it is another version, or unsound.
func refused(t *testing.T, what string, b []byte) {
	t.Helper()
	if c, err := Verify(bytes.NewReader(b)); !errors.Is(err, ErrDamaged) || c != nil {
		t.Errorf("%s: %v", what, err)
	}
	if _, files, err := Check(bytes.NewReader(b)); !errors.Is(err, ErrDamaged) || files != nil {
		t.Errorf("%s, checked: %v", what, err)
	}
}

func TestEveryCutIsRefused(t *testing.T) {
	b := newWorld(t, "a").archive()
	for n := range b {
		if edge := n % blockBytes; edge <= 1 || edge == blockBytes-1 || n%*stride == 0 || len(b)-n < 100 {
			refused(t, fmt.Sprintf("the first %d bytes of %d", n, len(b)), b[:n])
		}
	}
}

func TestEveryFlippedBitIsRefused(t *testing.T) {
	b := newWorld(t, "a").archive()
	for i := range b {
		if i%*stride != 0 && i%blockBytes > 2 {
			continue
		}
		flipped := bytes.Clone(b)
		flipped[i] ^= 1 << (i / *stride % 8)
		// A digit of the format in the manifest may become another one: then it is a newer format, or a state's.
		if c, err := Verify(bytes.NewReader(flipped)); c != nil || !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrUnsound) {
			t.Errorf("bit %d of byte %d: %v", i / *stride % 8, i, err)
		}
		if _, files, err := Check(bytes.NewReader(flipped)); files != nil || !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrFormat) {
			t.Errorf("bit %d of byte %d, checked: %v", i / *stride % 8, i, err)
		}
	}
}

func TestWhatIsNoBackupIsRefused(t *testing.T) {
	b := newWorld(t, "a").archive()
	other := newWorld(t, "a").archive()
	var foreign bytes.Buffer
	tw := tar.NewWriter(&foreign)
	_ = tw.WriteHeader(&tar.Header{Name: "holiday.jpg", Size: 4, Mode: 0o600})
	_, _ = tw.Write([]byte("sand"))
	_ = tw.Close()
	noise := make([]byte, 5000)
	for i := range noise {
		noise[i] = byte(rand.New(rand.NewPCG(1, uint64(i))).Uint32())
	}
	for name, data := range map[string][]byte{
		"nothing": nil, "zeros": make([]byte, 4096), "another tar": foreign.Bytes(), "noise": noise, "more behind its end": append(bytes.Clone(b), 0),
		"two": append(bytes.Clone(b), other...), "without its manifest": b[2*blockBytes:],
	} {
		refused(t, name, data)
	}
	broken := errors.New("the disk is gone")
	if _, err := Verify(io.MultiReader(bytes.NewReader(b[:3000]), failing{broken})); !errors.Is(err, broken) || errors.Is(err, ErrDamaged) {
		t.Errorf("a disk that fails: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// forge writes an archive whose checksums are right, whatever is in it.
func forge(t *testing.T, m Manifest, states map[uint32][]byte, index, term uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := newWriter(&b, &m)
	for id := uint32(0); id <= testShards && err == nil; id++ {
		err = w.file(File{Name: stateName(id), Index: index, Term: term, Bytes: int64(len(states[id]))}, bytes.NewReader(states[id]))
	}
	if err == nil {
		err = w.end()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Files that are whole, but no backup of one cluster, are refused for what is wrong with them.
func TestWhatDoesNotFitIsRefused(t *testing.T) {
	w := newWorld(t, "a")
	good, err := Verify(bytes.NewReader(w.archive()))
	if err != nil {
		t.Fatal(err)
	}
	with := func(id uint32, state []byte) map[uint32][]byte {
		all := map[uint32][]byte{0: w.states[0], 1: w.states[1], 2: w.states[2]}
		all[id] = state
		return all
	}
	m := good.Manifest
	newer, epoch, shards := m, m, m
	newer.Format, epoch.Epoch, shards.Shards = 2, 4, 3
	zone := m
	zone.TakenAt = m.TakenAt.In(time.FixedZone("elsewhere", 3600))
	newMeta := bytes.Clone(w.states[0])
	newMeta[0] = 2
	same := with(9, nil)
	for name, row := range map[string]struct {
		data []byte
		want error
	}{
		"the model of all":            {forge(t, m, same, 80, 7), nil},
		"a newer format":              {forge(t, newer, same, 80, 7), ErrFormat},
		"a newer meta group":          {forge(t, m, with(0, newMeta), 80, 7), ErrFormat},
		"the meta group of another":   {forge(t, m, with(0, metaSnapshot(metaState(t, [16]byte{8}, 3))), 80, 7), ErrUnsound},
		"another epoch":               {forge(t, epoch, same, 80, 7), ErrUnsound},
		"a shard in another's place":  {forge(t, m, with(1, w.states[2]), 80, 7), ErrUnsound},
		"half a state":                {forge(t, m, with(2, w.states[2][:len(w.states[2])/2]), 80, 7), ErrDamaged},
		"no state":                    {forge(t, m, with(2, nil), 80, 7), ErrDamaged},
		"an index before the state's": {forge(t, m, same, 5, 7), ErrUnsound},
		"no term":                     {forge(t, m, same, 80, 0), ErrUnsound},
		"a shard too few":             {forge(t, shards, same, 80, 7), ErrUnsound},
		"time in another zone":        {forge(t, zone, same, 80, 7), ErrDamaged},
	} {
		if _, err := Verify(bytes.NewReader(row.data)); !errors.Is(err, row.want) || err == nil && row.want != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A SKU that a breach had frozen is in the backup as it is, and is pointed out.
func TestABrokenSKUIsCounted(t *testing.T) {
	if got := plus(1<<62, 1<<62); got != 1<<63-1 {
		t.Errorf("a sum beyond the highest: %d", got)
	}
	if got := plus(3, -4); got != 3 {
		t.Errorf("with a counter below zero: %d", got)
	}
	if !strings.Contains(undecodable(stock.ErrUnknownCommand).Error(), ErrFormat.Error()) {
		t.Error("a state of a newer level is not told from a damaged one")
	}
}
