package actors

import (
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"holdfast/stock"
)

// reading returns what a metric shows; of a histogram the number of observations and their sum.
func reading(t testing.TB, m prometheus.Metric) (value, sum float64) {
	t.Helper()
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	if h := out.GetHistogram(); h != nil {
		return float64(h.GetSampleCount()), h.GetSampleSum()
	}
	return out.GetCounter().GetValue() + out.GetGauge().GetValue(), 0
}

// counted holds the counters of orders against what is expected of them, in the order of the events.
func (n *node) counted(want [endOfEvents]float64) {
	n.t.Helper()
	for e, w := range want {
		if got, _ := reading(n.t, n.system.metrics.orders[e]); got != w {
			n.t.Errorf("%v %s, want %v", got, eventNames[e], w)
		}
	}
}

// Orders are counted by what really happened to them, also around a promotion and a demotion, and the lag of a release is that of its oldest hold.
func TestOrdersAreCounted(t *testing.T) {
	eachTemperature(t, func(t *testing.T, hot bool) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil)
			defer n.close()
			n.must(holdSpec("shoe", 100, time.Second, hot))
			var ids []stock.OrderID
			for i := range 10 {
				ids = append(ids, n.must(place("shoe", "u", fmt.Sprint(i))).Order.ID)
			}
			n.must(place("shoe", "u", "0"))
			n.setHot("shoe", !hot)
			for range 2 {
				n.must(&stock.Confirm{Order: ids[0], PaymentID: "p"})
				n.must(&stock.Cancel{Order: ids[1]})
			}
			n.setHot("shoe", hot)
			n.must(&stock.Return{Meta: stock.Meta{Key: "r"}, Order: ids[0], Restock: true})
			n.counted([endOfEvents]float64{accepted: 10, confirmed: 1, cancelled: 1, returned: 1})
			advance(time.Second + releaseLag)
			n.counted([endOfEvents]float64{accepted: 10, confirmed: 1, cancelled: 1, returned: 1, expired: 8})
			if times, seconds := reading(t, n.system.metrics.lag); times == 0 || seconds > times*releaseLag.Seconds() {
				t.Errorf("%v releases, %v s behind together", times, seconds)
			}
			m := n.system.metrics
			up, _ := reading(t, m.promotions)
			if down, _ := reading(t, m.demotions); up+down < 2 {
				t.Errorf("%v promotions, %v demotions", up, down)
			}
		})
	})
}

// What a start replays was counted by the process that decided it.
func TestReplayCountsNoOrders(t *testing.T) {
	n := start(t, nil)
	defer n.close()
	n.must(spec("shoe", 100, false))
	n.must(spec("hat", 100, true))
	for i := range 10 {
		n.must(place("shoe", "u", fmt.Sprint(i)))
		n.must(place("hat", "u", fmt.Sprint(i)))
	}
	n.settled()
	n.counted([endOfEvents]float64{accepted: 20})
	again := &node{t: t, system: Start(Config{Logger: slog.New(slog.DiscardHandler)})}
	defer again.system.Close()
	cfg := n.cfg
	cfg.Log = &testLog{term: 2, leads: true} // as after an election
	r, err := again.system.NewReplica(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i, data := range n.log.entries {
		if err := r.Apply(uint64(i+1), n.log.terms[i], data); err != nil {
			t.Fatal(err)
		}
	}
	n.eventually("the log is applied", func() bool { return r.Applied() == uint64(len(n.log.entries)) })
	if a, _ := r.Availability("hat"); a.Held != 10 {
		t.Fatalf("vacuous: %+v", a)
	}
	again.counted([endOfEvents]float64{})
}

// Each bound that a request can run into has its own count.
func TestBoundsAreCounted(t *testing.T) {
	full := ""
	n := start(t, func(c *ReplicaConfig) { c.MaxTokens = 1 })
	defer n.close()
	n.must(spec("shoe", 1, false))
	n.settled()
	n.gateway = n.system.NewGateway(n, func() string { return full })
	release, waiting := n.log.hold()
	first := n.begin(t.Context(), place("shoe", "u", "1"))
	n.eventually("the first is on its way", func() bool { return waiting.Load() == 1 })
	want(t, "no token", n.do(place("shoe", "u", "2")), stock.Overloaded)
	if got, _ := reading(t, n.system.metrics.overloaded[boundPending]); got != 1 {
		t.Errorf("%v of max-pending", got)
	}
	release()
	want(t, "the first", <-first, stock.OK)
	full = "wal-soft-bytes"
	want(t, "no disk", n.do(place("shoe", "u", "3")), stock.Overloaded)
	full = "a bound of tomorrow"
	want(t, "another", n.do(place("shoe", "u", "4")), stock.Overloaded)
	for _, bound := range []string{"wal-soft-bytes", otherBound} {
		if got, _ := reading(t, n.system.metrics.overloaded[bound]); got != 1 {
			t.Errorf("%v of %s", got, bound)
		}
	}
	if entries, seconds := reading(t, n.system.metrics.commit); entries < 2 || seconds <= 0 {
		t.Errorf("%v entries committed in %v s", entries, seconds)
	}
}

// The bound of a SKU's parked orders is counted where it is answered.
func TestFullParkIsCounted(t *testing.T) {
	n := start(t, func(c *ReplicaConfig) { c.MaxParked = 1 })
	defer n.close()
	n.must(spec("shoe", 1, false))
	n.settled()
	release, waiting := n.log.hold()
	first := n.begin(t.Context(), place("shoe", "u", "1"))
	n.eventually("the first is on its way", func() bool { return waiting.Load() == 1 })
	second := n.begin(t.Context(), place("shoe", "u", "2"))
	n.eventually("the second is parked", func() bool { v, _ := reading(t, n.system.metrics.parked); return v == 1 })
	want(t, "the third", n.do(place("shoe", "u", "3")), stock.Overloaded)
	if got, _ := reading(t, n.system.metrics.overloaded["max-parked"]); got != 1 {
		t.Errorf("%v of max-parked", got)
	}
	release()
	want(t, "the first", <-first, stock.OK)
	want(t, "the second", <-second, stock.SoldOutPending)
}
