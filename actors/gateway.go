// Step 2 of an order: Place(ctx, order). An admission token or "overloaded"; never a full mailbox.

package actors

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"holdfast/stock"
)

// Router finds the replica that answers for a partition.
type Router interface {
	// Locate returns the replica on this node that leads the partition's shard; nil when there is none.
	Locate(p stock.Partition) *Replica
	// Replicas returns all replicas on this node, in the order of their shards.
	Replicas() []*Replica
}

// Gateway takes requests from the front door to the actors and brings the answers back.
type Gateway struct {
	router   Router
	full     func() string
	draining atomic.Bool
	keys     atomic.Uint64
	prefix   string
	metrics  *metrics
}

// NewGateway returns the gateway of a node. While full names a bound (of the disk, say), every command is refused as overloaded by that bound,
// and queries are answered; nil means that nothing is ever full.
func (s *System) NewGateway(router Router, full func() string) *Gateway {
	if full == nil {
		full = func() string { return "" }
	}
	return &Gateway{router: router, full: full, prefix: "node-" + strconv.FormatUint(s.incarnation, 36) + "-", metrics: s.metrics}
}

// Drain refuses everything from now on.
func (g *Gateway) Drain() { g.draining.Store(true) }

// Do answers one request.
func (g *Gateway) Do(ctx context.Context, req stock.Request) stock.Outcome {
	return g.DoAll(ctx, []stock.Request{req})[0]
}

// DoAll answers each request by itself. Requests for one replica wait as a group, with one wake.
func (g *Gateway) DoAll(ctx context.Context, reqs []stock.Request) []stock.Outcome {
	outs := make([]stock.Outcome, len(reqs))
	if len(reqs) == 0 {
		return outs
	}
	if g.draining.Load() {
		for i := range outs {
			outs[i].Code = stock.Draining
		}
		return outs
	}
	if bound := g.full(); bound != "" {
		g.whileFull(ctx, bound, reqs, outs)
		return outs
	}
	g.route(ctx, reqs, outs)
	return outs
}

// whileFull refuses the commands of a call, each by itself, and answers its queries.
func (g *Gateway) whileFull(ctx context.Context, bound string, reqs []stock.Request, outs []stock.Outcome) {
	var queries []stock.Request
	var places []int
	for i, req := range reqs {
		if _, command := req.(stock.Command); !command {
			queries, places = append(queries, req), append(places, i)
			continue
		}
		outs[i] = stock.Outcome{Code: stock.Overloaded, Detail: &stock.Detail{Bound: bound}}
		g.metrics.overload(outs[i], 1)
	}
	if len(queries) == 0 {
		return
	}
	answers := make([]stock.Outcome, len(queries))
	g.route(ctx, queries, answers)
	for k, i := range places {
		outs[i] = answers[k]
	}
}

// route sends requests to the replicas that lead their shards.
func (g *Gateway) route(ctx context.Context, reqs []stock.Request, outs []stock.Outcome) {
	first := g.router.Locate(reqs[0].Partition())
	for i := 1; i < len(reqs); i++ {
		if !sameSKU(reqs[i-1], reqs[i]) && g.router.Locate(reqs[i].Partition()) != first {
			g.scatter(ctx, reqs, outs)
			return
		}
	}
	if first != nil {
		g.launch(ctx, first, reqs).land(ctx, outs)
		return
	}
	for i := range outs {
		outs[i].Code = stock.NoLeader
	}
}

// sameSKU reports whether two requests, or commands, are orders of one SKU, and so go the same way. No is no answer: orders of one SKU mostly come
// together, and this is cheaper than to look up each of them.
func sameSKU(a, b any) bool {
	p, ok := a.(*stock.Place)
	if !ok {
		return false
	}
	q, ok := b.(*stock.Place)
	return ok && p.SKU == q.SKU
}

// scatter sends a batch to its replicas and gathers the answers in the order of the requests.
func (g *Gateway) scatter(ctx context.Context, reqs []stock.Request, outs []stock.Outcome) {
	type share struct {
		group  *group
		places []int
		reqs   []stock.Request
	}
	shares := make(map[*Replica]*share)
	for i, req := range reqs {
		r := g.router.Locate(req.Partition())
		if r == nil {
			outs[i].Code = stock.NoLeader
			continue
		}
		if shares[r] == nil {
			shares[r] = &share{}
		}
		shares[r].places = append(shares[r].places, i)
		shares[r].reqs = append(shares[r].reqs, req)
	}
	for r, s := range shares {
		s.group = g.launch(ctx, r, s.reqs)
	}
	for _, s := range shares {
		part := make([]stock.Outcome, len(s.places))
		s.group.land(ctx, part)
		for k, i := range s.places {
			outs[i] = part[k]
		}
	}
}

// launch hands requests to the actors, as far as the replica's tokens go.
func (g *Gateway) launch(ctx context.Context, r *Replica, reqs []stock.Request) *group {
	n := r.acquire(len(reqs))
	if over := len(reqs) - n; over > 0 {
		g.metrics.overloaded[boundPending].Add(float64(over))
	}
	deadline := r.deadline(ctx)
	for _, req := range reqs[:n] {
		g.stamp(req, deadline)
	}
	sent := newGroup(r, reqs[:n])
	r.dispatch(sent.requests)
	return sent
}

// dispatch sends requests to the actors of their SKUs, those for one actor as one message, in their order.
func (r *Replica) dispatch(requests []pending) {
	if len(requests) == 1 {
		r.system.Root.Send(r.directory.target(requests[0].flight.Req), &requests[0])
		return
	}
	bundles := make(map[*actor.PID]*bundle, 1)
	var b *bundle
	for i := range requests {
		p := &requests[i]
		if i == 0 || !sameSKU(requests[i-1].flight.Req, p.flight.Req) {
			pid := r.directory.target(p.flight.Req)
			if b = bundles[pid]; b == nil {
				b = &bundle{}
				if len(bundles) == 0 { // mostly the only one
					b.requests = make([]*pending, 0, len(requests))
				}
				bundles[pid] = b
			}
		}
		b.requests = append(b.requests, p)
	}
	for pid, b := range bundles {
		r.system.Root.Send(pid, b)
	}
}

// land waits for the answers.
func (g *group) land(ctx context.Context, outs []stock.Outcome) {
	n := len(g.requests)
	if n > 0 {
		g.wait(ctx, outs[:n])
	}
	for i := range outs[n:] {
		outs[n+i] = stock.Outcome{Code: stock.Overloaded, Detail: &stock.Detail{Bound: boundPending}}
	}
}

// acquire takes up to n admission tokens.
func (r *Replica) acquire(n int) int {
	for {
		used := r.tokens.Load()
		free := min(int64(n), int64(r.cfg.MaxTokens)-used)
		if free <= 0 {
			return 0
		}
		if r.tokens.CompareAndSwap(used, used+free) {
			return int(free)
		}
	}
}

// deadline returns the caller's deadline by the leader's clock, zero for none.
func (r *Replica) deadline(ctx context.Context) stock.Time {
	d, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return r.clock.now().Add(time.Until(d).Milliseconds() + 1)
}

// stamp gives a command its deadline, and a key when its caller has none to give (rule R5). What the first node of a forwarded command gave it stays:
// all its copies are one command (rule R4).
func (g *Gateway) stamp(req stock.Request, deadline stock.Time) {
	c, ok := req.(stock.Command)
	if !ok {
		return
	}
	m := c.Head()
	if m.Deadline == 0 {
		m.Deadline = deadline
	}
	if m.Key == "" {
		m.Key = g.prefix + strconv.FormatUint(g.keys.Add(1), 36)
	}
}

// SKUs returns up to limit SKUs whose names come after the given one, in byte order, and whether there are more.
func (g *Gateway) SKUs(ctx context.Context, after string, limit int) (skus []stock.SKU, more bool, err error) {
	names, err := g.names(after, limit+1)
	if err != nil {
		return nil, false, err
	}
	if more = len(names) > limit; more {
		names = names[:limit]
	}
	reqs := make([]stock.Request, len(names))
	for i, name := range names {
		reqs[i] = &stock.GetSKU{SKU: name}
	}
	for _, out := range g.DoAll(ctx, reqs) {
		if out.Code != stock.OK {
			return nil, false, ErrUnavailable
		}
		skus = append(skus, *out.SKU)
	}
	return skus, more, nil
}

// names lists nothing rather than too little: a shard that has not opened has not applied all of its log.
func (g *Gateway) names(after string, limit int) (names []string, err error) {
	for _, r := range g.router.Replicas() {
		if r.Term() == 0 {
			return nil, fmt.Errorf("%w: shard %d has not opened", ErrUnavailable, r.shard)
		}
		names = append(names, r.directory.names(after, limit)...)
	}
	sort.Strings(names)
	return names[:min(limit, len(names))], nil
}

// Leads reports whether a partition's shard is led here, with admission open.
func (g *Gateway) Leads(p stock.Partition) bool { return g.router.Locate(p) != nil }

// Clock returns the clock of the replica here that leads a partition's shard; false when none does.
func (g *Gateway) Clock(p stock.Partition) (stock.Time, bool) {
	if r := g.router.Locate(p); r != nil {
		return r.clock.now(), true
	}
	return 0, false
}

// List returns up to limit SKUs of some shards whose names come after the given one, in byte order. It returns ErrUnavailable unless each of the
// shards is led here from before the names are read until after they are known to be all: a SKU that cannot exist is asked for in each, and that
// there is none rests on the same check as any refusal.
func (g *Gateway) List(ctx context.Context, shards []uint32, after string, limit int) ([]stock.SKU, error) {
	terms := make(map[*Replica]uint64, len(shards))
	var names []string
	for _, r := range g.router.Replicas() {
		if term := r.Term(); term != 0 && slices.Contains(shards, r.shard) {
			terms[r] = term
			names = append(names, r.directory.names(after, limit)...)
		}
	}
	if len(terms) != len(shards) {
		return nil, fmt.Errorf("%w: %d of %d shards are led here", ErrUnavailable, len(terms), len(shards))
	}
	sort.Strings(names)
	names = names[:min(limit, len(names))]
	reqs := make([]stock.Request, 0, len(names)+len(terms))
	for _, name := range names {
		reqs = append(reqs, &stock.GetSKU{SKU: name})
	}
	for r := range terms {
		reqs = append(reqs, &stock.GetSKU{SKU: nameless(r.cfg.Init.Partitions)})
	}
	outs := g.DoAll(ctx, reqs)
	for r, term := range terms {
		if r.Term() != term {
			return nil, fmt.Errorf("%w: shard %d has another leader", ErrUnavailable, r.shard)
		}
	}
	return listed(outs, len(names))
}

// listed takes the SKUs out of the answers to a listing, of which the first n are about names that exist.
func listed(outs []stock.Outcome, n int) ([]stock.SKU, error) {
	skus := make([]stock.SKU, n)
	for i, out := range outs {
		switch {
		case i < n && out.Code == stock.OK:
			skus[i] = *out.SKU
		case i < n || out.Code != stock.SKUNotFound:
			return nil, fmt.Errorf("%w: %v", ErrUnavailable, out.Code)
		}
	}
	return skus, nil
}

// nameless returns a name in one of a shard's partitions that no SKU can have.
func nameless(partitions []stock.Partition) string {
	for i := uint64(0); ; i++ {
		name := "\x00" + strconv.FormatUint(i, 36)
		if len(partitions) == 0 || slices.Contains(partitions, stock.PartitionOf(name)) {
			return name
		}
	}
}

// Pending returns how many requests are in the actors' hands.
func (g *Gateway) Pending() (n int64) {
	for _, r := range g.router.Replicas() {
		n += r.tokens.Load()
	}
	return n
}
