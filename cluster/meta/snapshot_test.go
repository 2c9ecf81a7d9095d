package meta

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"holdfast/cluster/placement"
)

// storied is a state with everything in it: an ended change, one under way, a retired node, remembered outcomes.
func storied(t *testing.T) *State {
	w := newTown(t, 2, 4)
	w.change(Want{Kind: RemovingNode, Node: "n2"})
	w.send(joining("n5"))
	w.see()
	p, out := NewPlan(w.state.Cluster(), w.view, Want{Kind: AddingNode, Node: "n5"})
	if out.Code != OK {
		t.Fatal(out.Text())
	}
	id := w.send(p.Begin(Keyed{})).Change
	w.send(&Report{Change: id, Step: p.Steps[0], State: StepDone})
	w.send(&Report{Change: id, Step: p.Steps[1], State: StepFailed, Reason: "no answer"})
	w.send(joining("n2"))
	return w.state
}

// Every version of the format that was ever written stays readable: one golden file each.
func TestGoldenSnapshot(t *testing.T) {
	s := storied(t)
	kept := golden(t, "snapshot_v1.hex", s.Snapshot())
	r, err := Restore(bytes.NewReader(kept[0]))
	if err != nil || r.Hash() != s.Hash() || !bytes.Equal(r.Snapshot(), kept[0]) || r.Cluster().UnderWay() == nil {
		t.Fatalf("restored %+v, %v", r, err)
	}
}

func TestRestoreRefusesWhatIsNotASnapshot(t *testing.T) {
	good := storied(t).Snapshot()
	for at := range good {
		flipped := bytes.Clone(good)
		flipped[at] ^= 1 << (at % 8)
		if _, err := Restore(bytes.NewReader(flipped)); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnknownCommand) {
			t.Fatalf("byte %d flipped: %v", at, err)
		}
		if _, err := Restore(bytes.NewReader(good[:at])); !errors.Is(err, ErrMalformed) {
			t.Fatalf("cut at %d: %v", at, err)
		}
	}
	if _, err := Restore(io.MultiReader(bytes.NewReader(good), bytes.NewReader([]byte{0}))); !errors.Is(err, ErrMalformed) {
		t.Errorf("a byte more: %v", err)
	}
	if _, err := Restore(iotest.ErrReader(io.ErrUnexpectedEOF)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a reader that fails: %v", err)
	}
	if _, err := Restore(bytes.NewReader(make([]byte, MaxSnapshotBytes+1))); !errors.Is(err, ErrMalformed) {
		t.Errorf("too long: %v", err)
	}
}

// FuzzRestore restores arbitrary payloads under a right checksum: no panic, and what is accepted is written as the same bytes.
func FuzzRestore(f *testing.F) {
	s := New()
	f.Add(s.Snapshot())
	_, _, _ = s.Apply(encoded(f, startMS, everyCommand()[0]))
	f.Add(s.Snapshot())
	_, _, _ = s.Apply(encoded(f, startMS, everyCommand()[1]))
	f.Add(s.Snapshot())
	f.Fuzz(func(t *testing.T, in []byte) {
		data := reframed(in)
		s, err := Restore(bytes.NewReader(data))
		if err == nil && !bytes.Equal(s.Snapshot(), data) {
			t.Fatalf("%x is written as %x", data, s.Snapshot())
		}
	})
}

// The largest cluster there may be fits an entry and a snapshot, and its plans are made in little time.
func TestTheLargestClusterFits(t *testing.T) {
	w := newTown(t, placement.MaxShards, 6)
	w.send(joining("n7"))
	w.see()
	p, out := NewPlan(w.state.Cluster(), w.view, Want{Kind: AddingNode, Node: "n7"})
	if out.Code != OK {
		t.Fatal(out.Text())
	}
	data, err := EncodeEntry(startMS, p.Begin(keyed("large")))
	if err != nil || len(p.Steps) > MaxSteps {
		t.Fatalf("%d steps, %v", len(p.Steps), err)
	}
	if _, out, err := w.state.Apply(data); err != nil || out.Code != OK {
		t.Fatalf("%+v, %v", out, err)
	}
	snapshot := w.state.Snapshot()
	if r, err := Restore(bytes.NewReader(snapshot)); err != nil || r.Hash() != w.state.Hash() {
		t.Fatalf("restore: %v", err)
	}
	t.Logf("%d steps, entry %d bytes, snapshot %d bytes", len(p.Steps), len(data), len(snapshot))
}

func BenchmarkNewPlan(b *testing.B) {
	for _, n := range []struct{ nodes, shards int }{{3, 4}, {7, 64}} {
		b.Run(fmt.Sprintf("nodes=%d/shards=%d", n.nodes, n.shards), func(b *testing.B) {
			w := newTown(&testing.T{}, n.shards, n.nodes)
			for b.Loop() {
				if _, out := NewPlan(w.state.Cluster(), w.view, Want{Kind: RemovingNode, Node: "n2"}); out.Code != OK {
					b.Fatal(out.Text())
				}
			}
		})
	}
}
