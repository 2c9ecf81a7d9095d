package control

import (
	"context"
	"errors"
	"testing"

	"holdfast/cluster"
	"holdfast/cluster/meta"
	"holdfast/stock"
)

// Whatever another node sends is answered, or refused as not executed; nothing of it is taken over half.
func FuzzMessages(f *testing.F) {
	seed := func(kind byte, v any) {
		b, err := meta.EncodeMessage(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(kind, b)
	}
	seed(0, &report{Version: reportVersion, Node: "n2", Incarnation: 2, Replicas: []ReplicaStatus{{Term: 1, Leader: "n2"}}})
	seed(0, &report{Version: reportVersion + 1, Node: "n2"})
	seed(0, &report{Version: reportVersion, Node: "n3"})
	seed(1, &tableQuestion{Version: 7})
	seed(2, &order{What: orderTransfer, Shard: 3})
	entry, err := meta.EncodeEntry(0, &meta.AddNode{Node: "n2", Incarnation: 2, Addresses: meta.Addresses{Peer: "n2:1"}, Binary: build()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(byte(3), entry)
	f.Add(byte(4), entry)
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		c, err := New(Config{NodeID: "n1", Incarnation: 1, ClusterID: clusterID})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // Nobody leads: commands have no outcome.
		r := cluster.Request{From: "n2", Body: body}
		serve := []handler{c.serveStatus, c.serveTable, c.serveAdmin, c.serveCommand, func(ctx context.Context, r cluster.Request) ([]byte, error) {
			return c.ServeJoin(ctx, r.From, r.Body)
		}}
		answer, err := serve[int(kind)%len(serve)](ctx, r)
		switch {
		case err != nil && !errors.Is(err, stock.ErrNotExecuted):
			t.Errorf("refused with %v", err)
		case err == nil && len(answer) == 0:
			t.Error("no answer and no error")
		}
		c.view()
		if s, ok := c.heard("n2"); ok && (s.Node != "n2" || err != nil) {
			t.Errorf("took %+v, %v", s, err)
		}
	})
}
