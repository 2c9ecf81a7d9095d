package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/stock"
)

// restored returns what a cluster has that is restored from a backup of the model as it is now: the same memory, the next epoch.
func (m *model) restored() *model {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := &model{
		rng: rand.New(rand.NewPCG(99, uint64(m.shard))), shard: m.shard, epoch: m.epoch + 1, index: m.index, clock: m.clock,
		history: History{Mark: m.history.Mark, Index: m.index, Restored: m.index},
	}
	for _, o := range m.orders {
		copied := *o
		r.orders = append(r.orders, &copied)
	}
	for _, s := range m.skus {
		copied := *s
		r.skus = append(r.skus, &copied)
	}
	return r
}

// create makes a SKU that a backup taken before does not have.
func (m *model) create() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.index++
	spec := stock.Spec{SKU: fmt.Sprintf("late-%d", m.shard), Stock: 1 << 40, Mode: stock.ModeHold, HoldTTLMS: 1000, MaxQty: 5}
	m.skus = append(m.skus, &stock.SKU{Spec: spec, Number: uint32(len(m.skus)), Available: spec.Stock, Version: m.index})
}

// afterRestore returns the rows that a sink must hold that the lost cluster wrote and the restored one took over: those of the restored one, those
// that had left memory before the backup as they were, and all others marked.
func afterRestore(lost, restored *model) []string {
	all, known := rows(restored), make(map[string]bool)
	for _, o := range restored.orders {
		known[o.ID.String()] = true
	}
	for _, s := range restored.skus {
		known[s.SKU] = true
	}
	marked := &model{epoch: lost.epoch}
	for _, o := range slices.Concat(lost.orders, lost.gone) {
		if !known[o.ID.String()] {
			marked.orders = append(marked.orders, o)
		}
	}
	for _, s := range lost.skus {
		if !known[s.SKU] {
			marked.skus = append(marked.skus, s)
		}
	}
	for _, o := range marked.orders {
		row := rows(&model{epoch: lost.epoch, orders: []*stock.Order{o}})[0]
		if o.Version > restored.history.Restored {
			row = strings.Replace(row, " "+o.State.String()+" ", " "+lostInRestore+" ", 1)
		}
		all = append(all, row)
	}
	for _, row := range rows(&model{epoch: lost.epoch, skus: marked.skus}) {
		all = append(all, strings.Replace(row, " "+stock.ModeHold.String()+" ", " "+lostInRestore+" ", 1))
	}
	slices.Sort(all)
	return all
}

// A cluster is restored from a backup under a sink that is ahead of it. The sink is refused until it is adopted; then everything is written again,
// over failures and restarts, and what the backup does not know is marked. Another shard's rows are left alone.
func TestARestoreUnderASinkThatIsAhead(t *testing.T) {
	overSinks(t, func(t *testing.T, sink string) {
		lost, other := newModel(80, 1), newModel(81, 2)
		first := mustOpen(t, config(sink, lost, other))
		lost.change(200)
		other.change(400) // beyond the first one's backup
		eventually(t, 20*time.Second, "flushed", func() bool { s := first.Status(); return s[0].Index == lost.at() && s[1].Index == other.at() })
		if lost.evict(lost.at()-20) < 20 {
			t.Fatal("too few orders left memory")
		}
		lost.change(10)
		restored, untouched := lost.restored(), rows(other)
		lost.create()
		lost.change(150)
		eventually(t, 20*time.Second, "flushed", func() bool { return first.Status()[0].Index == lost.at() })
		lost.evict(lost.at() - 20)
		mustClose(t, first)

		restored.change(30) // at log indexes that the lost history had used
		c := config(sink, restored)
		c.ClusterID, c.Epoch, c.BatchRows, c.Ancestors = "cluster-b", 1, 16, []string{"cluster-a"}
		if _, err := Open(c); !errors.Is(err, ErrOtherCluster) {
			t.Fatalf("open: %v, want ErrOtherCluster", err)
		}
		c.AdoptSink = true
		var tries atomic.Int64
		for life := range int64(4) {
			f := openProbed(t, c, func(now step, _ Session) error {
				if n := tries.Add(1); life < 3 && n%11 == life {
					return errDisk
				}
				return nil
			})
			c.AdoptSink = false
			from := max(1, restored.lastFlushed())
			eventually(t, 20*time.Second, "goes on", func() bool { return restored.lastFlushed() > from || restored.lastFlushed() == restored.at() })
			if g := f.Status()[0].Gap; g.Missing() {
				t.Errorf("the sink had all that left memory, and %+v is reported", g)
			}
			if life < 3 {
				abandon(f)
				continue
			}
			restored.change(10)
			mustClose(t, f)
		}
		want := slices.Concat(afterRestore(lost, restored), untouched)
		slices.Sort(want)
		have := stored(t, sink)
		if len(have) != len(want) {
			t.Fatalf("%d rows, want %d", len(have), len(want))
		}
		marked := 0
		for i := range want {
			if have[i] != want[i] {
				t.Fatalf("row %d:\nstored %s\nwant   %s", i, have[i], want[i])
			}
			if strings.Contains(have[i], lostInRestore) {
				marked++
			}
		}
		if marked < 20 {
			t.Errorf("%d rows are marked", marked)
		}
		c = config(sink, lost)
		if _, err := Open(c); !errors.Is(err, ErrOtherCluster) {
			t.Errorf("the lost cluster: %v, want ErrOtherCluster", err)
		}
	})
}

// A sink that was behind when its cluster was restored lacks what had left memory since, which is told.
func TestARestoreUnderASinkThatIsBehind(t *testing.T) {
	overSinks(t, func(t *testing.T, sink string) {
		m := newModel(82, 1)
		m.change(50)
		mustClose(t, mustOpen(t, config(sink, m)))
		at := m.at()
		m.change(50)
		m.evict(m.at())
		restored := m.restored()
		c := config(sink, restored)
		c.ClusterID, c.Epoch, c.Ancestors, c.AdoptSink = "cluster-b", 1, []string{"cluster-a"}, true
		f := mustOpen(t, c)
		eventually(t, 20*time.Second, "told", func() bool { return f.Status()[0].Gap.Found() })
		if g := f.Status()[0].Gap; g.From != at || g.Mark != m.at() {
			t.Errorf("%+v, the sink was at %d", g, at)
		}
		mustClose(t, f)
	})
}

// The place of an order is the same number in SQL as here.
func TestPlacesInSQL(t *testing.T) {
	overSinks(t, func(t *testing.T, sink string) {
		mustClose(t, mustOpen(t, config(sink, newModel(83, 1))))
		find := map[bool]string{true: "strpos", false: "instr"}[isPostgres(sink)]
		for _, id := range []stock.OrderID{
			{}, {Epoch: maxEpoch, Partition: stock.Partitions - 1, SKU: 1<<32 - 1, Counter: 1<<64 - 1}, {Partition: 700, SKU: 61, Counter: 62},
		} {
			place := uint64(id.Epoch)<<42 | uint64(id.Partition)<<32 | uint64(id.SKU)
			have := dump(t, sink, "", fmt.Sprintf("select %s from (select '%s' as id) as one", placeOfID(find), id))
			if want := []string{fmt.Sprintf("[%d]", place)}; !slices.Equal(have, want) {
				t.Errorf("%+v is at %v, want %v", id, have, want)
			}
		}
	})
}
