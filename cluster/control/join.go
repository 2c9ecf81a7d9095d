package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"holdfast/cluster/meta"
	"holdfast/stock"
)

// JoinConfig says who asks its way in, and whom.
type JoinConfig struct {
	NodeID      string
	Incarnation uint64
	// ClusterID is what the data directory says; zero for an empty one.
	ClusterID [16]byte
	meta.Addresses
	meta.Binary
	// Ask sends a question to whoever is at an address; cluster.AskToJoin does.
	Ask func(ctx context.Context, address string, body []byte) ([]byte, error)
	// Among are the peer addresses that are tried in turn.
	Among []string
	// Timeout is how long. Default 60 s.
	Timeout time.Duration
	// Retry is the pause after all were tried. Default 500 ms.
	Retry time.Duration
	// Attempt bounds one question. Default 10 s.
	Attempt time.Duration
	// Now is the wall clock. Default: time.Now.
	Now func() time.Time
	// Logger takes the log. Default: none.
	Logger *slog.Logger
}

// Welcome is what a node learns of the cluster that took it.
type Welcome struct {
	ClusterID [16]byte
	Epoch     uint16
	// Shards is the number of data shards.
	Shards int
	Table  *meta.Cluster
}

// joinAnswer is the answer to a node that asks its way in.
type joinAnswer struct {
	Outcome meta.Outcome
	Table   *meta.Cluster
}

// Join asks the addresses in turn to take the node in until one does. It returns a *Refusal when the cluster says no for good, and ErrNobodyToJoin
// when nobody answered in time. The same node may ask again: it is taken once.
func Join(ctx context.Context, cfg JoinConfig) (Welcome, error) {
	orDefault(&cfg.Timeout, time.Minute)
	orDefault(&cfg.Retry, 500*time.Millisecond)
	orDefault(&cfg.Attempt, 10*time.Second)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	last, told := errors.New("no address was given"), make(map[string]string)
	for len(cfg.Among) > 0 {
		for _, address := range cfg.Among {
			w, err := cfg.try(ctx, address)
			if err == nil || final(err) {
				return w, err
			}
			if ctx.Err() == nil {
				last = fmt.Errorf("%s: %w", address, err)
				if text := err.Error(); told[address] != text {
					told[address] = text
					cfg.Logger.Warn("not joined yet: it is tried again", "address", address, "at_most", cfg.Timeout.String(), "error", Plain(err))
				}
			}
		}
		timer := time.NewTimer(cfg.Retry)
		select {
		case <-timer.C:
			continue
		case <-ctx.Done():
			timer.Stop()
		}
		break
	}
	return Welcome{}, fmt.Errorf("%w: %w", ErrNobodyToJoin, last)
}

// final reports whether asking again would get the same answer. A cluster that is only being created will be one in a moment.
func final(err error) bool {
	var refusal *Refusal
	return errors.As(err, &refusal) && refusal.Outcome.Code != meta.NotCreated && !refusal.Outcome.Code.Retryable()
}

// try asks one address.
func (cfg *JoinConfig) try(ctx context.Context, address string) (Welcome, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.Attempt)
	defer cancel()
	body, err := meta.EncodeEntry(0, &meta.AddNode{
		ClusterID: cfg.ClusterID, Node: cfg.NodeID, Incarnation: cfg.Incarnation, Addresses: cfg.Addresses, Binary: cfg.Binary,
	})
	if err != nil {
		return Welcome{}, &Refusal{Outcome: meta.Outcome{Code: meta.InvalidValue, Detail: meta.Detail{Field: "node", Reason: err.Error()}}}
	}
	answer, err := cfg.Ask(ctx, address, body)
	if err != nil {
		return Welcome{}, err
	}
	var a joinAnswer
	if err := meta.DecodeMessage(answer, &a); err != nil {
		return Welcome{}, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if a.Outcome.Code != meta.OK {
		return Welcome{}, &Refusal{Outcome: a.Outcome}
	}
	if a.Table == nil || a.Table.Node(cfg.NodeID) == nil {
		return Welcome{}, fmt.Errorf("%w: a welcome without the table", ErrMessage)
	}
	return Welcome{ClusterID: a.Table.ID, Epoch: a.Table.Epoch, Shards: len(a.Table.Shards) - 1, Table: a.Table}, nil
}

// ServeJoin answers a node that asks its way in: it is put to the meta group wherever that is led. It has the form of a cluster.JoinHandler.
func (c *Control) ServeJoin(ctx context.Context, node string, body []byte) ([]byte, error) {
	_, cmd, err := meta.DecodeEntry(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w: %w", stock.ErrNotExecuted, ErrMessage, err)
	}
	add, ok := cmd.(*meta.AddNode)
	if !ok || add.Node != node {
		return nil, fmt.Errorf("%w: %w: node %q asks for another", stock.ErrNotExecuted, ErrMessage, node)
	}
	if who := nowhere(c.Cluster()); who != "" {
		return nil, fmt.Errorf("%w: %w: %s", stock.ErrNotExecuted, ErrNowhere, who)
	}
	add.Keyed = meta.Keyed{} // The key is this node's to make; the incarnation says whether it is the same node.
	out, err := c.Do(ctx, add)
	if err != nil {
		return nil, err
	}
	a := joinAnswer{Outcome: out}
	if out.Code == meta.OK {
		c.cfg.Logger.Info("a node joined", "node", node, "peer", add.Peer, "again", out.Replayed)
		if a.Table, err = c.tableWith(ctx, node); err != nil {
			return nil, err
		}
	}
	return meta.EncodeMessage(&a)
}

// nowhere names a node whose peer address is every address of its machine, "" when there is none.
func nowhere(table *meta.Cluster) string {
	for i := range table.Nodes {
		host, _, err := net.SplitHostPort(table.Nodes[i].Peer)
		if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
			return table.Nodes[i].ID + " at " + table.Nodes[i].Peer
		}
	}
	return ""
}

// tableWith waits until this node's table knows a node that was added.
func (c *Control) tableWith(ctx context.Context, node string) (*meta.Cluster, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	for {
		changed := c.Changed()
		if table := c.Cluster(); table.Node(node) != nil {
			return table, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", stock.ErrUnknown, ctx.Err())
		case <-c.ctx.Done():
			return nil, fmt.Errorf("%w: %w", stock.ErrUnknown, ErrClosed)
		}
	}
}
