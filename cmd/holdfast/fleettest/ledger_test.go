package fleettest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/api/client"
	"holdfast/storage"
)

// heard is a ledger with an order that is held and one that is confirmed.
func heard() *Ledger {
	l := newLedger()
	l.made("shoe", 10)
	for _, key := range []string{"k1", "k2"} {
		l.told(attempt{kind: Place, key: key, sku: "shoe", user: "u-" + key}, client.Order{ID: "id-" + key, State: "held"}, time.Now())
	}
	l.told(attempt{kind: Confirm, key: "k2", sku: "shoe", user: "u-k2", order: "id-k2"}, client.Order{ID: "id-k2", State: "confirmed"}, time.Now())
	return l
}

func TestLedgerNoticesWrongRows(t *testing.T) {
	right := []storage.OrderRow{
		{ID: "id-k1", SKU: "shoe", User: "u-k1", State: "held", Key: "k1", Qty: 1},
		{ID: "id-k2", SKU: "shoe", User: "u-k2", State: "confirmed", Key: "k2", Qty: 1},
	}
	l := heard()
	if wrong := l.compare(right); wrong != "" {
		t.Fatal(wrong)
	}
	for name, change := range map[string]func([]storage.OrderRow) []storage.OrderRow{
		"one is lost":          func(r []storage.OrderRow) []storage.OrderRow { return r[:1] },
		"all are lost":         func([]storage.OrderRow) []storage.OrderRow { return nil },
		"one is doubled":       func(r []storage.OrderRow) []storage.OrderRow { return append(r, r[0]) },
		"doubled, with its id": func(r []storage.OrderRow) []storage.OrderRow { r[1] = r[0]; return r },
		"nobody was told": func(r []storage.OrderRow) []storage.OrderRow {
			return append(r, storage.OrderRow{ID: "id-k3", SKU: "shoe", User: "u-k3", State: "held", Key: "k3", Qty: 1})
		},
		"another id":    func(r []storage.OrderRow) []storage.OrderRow { r[0].ID = "id"; return r },
		"another state": func(r []storage.OrderRow) []storage.OrderRow { r[1].State = "held"; return r },
		"another user":  func(r []storage.OrderRow) []storage.OrderRow { r[0].User = "u"; return r },
		"another SKU":   func(r []storage.OrderRow) []storage.OrderRow { r[0].SKU = "hat"; return r },
		"two units":     func(r []storage.OrderRow) []storage.OrderRow { r[0].Qty = 2; return r },
	} {
		if l.compare(change(slices.Clone(right))) == "" {
			t.Errorf("%s: not noticed", name)
		}
	}
}

func TestLedgerNoticesWrongAnswers(t *testing.T) {
	l := heard()
	l.told(attempt{kind: Place, key: "k1", sku: "shoe", user: "u-k1"}, client.Order{ID: "id-k1", State: "held"}, time.Now()) // the same again
	if len(l.wrong) != 0 {
		t.Fatal(l.wrong)
	}
	l.told(attempt{kind: Place, key: "k1", sku: "shoe", user: "u-k1"}, client.Order{ID: "another", State: "held"}, time.Now())
	l.told(attempt{kind: Confirm, key: "k9", sku: "shoe", user: "u-k9", order: "id-k9"}, client.Order{ID: "id-k9", State: "confirmed"}, time.Now())
	if len(l.wrong) != 2 || !strings.Contains(l.wrong[0], "another") || !strings.Contains(l.wrong[1], "nobody placed") {
		t.Errorf("%q", l.wrong)
	}
	l = heard()
	l.not(attempt{kind: Place, key: "k1"}, "no leader", false)
	if l.lateComers(); len(l.wrong) != 1 || !strings.Contains(l.wrong[0], "was not executed") {
		t.Errorf("%q", l.wrong)
	}
}

func TestOnlyLiveNodesAreBlamed(t *testing.T) {
	l, n := newLedger(), &Node{ID: "n1"}
	for _, live := range []bool{true, false} {
		for _, err := range []error{
			nil, &client.Problem{Status: 503, Code: "no_leader"}, &client.Problem{Status: 504, Code: "outcome_unknown"}, &client.NoAnswer{Sent: true},
			&client.Problem{Status: 409, Code: "sold_out"},
		} {
			l.count(n, live, time.Second, err)
		}
	}
	if got := l.Blemishes(); len(got) != 2 || got[Answer{"n1", true, 504, "outcome_unknown"}] != 1 || got[Answer{"n1", true, 0, "no answer"}] != 1 {
		t.Errorf("%+v", got)
	}
}

func TestGap(t *testing.T) {
	l, begin := newLedger(), time.Now()
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	for i, ms := range []int{0, 10, 500, 520, 900} {
		l.told(attempt{kind: Place, key: string(rune('a' + i)), sku: "shoe"}, client.Order{ID: string(rune('a' + i))}, at(ms))
	}
	for _, tt := range []struct{ from, to, want int }{{0, 900, 490}, {20, 520, 480}, {505, 2000, 1100}, {505, 600, 80}, {950, 1000, 50}} {
		if got := l.Gap("shoe", at(tt.from), at(tt.to)); got != time.Duration(tt.want)*time.Millisecond {
			t.Errorf("from %d to %d ms: %s", tt.from, tt.to, got)
		}
	}
	if got := l.Gap("hat", at(0), at(70)); got != 70*time.Millisecond {
		t.Errorf("never sold: %s", got)
	}
	if got := (Spread{3 * time.Second, time.Second, 2 * time.Second}).String(); got != "3: min 1s, median 2s, p99 3s, max 3s" {
		t.Error(got)
	}
	if n := l.AcceptedSince("shoe", at(510)); n != 2 {
		t.Errorf("%d since", n)
	}
}

// Of those who wait for an answer the ledger tells where, the longest first, until they have it.
func TestLedgerTellsWhoWaits(t *testing.T) {
	l, now := newLedger(), time.Now()
	answered := l.underway.begin(Op{Kind: Place, Node: "n2", SKU: "shoe", Begin: now.Add(-time.Second)})
	l.underway.begin(Op{Kind: Place, Node: "n1", SKU: "hat", Begin: now})
	l.underway.begin(Op{Kind: Confirm, Node: "n1", SKU: "shoe", Begin: now.Add(-20 * time.Second)})
	if text := l.underway.about("shoe", now); text != "2 wait for an answer (n1 confirm for 20s, n2 place for 1s)" {
		t.Error(text)
	}
	if answered(); l.underway.about("shoe", now) != "1 wait for an answer (n1 confirm for 20s)" {
		t.Error(l.Waiting("shoe"))
	}
}
