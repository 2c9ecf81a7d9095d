package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/api/client"
	"holdfast/storage"
)

// crowd places n orders of one unit at once, a user and a key each, and returns the accepted.
func crowd(t testing.TB, c *client.Client, sku, name string, n int) []client.Placed {
	t.Helper()
	accepted := make(chan client.Placed, n)
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-gate
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			who := fmt.Sprint(name, "-", i)
			if o, err := c.PlaceOrderUntilKnown(ctx, who, client.NewOrder{SKU: sku, User: who}); err == nil {
				accepted <- o
			} else if !client.IsRefused(err) {
				t.Errorf("order %s: %v", who, err)
			}
		})
	}
	close(gate)
	wg.Wait()
	close(accepted)
	var all []client.Placed
	for o := range accepted {
		all = append(all, o)
	}
	return all
}

// 3,000 concurrent orders for 500 units: exactly 500 acceptances; cancels and expiries make exactly that many available again.
func TestCrowdSellsExactly(t *testing.T) {
	for _, hot := range []bool{false, true} {
		t.Run(fmt.Sprintf("hot=%v", hot), func(t *testing.T) {
			ctx := context.Background()
			dir := t.TempDir()
			n := open(t, config(dir))
			c := n.client(t)
			if _, err := c.CreateSKU(ctx, client.SKUSpec{SKU: "shoe", Stock: 500, LimitPerUser: 1, Hot: hot}); err != nil {
				t.Fatal(err)
			}
			first := crowd(t, c, "shoe", "a", 3000)
			if len(first) != 500 {
				t.Fatalf("%d acceptances of 500 units", len(first))
			}
			for _, o := range first[:120] {
				if _, err := c.Cancel(ctx, o.ID, ""); err != nil {
					t.Fatal(err)
				}
			}
			if second := crowd(t, c, "shoe", "b", 1000); len(second) != 120 {
				t.Fatalf("%d acceptances of 120 cancelled units", len(second))
			}
			expire(t, c, hot)
			checkStorage(t, n, dir)
		})
	}
}

// expire sells 300 units with short holds, lets them fall due and sells exactly those again, within 100 ms of the release.
func expire(t testing.TB, c *client.Client, hot bool) {
	t.Helper()
	ctx := context.Background()
	// Longer than a crowd takes on a busy machine: the first of it must not fall due before the last has come.
	if _, err := c.CreateSKU(ctx, client.SKUSpec{SKU: "hat", Stock: 300, HoldTTLMS: 5000, Hot: hot}); err != nil {
		t.Fatal(err)
	}
	if held := crowd(t, c, "hat", "c", 600); len(held) != 300 {
		t.Fatalf("%d acceptances of 300 units", len(held))
	}
	await(t, "the holds are released", func() bool {
		a, err := c.Availability(ctx, "hat")
		return err == nil && a.Available == 300 && a.Held == 0
	})
	forLong := time.Hour.Milliseconds()
	if _, err := c.UpdateSKU(ctx, "hat", client.SKUPatch{HoldTTLMS: &forLong}); err != nil {
		t.Fatal(err)
	}
	if again := crowd(t, c, "hat", "d", 600); len(again) != 300 {
		t.Fatalf("%d acceptances of 300 released units", len(again))
	}
}

// await is the one place that waits for something to happen by looking.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(15 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// checkStorage drains the node and compares each SKU's counters with the sums of the stored orders.
func checkStorage(t testing.TB, n *Node, dir string) {
	t.Helper()
	drain(t, n)
	ctx := context.Background()
	path := filepath.Join(dir, "orders.db")
	totals, err := storage.ReadTotals(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	held := make(map[string]int64)
	for _, total := range totals {
		if total.State == "held" {
			held[total.SKU] += total.Units
		}
	}
	skus, err := storage.ReadSKUs(ctx, path)
	if err != nil || len(skus) == 0 {
		t.Fatalf("%d SKUs: %v", len(skus), err)
	}
	for _, s := range skus {
		if s.Held != held[s.SKU] || s.Stock != s.Available+s.Held+s.Sold {
			t.Errorf("storage says %+v, its orders hold %d", s, held[s.SKU])
		}
	}
}

// 100 concurrent requests with one key take one unit and get the same bytes.
func TestDuplicateClicks(t *testing.T) {
	n := open(t, config(t.TempDir()))
	defer drain(t, n)
	c := n.client(t)
	if _, err := c.CreateSKU(context.Background(), client.SKUSpec{SKU: "shoe", Stock: 10, Hot: true}); err != nil {
		t.Fatal(err)
	}
	bodies := make([][]byte, 100)
	var wg sync.WaitGroup
	for i := range bodies {
		wg.Go(func() { bodies[i] = post(t, n, `{"sku":"shoe","user":"u"}`, "click") })
	}
	wg.Wait()
	for _, b := range bodies {
		if !bytes.Equal(b, bodies[0]) || !bytes.Contains(b, []byte(`"state":"held"`)) {
			t.Fatalf("answers differ:\n%s\n%s", b, bodies[0])
		}
	}
	if a, err := c.Availability(context.Background(), "shoe"); err != nil || a.Held != 1 {
		t.Fatalf("%+v %v", a, err)
	}
}

func post(t testing.TB, n *Node, body, key string) []byte {
	req, err := http.NewRequest(http.MethodPost, "http://"+n.Addrs().HTTP+"/v1/orders", strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return nil
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusCreated {
		t.Errorf("%d %s: %v", res.StatusCode, b, err)
	}
	return b
}
