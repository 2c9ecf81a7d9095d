package stock

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// everyState returns a shard in which each field and every kind of row of a snapshot is filled, and more orders of one SKU.
func everyState(t testing.TB, more int) *Book {
	t.Helper()
	b := NewBook()
	index := uint64(0)
	apply := func(now Time, c Command) Outcome {
		index++
		return b.Apply(b.Begin(Header{Clock: now}, index), c)
	}
	id := func(sku string, number uint32, counter uint64) OrderID {
		return OrderID{Epoch: 3, Partition: PartitionOf(sku), SKU: number, Counter: counter}
	}
	all := make([]Partition, Partitions)
	for i := range all {
		all[i] = Partition(i)
	}
	meta := func(key string) Meta { return Meta{Caller: "shop", Key: key, Deadline: 100_000} }
	settings := Settings{RetentionMS: 500, MaxOpenOrders: 1000, ExpiryBatch: 2, EvictBatch: 3}
	for i, c := range []Command{
		&Init{Epoch: 3, Partitions: all, Settings: settings},
		&SetSettings{Meta: meta("settings"), Settings: settings},
		&Create{Meta: meta("1"), Spec: Spec{SKU: "tea", Stock: 9, Mode: ModeHold, HoldTTLMS: 50, LimitPerUser: 6, MaxQty: 5, ClosesAt: 90_000}},
		&Create{Meta: meta("2"), Spec: Spec{SKU: "cup", Stock: 500, Mode: ModeOnOrder, HoldTTLMS: 50, MaxQty: 5, OpensAt: 1, Hot: true}},
		&Create{Meta: meta("3"), Spec: Spec{SKU: "jar", Stock: 1, Mode: ModeOnPayment, HoldTTLMS: 99, MaxQty: 5}},
		&Place{Meta: meta("a"), SKU: "tea", User: "zoë", Qty: 2, ClientRef: "ref"},
		&Place{Meta: Meta{Key: "b"}, SKU: "tea", User: "ben", Qty: 1},
		&Place{Meta: Meta{Key: "c"}, SKU: "tea", User: "ben", Qty: 1},
		&Place{Meta: Meta{Key: "d"}, SKU: "tea", User: "zoë", Qty: 1},
		&Place{Meta: Meta{Key: "e", Deadline: 90_000, Retry: true}, SKU: "tea", User: "zoë", Qty: 5},
		&Fence{Meta: meta("f"), SKU: "tea"},
		&Confirm{Meta: meta("g"), Order: id("tea", 1, 1), PaymentID: "pay"},
		&Cancel{Meta: meta("h"), Order: id("tea", 1, 2)},
		&Return{Meta: meta("i"), Order: id("tea", 1, 1), Qty: 1},
		&Return{Meta: meta("j"), Order: id("tea", 1, 1), Restock: true},
		&Adjust{Meta: meta("k"), SKU: "tea", Delta: 3, Reason: "found"},
		&Place{Meta: meta("l"), SKU: "jar", User: "ben", Qty: 1}, &Place{Meta: meta("m"), SKU: "jar", User: "zoë", Qty: 1},
		&Confirm{Meta: meta("n"), Order: id("jar", 3, 1), PaymentID: "pay"}, &Confirm{Meta: meta("o"), Order: id("jar", 3, 2), PaymentID: "pay"},
		&Freeze{Meta: meta("p"), SKU: "jar", Frozen: true},
	} {
		apply(Time(1000+2*i), c)
	}
	for i := range more { // over more than one page and chunk, some dropped
		key := strings.Repeat("x", i%7) + string(rune('a'+i%26)) + string(rune('a'+i/26))
		apply(Time(1100+i), &Place{Meta: Meta{Key: key}, SKU: "cup", User: key, Qty: 1})
	}
	for range 2 {
		apply(1603, &FlushMark{Index: index})
	}
	apply(1603, &Expire{SKU: "tea"})
	b.slots[2].ledger.available++ // a broken SKU is a state like any other
	apply(1604, &Update{Meta: meta("q"), SKU: "jar"})
	return b
}

// Every version of the snapshot format that was ever written stays readable: one golden file each.
func TestGoldenSnapshot(t *testing.T) {
	path := filepath.Join("testdata", "snapshot_v1.hex")
	now := snapshot(t, everyState(t, 300))
	if *update {
		if err := os.WriteFile(path, hexLines(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	golden, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	mustBytes(t, path, now, golden)
	if b := restored(t, everyState(t, 300)); !bytes.Equal(snapshot(t, b), golden) || !b.slots[2].ledger.Broken() {
		t.Error("read and written again, it differs")
	}
}

// frames splits a snapshot into the payloads of its frames.
func frames(b []byte) (payloads [][]byte) {
	for len(b) >= frameHeadBytes {
		n := int(binary.LittleEndian.Uint32(b)) + frameHeadBytes
		if n > len(b) {
			break
		}
		payloads = append(payloads, b[frameHeadBytes:n:n])
		b = b[n:]
	}
	return payloads
}

// join makes a snapshot of payloads, with lengths and checksums that fit them.
func join(payloads [][]byte) []byte {
	var out []byte
	for _, p := range payloads {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(p)))
		out = binary.LittleEndian.AppendUint32(out, crc32.Checksum(p, castagnoli))
		out = append(out, p...)
	}
	return out
}

// sameOrRefused fails when a snapshot is read that would not be written alike. What was read must also bear use.
func sameOrRefused(t *testing.T, b []byte) (read bool) {
	t.Helper()
	book, err := ReadSnapshot(bytes.NewReader(b))
	if err != nil {
		if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnknownCommand) {
			t.Fatalf("refused without a name: %v", err)
		}
		return false
	}
	if again := snapshot(t, book); !bytes.Equal(again, b) {
		t.Errorf("%d bytes were read that are written as %d others", len(b), len(again))
		return false
	}
	index := book.Index()
	apply := func(c Command) { index++; book.Apply(book.Begin(Header{Clock: book.Now() + 1000}, index), c) }
	for _, s := range book.slots {
		for counter := range min(s.ledger.rows.len(), 400) {
			id := OrderID{Epoch: s.ledger.epoch, Partition: s.ledger.partition, SKU: s.number, Counter: counter + 1}
			apply(&Confirm{Meta: Meta{Key: "z"}, Order: id, PaymentID: "z"})
			apply(&Return{Meta: Meta{Key: "i", Caller: "shop"}, Order: id, Restock: true})
		}
		apply(&Place{Meta: Meta{Key: "zz"}, SKU: s.name, User: "zoë", Qty: 1})
		apply(&Expire{SKU: s.name})
	}
	apply(&FlushMark{Index: index})
	snapshot(t, book)
	return true
}

// With checksums that fit, each damaged byte is refused or gives a state that is written with that very byte. A hash of the tables keeps every
// change of a row out; what is left are fields of the heads.
func TestSnapshotWithChecksumsThatFit(t *testing.T) {
	payloads := frames(snapshot(t, everyState(t, 300)))
	read, refused := 0, 0
	for k := range payloads {
		for i := 0; i < len(payloads[k]); i += 1 + len(payloads[k])/100 {
			for _, flip := range []byte{1, 2, 0x40, 0x80} {
				was := payloads[k]
				payloads[k] = bytes.Clone(was)
				payloads[k][i] ^= flip
				if sameOrRefused(t, join(payloads)) {
					read++
				} else {
					refused++
				}
				if t.Failed() {
					t.Fatalf("frame %d (%d), byte %d of %x", k, was[0], i, was)
				}
				payloads[k] = was
			}
		}
	}
	t.Logf("%d read, %d refused", read, refused)
	if read == 0 || refused < read {
		t.Errorf("%d read and %d refused", read, refused)
	}
}

// Frames missing, doubled, swapped or added are refused.
func TestSnapshotFramesInOneOrder(t *testing.T) {
	whole := frames(snapshot(t, everyState(t, 300)))
	for i := range whole {
		var without, doubled, swapped [][]byte
		for k, p := range whole {
			if k != i {
				without = append(without, p)
			}
			doubled = append(doubled, p)
			if k == i {
				doubled = append(doubled, p)
			}
			swapped = append(swapped, whole[map[int]int{i: (i + 1) % len(whole), (i + 1) % len(whole): i}[k]])
			if k != i && k != (i+1)%len(whole) {
				swapped[k] = p
			}
		}
		for what, frames := range map[string][][]byte{"missing": without, "doubled": doubled, "swapped with the next": swapped} {
			if _, err := ReadSnapshot(bytes.NewReader(join(frames))); !errors.Is(err, ErrMalformed) {
				t.Errorf("frame %d %s: %v", i, what, err)
			}
		}
	}
}

func TestSnapshotOfAnotherVersion(t *testing.T) {
	whole := frames(snapshot(t, everyState(t, 300)))
	head := bytes.Clone(whole[0])
	head[2] = Level + 1
	for name, payloads := range map[string][][]byte{
		"level":               append([][]byte{head}, whole[1:]...),
		"level, other fields": append([][]byte{{frameBook, mpFixArray | 2, Level + 1, mpNil}}, whole[1:]...),
		"kind of frame":       append([][]byte{whole[0], {frameEnd + 1}}, whole[1:]...),
	} {
		if _, err := ReadSnapshot(bytes.NewReader(join(payloads))); !errors.Is(err, ErrUnknownCommand) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A ledger whose rows were changed behind its back writes no snapshot.
func TestSnapshotNoticesChangedRows(t *testing.T) {
	b := everyState(t, 300)
	b.slots[1].ledger.damage(291, func(r *row) { r.qty++ })
	if _, err := b.Cut().WriteTo(&bytes.Buffer{}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a changed row was written: %v", err)
	}
}

// FuzzReadSnapshot corrects the checksums of what it is given, so that it comes to what lies behind them.
func FuzzReadSnapshot(f *testing.F) {
	whole := snapshot(f, everyState(f, 3))
	f.Add(whole)
	b, apply := shard(f)
	apply(1, create("shoe", 5))
	apply(2, order("shoe", "u", "k1", 1))
	f.Add(snapshot(f, b))
	f.Fuzz(func(t *testing.T, b []byte) {
		sameOrRefused(t, join(frames(b)))
		sameOrRefused(t, b)
	})
}

// Log time begins at zero, and a hold ends behind its beginning: deadlines are sorted as differences, which would not fit otherwise.
func TestOrdersThatEndBeforeTheyBeganAreNone(t *testing.T) {
	b, apply := shard(t)
	apply(1, create("tea", 9))
	apply(2, order("tea", "ann", "k", 1))
	l := b.slots[0].ledger
	r := l.find(1)
	for name, change := range map[string]func(*row){
		"as it is":                 func(*row) {},
		"ends before it began":     func(r *row) { r.expires = r.created - 1 },
		"ends before all time":     func(r *row) { r.expires = math.MinInt64 },
		"began before the log did": func(r *row) { r.created = -1 },
	} {
		r := r
		change(&r)
		if l.plausible(&r) != (name == "as it is") {
			t.Errorf("an order that %s: plausible is %v", name, l.plausible(&r))
		}
	}
}
