package storage

import (
	"bytes"
	"encoding/hex"
	"errors"
	cmdflag "flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"holdfast/stock"
)

var refreshGolden = cmdflag.Bool("refresh", false, "write the golden files anew")

// samplePage has every column of both tables, with and without values, and numbers and texts of every width.
func samplePage() Page {
	full := stock.Order{
		ID: stock.OrderID{Epoch: 1, Partition: 1023, SKU: 7, Counter: 300}, SKU: "tea", User: strings.Repeat("u", stock.MaxNameBytes),
		Key: strings.Repeat("k", stock.MaxKeyBytes), ClientRef: "ref", PaymentID: "pay", Qty: stock.MaxStock, ReturnedQty: 200, State: stock.StateReturned,
		Mode: stock.ModeHold, CreatedAt: 1_700_000_000_000, ConfirmedAt: 70_000, CancelledAt: 5, ExpiredAt: 1 << 31, ReturnedAt: 129, ExpiresAt: 127, Version: 1 << 40,
	}
	bare := stock.Order{ID: stock.OrderID{Counter: 1}, SKU: "tea", User: "ada", Key: "k", Qty: 1, State: stock.StateConfirmed, Mode: stock.ModeOnOrder, Version: 3}
	sku := stock.SKU{Spec: stock.Spec{SKU: "tea", Stock: 9, Mode: stock.ModeOnOrder}, Available: 8, Sold: 1, Frozen: true, Version: 3}
	p := Page{Shard: 4, Epoch: 1, Index: 1 << 40, Lacks: Span{From: 3, To: 65_536}, Next: skuKey + "tea"}
	for _, o := range []*stock.Order{&full, &bare} {
		p.orders = append(p.orders, orderRow(nil, 1, o))
	}
	p.skus = []row{skuRow(nil, 1, &sku)}
	return p
}

func TestPagesTravel(t *testing.T) {
	p := samplePage()
	sent := EncodePage(p)
	got, err := DecodePage(sent)
	if err != nil || !reflect.DeepEqual(got, p) {
		t.Fatalf("%v\nsent     %+v\nreceived %+v", err, p, got)
	}
	path := filepath.Join("testdata", "page-v1.hex")
	have := hex.EncodeToString(sent) + "\n"
	if *refreshGolden {
		if err := os.WriteFile(path, []byte(have), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || have != string(want) {
		t.Errorf("the form has changed (%v):\n%s%s", err, have, want)
	}
}

// The largest page fits into its bound.
func TestTheLargestPageFits(t *testing.T) {
	p := samplePage()
	longest := p.orders[0]
	for i, c := range orderTable.columns[1:] {
		if strings.HasPrefix(c.kind, "text") {
			longest[i+1] = strings.Repeat("x", maxRowText)
		}
	}
	p.orders = nil
	for range MaxPageRows - len(p.skus) {
		p.orders = append(p.orders, longest)
	}
	sent := EncodePage(p)
	if got, err := DecodePage(sent); err != nil || got.Rows() != MaxPageRows {
		t.Errorf("%d bytes: %v", len(sent), err)
	}
	p.orders = append(p.orders, longest)
	if _, err := DecodePage(EncodePage(p)); !errors.Is(err, ErrBadPage) {
		t.Errorf("one row more: %v", err)
	}
}

func TestWhatIsNoPageIsRefused(t *testing.T) {
	good := EncodePage(samplePage())
	changed := func(change func(*Page)) []byte {
		p := samplePage()
		p.orders[0], p.skus[0] = append(row{}, p.orders[0]...), append(row{}, p.skus[0]...)
		change(&p)
		return EncodePage(p)
	}
	last := len(orderTable.columns) - 1
	for name, b := range map[string][]byte{
		"nothing":              nil,
		"cut short":            good[:len(good)-1],
		"something follows":    append(bytes.Clone(good), 0),
		"another form":         append([]byte{good[0], 2}, good[2:]...),
		"another length":       append([]byte{0x9a}, good[1:]...),
		"not the shortest":     append([]byte{good[0], 1, 0xcc, 4}, good[3:]...),
		"a column too few":     changed(func(p *Page) { p.orders[0] = p.orders[0][1:] }),
		"no id":                changed(func(p *Page) { p.orders[0][0] = "?" }),
		"NULL where none is":   changed(func(p *Page) { p.orders[0][1] = nil }),
		"a number for a text":  changed(func(p *Page) { p.orders[0][1] = int64(1) }),
		"a text for a number":  changed(func(p *Page) { p.orders[0][3] = "1" }),
		"a text too long":      changed(func(p *Page) { p.orders[0][2] = strings.Repeat("x", maxRowText+1) }),
		"a negative version":   changed(func(p *Page) { p.orders[0][last] = int64(-1) }),
		"a later epoch's row":  changed(func(p *Page) { p.orders[0][last] = int64(versionOf(2, 1)) }),
		"an epoch too high":    changed(func(p *Page) { p.Epoch = maxEpoch + 1 }),
		"an index too high":    changed(func(p *Page) { p.Index = 1 << indexBits }),
		"a SKU without a name": changed(func(p *Page) { p.skus[0][0] = "" }),
		"ten million rows":     append(bytes.Clone(good[:bytes.Index(good, []byte(skuKey+"tea"))+4]), 0xdc, 0xff, 0xff),
		"too long":             make([]byte, MaxPageBytes+1),
	} {
		if p, err := DecodePage(b); err == nil {
			t.Errorf("%s: accepted as %+v", name, p)
		}
	}
}

// Whatever is accepted writes back to the same bytes, and nothing makes the reader panic.
func FuzzDecodePage(f *testing.F) {
	f.Add(EncodePage(samplePage()))
	f.Add(EncodePage(Page{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodePage(b)
		if err == nil && !bytes.Equal(EncodePage(p), b) {
			t.Errorf("%x is read as %+v", b, p)
		}
	})
}
