package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"holdfast/cluster"
	"holdfast/cluster/control"
	"holdfast/cluster/meta"
	"holdfast/stock"
	"holdfast/storage"
)

// rows answers peers that fill their databases from this node's: shard (uint32), limit (uint32), the key to go on behind.
type rows struct{ n *Node }

var _ cluster.RequestHandler = rows{}

const rowsHeadBytes = 8

func appendRowsRequest(shard uint32, limit int, after string) []byte {
	b := binary.BigEndian.AppendUint32(nil, shard)
	b = binary.BigEndian.AppendUint32(b, uint32(limit))
	return append(b, after...)
}

// ServePeer returns one page.
func (h rows) ServePeer(ctx context.Context, r cluster.Request) ([]byte, error) {
	if len(r.Body) < rowsHeadBytes {
		return nil, fmt.Errorf("%w: node: a request for rows of %d bytes", stock.ErrNotExecuted, len(r.Body))
	}
	shard, limit := binary.BigEndian.Uint32(r.Body), binary.BigEndian.Uint32(r.Body[4:])
	p, err := h.n.flusher.Rows(ctx, shard, string(r.Body[rowsHeadBytes:]), int(min(limit, storage.MaxPageRows)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", stock.ErrNotExecuted, err)
	}
	return storage.EncodePage(p), nil
}

const (
	// pageTimeout bounds one page on its way.
	pageTimeout = 10 * time.Second
	// seedPause is how long a seeding that failed rests.
	seedPause = 2 * time.Second
)

// seed has a shard's rows that are missing here filled in from the other replicas' nodes, beside everything else.
func (u *upkeep) seed(shard uint32, members meta.Group, nodes []control.NodeStatus) {
	if ended := u.seeding[shard]; ended != nil {
		select {
		case <-ended:
		default:
			return
		}
	}
	var from []string
	for _, m := range members.Members {
		if r := replicaOf(nodes, m, shard); m.Node != u.n.cfg.NodeID && r != nil && !r.Seeding {
			from = append(from, m.Node)
		}
	}
	if len(from) == 0 {
		return
	}
	// Another one is asked first each time: the database of the one before may lack the same.
	first := u.seedings[shard] % len(from)
	from = slices.Concat(from[first:], from[:first])
	u.seedings[shard]++
	ended := make(chan struct{})
	u.seeding[shard] = ended
	u.wg.Go(func() {
		defer close(ended)
		err := u.n.flusher.Seed(u.ctx, shard, u.pages(shard, from))
		if err == nil || u.ctx.Err() != nil {
			return
		}
		if !errors.Is(err, storage.ErrNoShard) {
			u.n.cfg.Logger.Warn("rows from a peer did not come to their end yet", "shard", shard, "error", err)
		}
		u.rest(seedPause)
	})
}

// pages asks the nodes in turn: another one after each that fails.
func (u *upkeep) pages(shard uint32, from []string) func(context.Context, string, int) (storage.Page, error) {
	turn := 0
	return func(ctx context.Context, after string, limit int) (p storage.Page, err error) {
		for range from {
			node := from[turn%len(from)]
			if p, err = u.page(ctx, node, shard, after, limit); err == nil {
				return p, nil
			}
			turn++
		}
		return p, err
	}
}

func (u *upkeep) page(ctx context.Context, node string, shard uint32, after string, limit int) (storage.Page, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	body, err := u.n.cluster.Peers().Call(ctx, node, u.n.control.AddressOf(node), cluster.Request{
		Kind: cluster.KindSinkRows, Body: appendRowsRequest(shard, limit, after),
	})
	if err != nil {
		return storage.Page{}, fmt.Errorf("node %s: %w", node, err)
	}
	return storage.DecodePage(body)
}
