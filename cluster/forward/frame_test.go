package forward

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"holdfast/stock"
)

var update = flag.Bool("update", false, "rewrite the golden files of the present format version")

// encoded writes a frame with requests as an outbox does.
func (q *requests) encoded(t testing.TB) []byte {
	t.Helper()
	b := appendRequestsHead(nil, q.shard, len(q.list))
	for _, r := range q.list {
		var err error
		if b, err = stock.AppendRequest(b, r); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func must(t testing.TB) func([]byte, error) []byte {
	return func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// goldenFrames are one frame of each kind.
func goldenFrames() (requests, answer, listing, []stock.SKU) {
	m := stock.Meta{Caller: "shop", Key: "k-1", Deadline: 1_700_000_005_500, Retry: true}
	id := stock.OrderID{Epoch: 1, Partition: 7, SKU: 3, Counter: 9}
	sku := stock.SKU{Spec: stock.Spec{SKU: "shoe", Stock: 5, Mode: stock.ModeHold, HoldTTLMS: 1, MaxQty: 1}, Number: 3, Available: 5, Version: 17}
	return requests{shard: 3, list: []stock.Request{
			&stock.Place{Meta: m, SKU: "shoe", User: "zoë", Qty: 1}, &stock.Freeze{Meta: m, SKU: "shoe", Frozen: true},
			&stock.GetOrder{Order: id}, &stock.GetOutcome{SKU: "shoe", Caller: "shop", Key: "k-1"},
		}}, answer{
			verdict: verdictAnswered, leader: route{"n2", "10.0.0.2:8082", 7}, clock: 1_700_000_000_123,
			outcomes: []stock.Outcome{{Code: stock.OK, Replayed: true, SKU: &sku}, {Code: stock.SoldOut}},
		}, listing{shards: []uint32{1, 300}, after: "shoe", limit: 101}, []stock.SKU{sku}
}

func TestGoldenFrames(t *testing.T) {
	q, a, l, skus := goldenFrames()
	for name, now := range map[string][]byte{
		"requests": q.encoded(t), "answer": must(t)(a.append(nil)), "listing": l.append(nil), "listed": must(t)(appendListed(nil, skus)),
	} {
		path := filepath.Join("testdata", name+"_v1.hex")
		if *update {
			if err := os.WriteFile(path, []byte(hex.EncodeToString(now)+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		golden, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil || !bytes.Equal(now, golden) {
			t.Fatalf("%s: %x, %v", path, now, err)
		}
		var back, want any
		switch name {
		case "requests":
			back, err = readRequests(golden)
			want = q
		case "answer":
			back, err = readAnswer(golden)
			want = a
		case "listing":
			back, err = readListing(golden)
			want = l
		default:
			back, err = readListed(golden)
			want = skus
		}
		if err != nil || !reflect.DeepEqual(back, want) {
			t.Errorf("%s came back as %+v, %v", name, back, err)
		}
	}
}

func TestFramesThatAreRefused(t *testing.T) {
	q, a, l, _ := goldenFrames()
	request, said, listed := q.encoded(t), must(t)(a.append(nil)), l.append(nil)
	other := bytes.Clone(request)
	other[1]++
	for name, b := range map[string][]byte{
		"nothing": nil, "cut": request[:len(request)-1], "longer": append(bytes.Clone(request), 0xc0), "another version": other,
		"a map": {0x81, 1, 1}, "more requests than bytes": appendRequestsHead(nil, 1, 60_000), "another frame": said, "a listing": listed,
	} {
		if _, err := readRequests(b); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := readAnswer(request); !errors.Is(err, ErrFrame) {
		t.Error(err)
	}
	a.verdict = 0
	if _, err := readAnswer(must(t)(a.append(nil))); !errors.Is(err, ErrFrame) {
		t.Errorf("no verdict: %v", err)
	}
	l.limit = math.MaxInt32
	if _, err := readListing(l.append(nil)); !errors.Is(err, ErrFrame) {
		t.Errorf("a long listing: %v", err)
	}
}

// FuzzFrames reads arbitrary bytes as each kind of frame: no panic, and what is accepted is written as the same bytes.
func FuzzFrames(f *testing.F) {
	q, a, l, skus := goldenFrames()
	f.Add(q.encoded(f))
	f.Add(must(f)(a.append(nil)))
	f.Add(l.append(nil))
	f.Add(must(f)(appendListed(nil, skus)))
	f.Fuzz(func(t *testing.T, b []byte) {
		same := func(what string, again []byte, err error) {
			if err != nil || !bytes.Equal(again, b) {
				t.Fatalf("%s: %x became %x, %v", what, b, again, err)
			}
		}
		if q, err := readRequests(b); err == nil {
			same("requests", q.encoded(t), nil)
		} else if !errors.Is(err, ErrFrame) {
			t.Fatal(err)
		}
		if a, err := readAnswer(b); err == nil {
			again, err := a.append(nil)
			same("answer", again, err)
		}
		if l, err := readListing(b); err == nil {
			same("listing", l.append(nil), nil)
		}
		if skus, err := readListed(b); err == nil {
			again, err := appendListed(nil, skus)
			same("listed", again, err)
		}
	})
}
