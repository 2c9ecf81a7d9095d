package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/cluster"
	"holdfast/cluster/meta"
	"holdfast/stock"
)

// A group whose leader does not answer yet is asked again, and its next leader then: nothing of it is in the archive.
func TestTheNextLeaderIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b", "c")
		lost := errors.New("gone")
		w.onCall = func(node string, q request, serve func() ([]byte, error)) ([]byte, error) {
			answer, err := serve()
			if q.group == 1 && q.op == opNext && node == "b" {
				w.lead(1, "c") // it died between its snapshot and the first chunk
				return nil, lost
			}
			return answer, err
		}
		if _, err := Verify(bytes.NewReader(w.archive())); err != nil {
			t.Error(err)
		}
		w.lead(2, "")
		if b, err := w.stream("a"); !errors.Is(err, ErrNoLeader) || len(b) == 0 {
			t.Errorf("a shard without a leader: %d bytes, %v", len(b), err)
		}
		w.lead(0, "nobody")
		if _, err := w.nodes["a"].Stream(t.Context()); !errors.Is(err, ErrNoLeader) {
			t.Errorf("the meta group without a leader: %v", err)
		}
		<-time.After(2 * time.Minute) // of the bubble: the read that its successor knows nothing of ends by itself
		if n := w.opened(0); n != 0 {
			t.Errorf("%d snapshots are open", n)
		}
	})
}

// An answer that was lost is asked for again; a node that is lost in the middle of its snapshot ends the backup, which is then no whole one.
func TestANodeIsLostInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		calls, dead := 0, false
		w.onCall = func(_ string, q request, serve func() ([]byte, error)) ([]byte, error) {
			answer, err := serve()
			if q.op != opNext {
				return answer, err
			}
			if calls++; calls%3 == 2 || dead && calls > 4 {
				return nil, fmt.Errorf("%w: lost", stock.ErrUnknown)
			}
			if calls%3 == 0 {
				answer[len(answer)-1] ^= 1 // and one was changed on the way
			}
			return answer, err
		}
		if _, err := Verify(bytes.NewReader(w.archive())); err != nil {
			t.Error(err)
		}
		calls, dead = 0, true
		b, err := w.stream("a")
		if !errors.Is(err, ErrBrokenOff) {
			t.Errorf("the node is gone: %v", err)
		}
		refused(t, "what there is of it", b)
	})
}

// Whoever reads no more, or takes no more time, ends the backup and leaves nothing open.
func TestABackupEndsWithItsReader(t *testing.T) {
	w := newWorld(t, "a", "b")
	a := w.nodes["a"]
	for name, end := range map[string]func(s io.ReadCloser, cancel func()){
		"closed": func(s io.ReadCloser, _ func()) { _ = s.Close() },
		"cancelled": func(s io.ReadCloser, cancel func()) {
			cancel()
			if _, err := io.Copy(io.Discard, s); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
			_ = s.Close()
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := a.Stream(ctx)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadFull(s, make([]byte, 700))
		end(s, cancel)
		cancel()
		if _, err := s.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("%s: it goes on, or has an end: %v", name, err)
		}
		w.nodes["b"].reads.close()
		if n := w.opened(0); n != 0 {
			t.Errorf("%s: %d snapshots are open", name, n)
		}
		w.add("b")
	}
}

func TestBoundsOfBackups(t *testing.T) {
	w := newWorld(t, "a")
	a := w.add("a", func(c *Config) { c.MaxStreams, c.MaxReads = 1, 2 })
	first, err := a.Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Stream(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one: %v", err)
	}
	_ = first.Close()
	ask := func(q request) ([]byte, error) {
		return a.Handler().ServePeer(t.Context(), cluster.Request{Kind: cluster.KindSnapshot, Body: q.encode()})
	}
	var reads []opened
	for range 2 {
		answer, err := ask(request{op: opOpen, group: 1})
		if err != nil {
			t.Fatal(err)
		}
		o, err := decodeOpened(answer)
		if err != nil {
			t.Fatal(err)
		}
		reads = append(reads, o)
	}
	if _, err := ask(request{op: opOpen, group: 1}); !errors.Is(err, ErrBusy) || !errors.Is(err, stock.ErrNotExecuted) {
		t.Errorf("a third read: %v", err)
	}
	for name, q := range map[string]request{
		"another group":      {op: opNext, group: 2, read: reads[0].read, most: 10},
		"no such read":       {op: opNext, group: 1, read: 1, most: 10},
		"behind where it is": {op: opNext, group: 1, read: reads[0].read, offset: 50, most: 10},
		"nothing":            {op: opNext, group: 1, read: reads[0].read},
	} {
		if _, err := ask(q); !errors.Is(err, ErrBrokenOff) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 2 { // the second is for whoever lost the answer
		if answer, err := ask(request{op: opNext, group: 1, read: reads[0].read, most: 10}); err != nil || !bytes.Equal(answer[chunkBytes:], w.states[1][:10]) {
			t.Errorf("the first chunk: %q, %v", answer, err)
		}
	}
	if _, err := ask(request{op: opOpen, group: 9}); !errors.Is(err, ErrNoLeader) {
		t.Errorf("a group that is not here: %v", err)
	}
	if _, err := ask(request{op: opDone, group: 1, read: reads[0].read}); err != nil {
		t.Error(err)
	}
	if _, err := ask(request{op: opOpen, group: 1}); err != nil {
		t.Errorf("in the place of one that is over: %v", err)
	}
	a.Close()
	if _, err := ask(request{op: opOpen, group: 1}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := a.Stream(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("a backup after Close: %v", err)
	}
	if n := w.opened(0); n != 0 {
		t.Errorf("%d snapshots are open", n)
	}
}

// A node that does not know its cluster makes no backup of nothing.
func TestNoBackupOfAnUnknownCluster(t *testing.T) {
	w := newWorld(t, "a")
	w.table = new(meta.Cluster)
	if _, err := w.nodes["a"].Stream(t.Context()); !errors.Is(err, ErrNoCluster) {
		t.Error(err)
	}
}

// Close ends a backup that nobody reads.
func TestCloseEndsBackups(t *testing.T) {
	w := newWorld(t, "a")
	s, err := w.nodes["a"].Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.nodes["a"].Close()
	if _, err := io.Copy(io.Discard, s); err == nil {
		t.Error("it has an end")
	}
	_ = s.Close()
}

// The frames are for good: nodes of two versions speak to each other during an upgrade.
func TestFrames(t *testing.T) {
	q := request{op: opNext, group: 3, read: 1<<63 + 5, offset: 1 << 40, most: 1 << 20}
	if got := fmt.Sprintf("%x", q.encode()); got != "0102000000038000000000000005000001000000000000100000" {
		t.Errorf("request %s", got)
	}
	o := opened{read: 7, index: 8, term: 9, bytes: 10}
	if got := fmt.Sprintf("%x", o.encode()); got != "010000000000000007000000000000000800000000000000090"+"00000000000000a" {
		t.Errorf("opened %s", got)
	}
	if got := fmt.Sprintf("%x", encodeChunk([]byte("123456789"))); got != "01e3069283313233343536373839" {
		t.Errorf("chunk %s", got)
	}
	if again, err := decodeRequest(q.encode()); err != nil || again != q {
		t.Errorf("%+v, %v", again, err)
	}
	if again, err := decodeOpened(o.encode()); err != nil || again != o {
		t.Errorf("%+v, %v", again, err)
	}
	for _, b := range [][]byte{nil, {1}, append(q.encode(), 0), {2: 0}, encodeChunk(nil)} {
		_, err1 := decodeRequest(b)
		_, err2 := decodeOpened(b)
		_, err3 := decodeChunk(b)
		if err1 == nil || err2 == nil || err3 == nil {
			t.Errorf("%x: %v, %v, %v", b, err1, err2, err3)
		}
	}
}

// Whatever comes is decoded to what encodes to the same bytes, or refused.
func FuzzFrames(f *testing.F) {
	q, o := request{op: opOpen, group: 1}, opened{read: 1, index: 2, term: 3, bytes: 4}
	for _, b := range [][]byte{q.encode(), o.encode(), encodeChunk([]byte("chunk")), nil} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if q, err := decodeRequest(b); err == nil && !bytes.Equal(q.encode(), b) {
			t.Errorf("request %x is %x", b, q.encode())
		}
		if o, err := decodeOpened(b); err == nil && !bytes.Equal(o.encode(), b) {
			t.Errorf("opened %x is %x", b, o.encode())
		}
		if c, err := decodeChunk(b); err == nil && !bytes.Equal(encodeChunk(c), b) {
			t.Errorf("chunk %x is %x", b, encodeChunk(c))
		}
	})
}
