package forward

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/cluster"
	"holdfast/stock"
)

// SKUs returns up to limit SKUs of all shards whose names come after the given one, in byte order, and whether there are more. A shard that nobody
// answers for until ctx ends makes it ErrUnavailable: nothing rather than too little.
func (f *Forwarder) SKUs(ctx context.Context, after string, limit int) (skus []stock.SKU, more bool, err error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.cfg.MaxPatience)
		defer cancel()
	}
	limit = min(max(limit, 1), maxListedSKUs-1)
	missing := f.shards()
	pause := f.cfg.Pause
	for {
		changed := f.cfg.Routes.Changed()
		var part []stock.SKU
		part, missing, err = f.round(ctx, missing, after, limit+1)
		if skus = append(skus, part...); len(missing) == 0 {
			break
		}
		rest := time.NewTimer(pause)
		pause = min(2*pause, f.cfg.MaxPause)
		select {
		case <-changed:
		case <-rest.C:
		case <-ctx.Done():
			rest.Stop()
			return nil, false, refused(ErrUnavailable, err)
		case <-f.ctx.Done():
			rest.Stop()
			return nil, false, refused(ErrUnavailable, errClosed)
		}
		rest.Stop()
	}
	slices.SortFunc(skus, func(a, b stock.SKU) int { return strings.Compare(a.SKU, b.SKU) })
	if more = len(skus) > limit; more {
		skus = skus[:limit]
	}
	return skus, more, nil
}

// shards returns the shards that own partitions.
func (f *Forwarder) shards() (ids []uint32) {
	for p := range stock.Partition(stock.Partitions) {
		ids = append(ids, f.cfg.Routes.ShardOf(p))
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// round asks the leaders of some shards, each node once, and returns what they listed and the shards that are still missing, with a reason.
func (f *Forwarder) round(ctx context.Context, ids []uint32, after string, limit int) (skus []stock.SKU, missing []uint32, err error) {
	byNode := make(map[route][]uint32)
	for _, id := range ids {
		var at route
		at.node, at.address, _ = f.cfg.Routes.Leader(id)
		byNode[at] = append(byNode[at], id)
	}
	missing, err = byNode[route{}], stock.ErrNotExecuted
	delete(byNode, route{})
	var mu sync.Mutex
	var asked sync.WaitGroup
	for at, led := range byNode {
		asked.Go(func() {
			part, failed := f.list(ctx, at, listing{led, after, limit})
			mu.Lock()
			defer mu.Unlock()
			if failed != nil {
				missing, err = append(missing, led...), failed
			}
			skus = append(skus, part...)
		})
	}
	asked.Wait()
	return skus, missing, err
}

func (f *Forwarder) list(ctx context.Context, at route, l listing) ([]stock.SKU, error) {
	if at.node == f.cfg.Routes.Self() {
		return f.cfg.Local.List(ctx, l.shards, l.after, l.limit)
	}
	body, err := f.cfg.Peers.Call(ctx, at.node, at.address, cluster.Request{Kind: cluster.KindListing, Attempt: 1, Body: l.append(nil)})
	if err != nil {
		return nil, err
	}
	return readListed(body)
}

// lister answers other nodes' questions for the SKUs of shards that are led here.
type lister struct{ f *Forwarder }

var _ cluster.RequestHandler = (*lister)(nil)

// ServePeer answers a listing; one that would not be complete is refused.
func (s *lister) ServePeer(ctx context.Context, r cluster.Request) ([]byte, error) {
	l, err := readListing(r.Body)
	if err != nil {
		return nil, refused(ErrFrame, err)
	}
	skus, err := s.f.cfg.Local.List(ctx, l.shards, l.after, l.limit)
	if err != nil {
		return nil, refused(ErrUnavailable, err)
	}
	return appendListed(nil, skus)
}
