package actors

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/stock"
)

// What the gateway does for requests that other nodes send on.

// A command keeps the deadline and the key that its first node gave it: all its copies are one command.
func TestForwardedCommandsKeepTheirHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		defer n.close()
		n.must(spec("shoe", 10, false))
		now, leads := n.gateway.Clock(stock.PartitionOf("shoe"))
		if !leads || !n.gateway.Leads(stock.PartitionOf("shoe")) {
			t.Fatal("it does not lead")
		}
		first := &stock.Freeze{Meta: stock.Meta{Key: "made-there", Deadline: now.Add(77_000)}, SKU: "shoe", Frozen: true}
		want(t, "freeze", n.within(time.Second, first), stock.OK)
		late := &stock.Freeze{Meta: stock.Meta{Key: "late", Deadline: now}, SKU: "shoe"}
		want(t, "late", n.within(time.Second, late), stock.DeadlineExceeded)
		if first.Key != "made-there" || first.Deadline != now.Add(77_000) || late.Deadline != now {
			t.Errorf("%+v and %+v", first.Meta, late.Meta)
		}
	})
}

// A listing of some shards is theirs alone and complete, or an error.
func TestListIsCompleteOrNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		defer n.close()
		list := func(shards []uint32, after string) (string, error) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			skus, err := n.gateway.List(ctx, shards, after, 2)
			names := ""
			for _, k := range skus {
				names += k.SKU + " "
			}
			return names, err
		}
		if names, err := list([]uint32{1}, ""); names != "" || err != nil {
			t.Errorf("of nothing: %q, %v", names, err)
		}
		for i := range 3 {
			n.must(spec(fmt.Sprintf("shoe-%d", i), 10, i == 1))
		}
		for after, want := range map[string]string{"": "shoe-0 shoe-1 ", "shoe-0": "shoe-1 shoe-2 ", "shoe-2": ""} {
			if names, err := list([]uint32{1}, after); names != want || err != nil {
				t.Errorf("after %q: %q, %v, want %q", after, names, err, want)
			}
		}
		if _, err := list([]uint32{1, 2}, ""); !errors.Is(err, ErrUnavailable) {
			t.Errorf("with a shard that is not here: %v", err)
		}
		if names, err := list(nil, ""); names != "" || err != nil {
			t.Errorf("of no shards: %q, %v", names, err)
		}
		n.replica.Follow(1)
		n.eventually("the replica closes", func() bool { return n.replica.Term() == 0 })
		if _, err := list([]uint32{1}, ""); !errors.Is(err, ErrUnavailable) {
			t.Errorf("while nobody leads: %v", err)
		}
		if _, leads := n.gateway.Clock(0); leads || n.gateway.Leads(0) {
			t.Error("it leads")
		}
	})
}

func TestNamelessIsNoName(t *testing.T) {
	for p := range stock.Partition(stock.Partitions) {
		name := nameless([]stock.Partition{p})
		if stock.PartitionOf(name) != p || stock.CheckSKU(name) == "" || len(name) > stock.MaxNameBytes {
			t.Fatalf("%q in partition %d", name, p)
		}
	}
}
