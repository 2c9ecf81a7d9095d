package stock

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// drawRow draws any row that a table may be given, sensible or not: what is packed must be the same again.
func drawRow(t *rapid.T) row {
	number := rapid.OneOf(rapid.SampledFrom([]int64{0, 1, -1, 63, 64, -64, -65, 600_000, math.MaxInt64, math.MinInt64}), rapid.Int64())
	text := func(most int) []byte {
		if n := rapid.SampledFrom([]int{0, 1, 12, 36, 127, 128, most}).Draw(t, "bytes"); n > 0 {
			return bytes.Repeat([]byte{byte('a' + n%26)}, min(n, most))
		}
		return nil
	}
	moment := func(name string) Time { return Time(number.Draw(t, name)) }
	return row{
		key: text(MaxKeyBytes), clientRef: text(MaxClientRefBytes), paymentID: text(MaxNameBytes), qty: number.Draw(t, "qty"),
		returned: number.Draw(t, "returned"), created: moment("created"), confirmed: moment("confirmed"), ended: moment("ended"),
		expires: moment("expires"), updated: moment("updated"), firstVersion: uint64(number.Draw(t, "first")),
		version: uint64(number.Draw(t, "version")), user: rapid.Uint32().Draw(t, "user"), caller: rapid.Uint32Range(0, 300).Draw(t, "caller"),
		epoch: rapid.Uint16().Draw(t, "epoch"), state: State(rapid.Uint8Range(1, uint8(stateFence)).Draw(t, "state")),
	}
}

func (r *row) same(o *row) bool {
	return string(r.key) == string(o.key) && string(r.clientRef) == string(o.clientRef) && string(r.paymentID) == string(o.paymentID) &&
		reflect.DeepEqual(r.numbers(), o.numbers())
}

// numbers returns the row without its texts.
func (r row) numbers() row {
	r.key, r.clientRef, r.paymentID = nil, nil, nil
	return r
}

func samePacked(t *rapid.T) {
	r, base := drawRow(t), drawRow(t)
	from := baseOf(&base)
	prefix := []byte("before")
	b := appendPacked(slices.Clone(prefix), &from, &r)
	packed := packedRow(append(b, "behind"...)[len(prefix):])
	var got row
	packed.unpack(&from, &got)
	if !got.same(&r) {
		t.Fatalf("%+v is read as %+v", r, got)
	}
	if packed.size() != len(b)-len(prefix) || packed.state() != r.state || string(packed.key()) != string(r.key) || packed.caller() != r.caller {
		t.Fatalf("%d bytes are said to be %d, in state %v, of %q and %d", len(b)-len(prefix), packed.size(), packed.state(), packed.key(), packed.caller())
	}
}

func TestPackedRow(t *testing.T) { rapid.Check(t, samePacked) }

func FuzzPackedRow(f *testing.F) { f.Fuzz(rapid.MakeFuzz(samePacked)) }

// A row of the usual kind takes few bytes.
func TestPackedRowsAreSmall(t *testing.T) {
	const now, index = 1_700_000_000_000, 5_000_000
	base := rowBase{created: now, ttl: DefaultHoldTTLMS, version: index}
	key := []byte("0123456789ab")
	for name, c := range map[string]struct {
		r    row
		most int
	}{
		"held": {row{
			key: key, qty: 1, user: 999_999, created: now + 90, updated: now + 90, expires: now + 90 + DefaultHoldTTLMS, firstVersion: index + 60,
			version: index + 60, state: StateHeld,
		}, len(key) + 12},
		"paid": {row{
			key: key, paymentID: []byte("pay-1234"), qty: 1, user: 999_999, created: now + 90, confirmed: now + 60_000, updated: now + 60_000,
			expires: now + 90 + DefaultHoldTTLMS, firstVersion: index + 60, version: index + 30_000, state: StateConfirmed,
		}, len(key) + 9 + 19},
		"sold at once": {row{
			key: key, qty: 1, user: 999_999, created: now + 90, confirmed: now + 90, updated: now + 90, firstVersion: index + 60, version: index + 60,
			state: StateConfirmed,
		}, len(key) + 12},
	} {
		if n := len(appendPacked(nil, &base, &c.r)); n > c.most {
			t.Errorf("%s: %d bytes, want at most %d", name, n, c.most)
		}
	}
}

// rowsModel runs random operations on a table and on a map; cuts are read by goroutines of their own while the owner goes on.
type rowsModel struct {
	t    *rapid.T
	got  rows
	want map[uint64]row
	n    uint64
	next int64
	cuts []func() string
	wg   sync.WaitGroup
	errs chan string
}

// fresh returns a row like no other.
func (m *rowsModel) fresh() row {
	m.next++
	n := m.next
	return row{
		key: fmt.Appendf(nil, "key-%d", n), paymentID: bytes.Repeat([]byte("p"), int(n%97)), qty: n%5 - 1, created: Time(n), updated: Time(n * 3),
		version: uint64(n), user: uint32(n), caller: uint32(n % 3), epoch: uint16(n / 1000), state: State(n%int64(stateFence) + 1),
	}
}

func rowsDiffer(got *rows, want map[uint64]row, n uint64) string {
	if got.len() != n || got.live() != uint64(len(want)) {
		return fmt.Sprintf("%d rows and %d live ones, want %d and %d", got.len(), got.live(), n, len(want))
	}
	for i := range n {
		w, r := want[i], got.load(i)
		if !r.same(&w) || got.state(i) != w.state {
			return fmt.Sprintf("row %d is %+v, want %+v", i, r, w)
		}
	}
	seen, last := 0, uint64(0)
	for i, r := range got.all() {
		if w := want[i]; !r.same(&w) || seen > 0 && i <= last {
			return fmt.Sprintf("visited row %d behind %d as %+v, want %+v", i, last, r, w)
		}
		seen, last = seen+1, i
	}
	if seen != len(want) {
		return fmt.Sprintf("%d rows visited of %d", seen, len(want))
	}
	return ""
}

func (m *rowsModel) push(n int) {
	for range n {
		r := m.fresh()
		if i := m.got.push(&r); i != m.n {
			m.t.Fatalf("row %d got place %d", m.n, i)
		}
		m.want[m.n] = r
		m.n++
	}
}

// some calls what for a run of rows that are there.
func (m *rowsModel) some(n int, what func(i uint64)) {
	if m.n == 0 {
		return
	}
	from := rapid.Uint64Range(0, m.n-1).Draw(m.t, "from")
	for i := from; i < min(m.n, from+uint64(n)); i++ {
		if _, ok := m.want[i]; ok {
			what(i)
		}
	}
}

// write changes rows; what was loaded before stays as it was.
func (m *rowsModel) write(i uint64) {
	was, want, r := m.got.load(i), m.want[i], m.fresh()
	m.got.store(i, &r)
	m.want[i] = r
	if !was.same(&want) {
		m.t.Fatalf("row %d was loaded as %+v and became %+v", i, want, was)
	}
}

func (m *rowsModel) drop(i uint64) {
	m.got.drop(i)
	delete(m.want, i)
}

func (m *rowsModel) cut() {
	view, want, n := m.got.cut(), maps.Clone(m.want), m.n
	check := func() string { return rowsDiffer(&view, want, n) }
	m.cuts = append(m.cuts, check)
	m.wg.Go(func() {
		if d := check(); d != "" {
			m.errs <- "beside the owner: " + d
		}
	})
}

// rewrite makes the table again from its rows, as a restore does.
func (m *rowsModel) rewrite() {
	var again rows
	for i, r := range m.got.all() {
		again.restore(i, r)
	}
	again.extend(m.got.len())
	m.got = again
}

func TestRowsAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &rowsModel{t: t, want: make(map[uint64]row), errs: make(chan string, 1000)}
		size := rapid.SampledFrom([]int{1, 3, pageRows/2 - 1, pageRows, 2*pageRows + 1})
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch n := size.Draw(t, "rows"); rapid.IntRange(0, 9).Draw(t, "what") {
			case 0, 1, 2:
				m.push(n)
			case 3, 4, 5:
				m.some(n, m.write)
			case 6, 7:
				m.some(n, m.drop)
			case 8:
				m.cut()
			case 9:
				m.rewrite()
			}
		}
		m.wg.Wait()
		close(m.errs)
		for e := range m.errs {
			t.Fatal(e)
		}
		for i, check := range m.cuts {
			if d := check(); d != "" {
				t.Fatalf("cut %d in the end: %s", i, d)
			}
		}
		if d := rowsDiffer(&m.got, m.want, m.n); d != "" {
			t.Fatal(d)
		}
	})
}

// Pages hold little but what counts: when they have been filled, when each row has been written again and again, when all have settled.
func TestRowsAreCompact(t *testing.T) {
	var p rows
	const n = 20 * pageRows
	made := func(i uint64, s State) *row {
		return &row{key: fmt.Appendf(nil, "key-%08d", i), qty: 1, created: Time(i), updated: Time(i), user: uint32(i), state: s}
	}
	check := func(when string, percent int) {
		t.Helper()
		room, used := 0, 0
		for _, pg := range p.pages {
			room, used = room+cap(pg.data), used+int(pg.used)
		}
		if room > used*(100+percent)/100 {
			t.Errorf("%s: %d bytes have the room of %d", when, used, room)
		}
	}
	for i := range uint64(n) {
		p.push(made(i, StateHeld))
	}
	check("filled", 20)
	for round := range 5 {
		for i := range uint64(n) {
			r := made(i, StateHeld)
			r.updated += Time(round)
			p.store(i*7919%n, r)
		}
		check("written again", 60)
	}
	for i := range uint64(n) {
		p.store(i*7919%n, made(i*7919%n, StateConfirmed))
	}
	check("settled", 15)
	var few rows
	few.push(made(1, StateHeld))
	if c := cap(few.pages[0].data); c > 2*minRowBytes {
		t.Errorf("the only row takes %d bytes", c)
	}
}
