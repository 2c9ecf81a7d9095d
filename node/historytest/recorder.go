package historytest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/api/client"
)

// Recorder notes the calls of all clients that it gave out. Its methods may be called concurrently.
type Recorder struct {
	begun time.Time

	mu      sync.Mutex // guards what follows
	ops     []Op
	skus    map[string]string // by order id
	callers int
}

// NewRecorder returns a recorder without calls.
func NewRecorder() *Recorder { return &Recorder{begun: time.Now(), skus: make(map[string]string)} }

// Client is a client whose calls are noted. They return what the client's calls return.
type Client struct {
	c      *client.Client
	r      *Recorder
	caller int
}

// Client returns a client that sends through c. A call of a retrying client is one call, however often it was sent.
func (r *Recorder) Client(c *client.Client) *Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.callers++
	return &Client{c, r, r.callers - 1}
}

// PlaceOrder places an order.
func (c *Client) PlaceOrder(ctx context.Context, key string, o client.NewOrder) (client.Placed, error) {
	op := c.begin(Op{Kind: Place, SKU: o.SKU, Key: key, User: o.User, Qty: max(o.Qty, 1)})
	p, err := c.c.PlaceOrder(ctx, key, o)
	op.Answer = Shows(p.Order)
	op.Answer.Replayed = p.Replayed && p.Attempts < 2 // else the client may have been told of its own first copy
	c.end(op, err)
	return p, err
}

// Confirm records a payment.
func (c *Client) Confirm(ctx context.Context, id, payment string) (client.Order, error) {
	op := c.begin(Op{Kind: Confirm, OrderID: id, Payment: payment})
	o, err := c.c.Confirm(ctx, id, payment)
	op.Answer = Shows(o)
	c.end(op, err)
	return o, err
}

// Cancel gives an order up.
func (c *Client) Cancel(ctx context.Context, id string) (client.Order, error) {
	op := c.begin(Op{Kind: Cancel, OrderID: id})
	o, err := c.c.Cancel(ctx, id, "")
	op.Answer = Shows(o)
	c.end(op, err)
	return o, err
}

// Order reads an order.
func (c *Client) Order(ctx context.Context, id string) (client.Order, error) {
	op := c.begin(Op{Kind: ReadOrder, OrderID: id})
	o, err := c.c.Order(ctx, id)
	op.Answer = Shows(o)
	c.end(op, err)
	return o, err
}

// Outcome reads what became of a key.
func (c *Client) Outcome(ctx context.Context, sku, key string) (client.Outcome, error) {
	op := c.begin(Op{Kind: ReadOutcome, SKU: sku, Key: key})
	o, err := c.c.Outcome(ctx, sku, key)
	op.Answer = outcomeAnswer(o)
	c.end(op, err)
	return o, err
}

// Fence makes the outcome of a key definite.
func (c *Client) Fence(ctx context.Context, sku, key string) (client.Outcome, error) {
	op := c.begin(Op{Kind: Fence, SKU: sku, Key: key})
	o, err := c.c.Fence(ctx, sku, key)
	op.Answer = outcomeAnswer(o)
	c.end(op, err)
	return o, err
}

// SKU reads the counters.
func (c *Client) SKU(ctx context.Context, sku string) (client.SKU, error) {
	op := c.begin(Op{Kind: ReadSKU, SKU: sku})
	s, err := c.c.SKU(ctx, sku)
	op.Answer = Answer{Stock: s.Stock, Available: s.Available, Held: s.Held, Sold: s.Sold, Version: s.AsOfIndex}
	c.end(op, err)
	return s, err
}

// Shows returns what an order tells its caller.
func Shows(o client.Order) Answer {
	return Answer{OrderID: o.ID, State: o.State, Payment: o.PaymentID, Version: o.AsOfIndex}
}

func outcomeAnswer(o client.Outcome) Answer {
	if o.Outcome == client.Fenced || o.Order == nil {
		return Answer{State: o.Outcome}
	}
	return Shows(*o.Order)
}

func (c *Client) begin(o Op) Op {
	o.Caller, o.Call = c.caller, c.r.At(time.Now())
	return o
}

func (c *Client) end(o Op, err error) {
	o.Return = c.r.At(time.Now())
	c.r.Ended(o, err)
}

// At returns a moment as calls have it.
func (r *Recorder) At(moment time.Time) int64 { return int64(moment.Sub(r.begun)) }

// Ended notes a call that ended with an answer, or with an error of package client, which is its answer then. A call that was not executed, and a
// read without an answer, is not noted.
func (r *Recorder) Ended(o Op, err error) {
	if err != nil {
		reads := o.Kind == ReadOrder || o.Kind == ReadOutcome || o.Kind == ReadSKU
		problem, told := errors.AsType[*client.Problem](err)
		switch {
		case client.IsUnknown(err) && !reads:
			o.Return, o.Answer = Never, Answer{Code: Unknown}
		case client.IsRefused(err) && told:
			o.Answer = refusalAnswer(problem)
		default:
			return
		}
	}
	r.note(o)
}

// refusalAnswer keeps the members that the model speaks of.
func refusalAnswer(p *client.Problem) Answer {
	a := Answer{Code: p.Code, State: p.State}
	switch p.Code {
	case "insufficient_stock":
		a.Available = p.Available
	case "sold_out_pending":
		a.Held = p.Held
	case "limit_exceeded":
		a.Used = p.Used
	}
	return a
}

func (r *Recorder) note(o Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o.SKU != "" && o.Answer.OrderID != "" {
		r.skus[o.Answer.OrderID] = o.SKU
	}
	r.ops = append(r.ops, o)
}

// Histories returns the calls of each SKU; "" stands for those whose order no answer told of.
func (r *Recorder) Histories() map[string][]Op {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string][]Op)
	for _, o := range r.ops {
		if o.SKU == "" {
			o.SKU = r.skus[o.order()]
		}
		all[o.SKU] = append(all[o.SKU], o)
	}
	return all
}

// Check judges the history of every SKU; within bounds the search for each. It fails the test for a SKU that has no calls.
func (r *Recorder) Check(t testing.TB, within time.Duration, specs ...Spec) {
	t.Helper()
	all := r.Histories()
	for _, spec := range specs {
		ops := all[spec.SKU]
		delete(all, spec.SKU)
		if len(ops) == 0 {
			t.Errorf("%s has no history", spec.SKU)
			continue
		}
		began := time.Now()
		if err := Check(spec, ops, within); err != nil {
			t.Error(err)
			continue
		}
		t.Logf("%s: %s, linearizable, found in %v", spec.SKU, tally(ops), time.Since(began).Round(time.Millisecond))
	}
	for _, sku := range slices.Sorted(maps.Keys(all)) {
		t.Errorf("%d calls are of no SKU that is checked: of %q, such as %s", len(all[sku]), sku, &all[sku][0])
	}
}
