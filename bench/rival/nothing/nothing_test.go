package nothing_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"holdfast/api/client"
	"holdfast/bench/rival/nothing"
	"holdfast/bench/sale"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// placer asks with our own client.
type placer struct{ c *client.Client }

func (p placer) Place(ctx context.Context, orders []sale.Order, answers []sale.Answer) {
	for i, o := range orders {
		_, err := p.c.PlaceOrder(ctx, o.Key, client.NewOrder{SKU: o.SKU, User: o.User, Qty: o.Qty})
		answers[i] = sale.Answer{Verdict: sale.Unknown, Reason: client.CodeOf(err)}
		if client.IsRefused(err) {
			answers[i].Verdict = sale.Refused
		}
	}
}

func (p placer) Close() error {
	p.c.Close()
	return nil
}

func TestRefusesAll(t *testing.T) {
	target, err := nothing.Open(func(address string) (nothing.Placer, error) {
		c, err := client.New(client.Config{Addr: address})
		return placer{c}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Create(t.Context(), []sale.SKU{{Name: "shoe", Stock: 5}}); err != nil {
		t.Fatal(err)
	}
	answers := make([]sale.Answer, 2)
	target.Place(t.Context(), []sale.Order{{Key: "a", SKU: "shoe", User: "ann", Qty: 1}, {Key: "b", SKU: "shoe", User: "bob", Qty: 1}}, answers)
	for _, a := range answers {
		if a != (sale.Answer{Verdict: sale.Refused, Reason: "ended"}) {
			t.Errorf("%+v", a)
		}
	}
	if c, err := target.Counters(t.Context(), "shoe"); err != nil || c != (sale.Counters{Stock: 5, Available: 5}) {
		t.Errorf("%+v, %v", c, err)
	}
	if err := target.Close(); err != nil {
		t.Error(err)
	}
}
