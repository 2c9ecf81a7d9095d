package storage

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/stock"
)

// An audit sees one moment of a file that is being written: sums and rows agree, whatever is committed in between.
func TestAuditReadsWhileItIsWritten(t *testing.T) {
	overSinks(t, func(t *testing.T, sink string) {
		m := newModel(20, 1)
		f := mustOpen(t, config(sink, m))
		last := 0
		for range 20 {
			m.change(20)
			a, err := OpenAudit(t.Context(), sink)
			if err != nil {
				t.Fatal(err)
			}
			m.change(20)
			eventually(t, 5*time.Second, "flushed under the audit", func() bool { return m.lastFlushed() == m.at() })
			last = auditOnce(t, a, last)
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
		}
		mustClose(t, f)
		requireAudit(t, sink, m)
	})
}

// auditOnce checks that totals and rows are of one moment, not before the last one.
func auditOnce(t *testing.T, a *Audit, last int) int {
	t.Helper()
	orders, units := 0, int64(0)
	for total, err := range a.Totals(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		orders, units = orders+int(total.Orders), units+total.Units
	}
	n := 0
	for row, err := range a.Orders(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n, units = n+1, units-row.Qty
	}
	if n != orders || units != 0 || n < last {
		t.Fatalf("%d orders in the sums, %d rows, %d units apart, %d before", orders, n, units, last)
	}
	return n
}

// requireAudit checks what the one-call readers return, with nobody writing.
func requireAudit(t *testing.T, sink string, m *model) {
	t.Helper()
	rows, err := ReadOrders(t.Context(), sink)
	if err != nil {
		t.Fatal(err)
	}
	byID := make(map[string]*stock.Order)
	sums := make(map[Total]int64)
	for _, o := range m.orders {
		byID[o.ID.String()] = o
		sums[Total{SKU: o.SKU, State: o.State.String()}] += o.Qty
	}
	for _, r := range rows {
		o := byID[r.ID]
		want := OrderRow{r.ID, o.SKU, o.User, o.State.String(), o.Key, o.Qty, o.ReturnedQty, int64(o.Version)}
		if r != want {
			t.Fatalf("read %+v, want %+v", r, want)
		}
	}
	totals, err := ReadTotals(t.Context(), sink)
	if err != nil || len(rows) != len(m.orders) || len(totals) != len(sums) {
		t.Fatalf("%d orders and %d totals (%v), want %d and %d", len(rows), len(totals), err, len(m.orders), len(sums))
	}
	for _, total := range totals {
		if sums[Total{SKU: total.SKU, State: total.State}] != total.Units {
			t.Errorf("total %+v", total)
		}
	}
	skus, err := ReadSKUs(t.Context(), sink)
	if err != nil || len(skus) != len(m.skus) {
		t.Fatalf("%d SKUs (%v)", len(skus), err)
	}
	for i, s := range skus {
		k := m.skus[i]
		if want := (SKURow{k.SKU, k.Stock, k.Available, k.Held, k.Sold, int64(k.Version)}); s != want {
			t.Errorf("read %+v, want %+v", s, want)
		}
	}
}

// Nothing an audit does makes or changes a file.
func TestAuditNeedsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing.db")
	if _, err := ReadOrders(t.Context(), path); err == nil {
		t.Error("a missing file was read")
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("a missing file was made (%v)", err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadTotals(t.Context(), path); err == nil {
		t.Error("an empty file was read")
	}
}

// The tables are an interface: other programs query them.
func TestSchema(t *testing.T) {
	path, m := dbPath(t), newModel(21, 1)
	mustClose(t, mustOpen(t, config(path, m)))
	for table, want := range map[string]string{
		"orders": "id sku user_id qty returned_qty state mode idem_key client_ref payment_id held_at confirmed_at cancelled_at expired_at " +
			"returned_at expires_at version",
		"skus":   "sku stock available held sold mode hold_ttl_ms limit_per_user max_qty opens_at closes_at frozen hot version",
		"cursor": "shard log_index term cluster_id",
		"seed":   "shard lacks_from lacks_to at",
	} {
		var names []string
		for _, row := range dump(t, path, "", "select name from pragma_table_info('"+table+"') order by cid") {
			names = append(names, strings.Trim(row, "[]"))
		}
		if have := strings.Join(names, " "); have != want {
			t.Errorf("%s has columns %q, want %q", table, have, want)
		}
		key := dump(t, path, "", "select name from pragma_table_info('"+table+"') where pk = 1")
		if len(key) != 1 || strings.Trim(key[0], "[]") != names[0] {
			t.Errorf("%s has primary key %v, want %s", table, key, names[0])
		}
	}
	for pragma, want := range map[string]string{"journal_mode": "[wal]", "user_version": "[2]"} {
		if have := dump(t, path, "", "pragma "+pragma); !slices.Equal(have, []string{want}) {
			t.Errorf("%s is %v, want %s", pragma, have, want)
		}
	}
	if have := dump(t, path, "", "select shard, log_index, cluster_id from cursor"); !slices.Equal(have, []string{"[1 3 cluster-a]"}) {
		t.Errorf("cursor is %v", have)
	}
}

func TestRowsOfStoppedSKUsAndRestoredOrders(t *testing.T) {
	for _, tc := range []struct {
		name           string
		frozen, broken bool
		want           int64
	}{{"open", false, false, 0}, {"frozen", true, false, 1}, {"broken", false, true, 1}} {
		row := skuRow(nil, 0, &stock.SKU{Frozen: tc.frozen, Broken: tc.broken})
		if have := row[slices.IndexFunc(skuTable.columns, func(c column) bool { return c.name == "frozen" })]; have != tc.want {
			t.Errorf("%s: frozen is %v, want %d", tc.name, have, tc.want)
		}
	}
	for _, tc := range []struct{ id, cluster, want uint16 }{{0, 0, 0}, {0, 2, 2}, {2, 2, 2}} {
		row := orderRow(nil, tc.cluster, &stock.Order{ID: stock.OrderID{Epoch: tc.id}, Version: 9})
		if have := row[len(row)-1]; have != int64(tc.want)<<48+9 {
			t.Errorf("an order of epoch %d in epoch %d has version %v", tc.id, tc.cluster, have)
		}
	}
}

// What a source is told to be flushed must survive a power cut.
func TestCommitsAreSynced(t *testing.T) {
	s, _ := session(t, config(dbPath(t), newModel(23, 1)))
	var level int
	if err := s.(*sqliteSession).conn.QueryRowContext(t.Context(), "pragma synchronous").Scan(&level); err != nil || level != 2 {
		t.Errorf("synchronous is %d (%v), want 2, which is full", level, err)
	}
}
