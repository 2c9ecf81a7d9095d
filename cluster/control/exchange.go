package control

import (
	"context"
	"fmt"
	"time"

	"holdfast/cluster"
	"holdfast/cluster/meta"
	"holdfast/cluster/placement"
	"holdfast/stock"
)

// peer is what this node knows of another one.
type peer struct {
	status NodeStatus
	// asking says that a question is under way, again that it carries old news: another is to follow at once.
	asking, again bool
	// tries holds the newest measurements of its clock; the one with the smallest error counts.
	tries []clockTry
	// ahead is since when it is known to have a newer table; zero: it has none.
	ahead time.Time
}

// clockTry is one measurement of another clock.
type clockTry struct {
	at         time.Time
	offset, by time.Duration
}

// ask exchanges statuses with every other node, each in a goroutine of its own; one that is being asked is not asked twice, but with news once more
// after that.
func (c *Control) ask(news bool) {
	table := c.Cluster()
	if !table.Created() {
		for _, address := range c.cfg.Seeds {
			c.begin(func() { c.askTable(c.ctx, "", address) })
		}
		return
	}
	for i := range table.Nodes {
		if id := table.Nodes[i].ID; id != c.cfg.NodeID && c.startAsking(id, news) {
			c.begin(func() { c.exchange(c.ctx, id) })
		}
	}
}

// startAsking reserves the right to ask a node.
func (c *Control) startAsking(node string, news bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.peerLocked(node)
	if p.asking {
		p.again = p.again || news
		return false
	}
	p.asking = true
	return true
}

// stopAsking gives it back, unless news came meanwhile.
func (c *Control) stopAsking(node string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.peerLocked(node)
	p.asking, p.again = p.again && c.ctx.Err() == nil, false
	return !p.asking
}

// exchange tells a node this one's status and takes its own, again while there are news. The caller has started it.
func (c *Control) exchange(ctx context.Context, node string) {
	for stopped := false; !stopped; stopped = c.stopAsking(node) {
		result := "done"
		if err := c.exchanged(ctx, node); err != nil {
			result = "failed"
			c.cfg.Logger.Debug("no status from a node", "node", node, "error", err)
		}
		c.metrics.exchanges.WithLabelValues(result).Inc()
	}
}

// hear asks a node for its status now, unless it is this one.
func (c *Control) hear(ctx context.Context, node string) {
	if node == c.cfg.NodeID || ctx.Err() != nil {
		return
	}
	if err := c.exchanged(ctx, node); err != nil {
		c.cfg.Logger.Debug("no status from a node", "node", node, "error", err)
	}
}

func (c *Control) exchanged(ctx context.Context, node string) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.ExchangeTimeout)
	defer cancel()
	body, err := meta.EncodeMessage(c.report())
	if err != nil {
		return err
	}
	sent := c.cfg.Now()
	answer, err := c.call(ctx, node, c.AddressOf(node), cluster.Request{Kind: cluster.KindStatus, Body: body})
	if err != nil {
		return err
	}
	came := c.cfg.Now()
	r, err := readReport(node, answer)
	if err != nil {
		return err
	}
	took := came.Sub(sent)
	middle := sent.Add(took / 2)
	c.took(r, &clockTry{at: came, offset: time.Unix(0, r.WallNS).Sub(middle), by: took/2 + time.Millisecond})
	if c.behind(r) {
		c.askTable(ctx, node, c.AddressOf(node))
	}
	return nil
}

// readReport reads a status that a node sent.
func readReport(from string, body []byte) (*report, error) {
	var r report
	if err := meta.DecodeMessage(body, &r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if r.Version != reportVersion || r.Node != from || len(r.Replicas) > placement.MaxShards+1 {
		return nil, fmt.Errorf("%w: status version %d of %q from %q", ErrMessage, r.Version, r.Node, from)
	}
	return &r, nil
}

// serveStatus answers a node that exchanges statuses.
func (c *Control) serveStatus(_ context.Context, r cluster.Request) ([]byte, error) {
	theirs, err := readReport(r.From, r.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", stock.ErrNotExecuted, err)
	}
	c.took(theirs, nil)
	return meta.EncodeMessage(c.report())
}

// took notes a status. What a node says by itself counts as an answer, but for the clock, which needs both ends of a journey.
func (c *Control) took(r *report, try *clockTry) {
	now := c.cfg.Now()
	table := c.Cluster()
	known := table.Node(r.Node)
	if table.Created() && known == nil || r.Node == c.cfg.NodeID {
		return // It left, or is not in yet: whoever asks for the table gets it all the same.
	}
	if known != nil && known.Incarnation != r.Incarnation {
		c.cfg.Logger.Warn("a node answers under another's name", "node", r.Node)
		return
	}
	c.mu.Lock()
	p := c.peerLocked(r.Node)
	news := !p.status.Reachable || p.status.Addresses != r.Addresses || differs(p.status.Replicas, r.Replicas)
	if p.status.Heard.IsZero() || !p.status.Reachable {
		c.activeUntil = now.Add(activeFor)
	}
	s := &p.status
	s.Incarnation, s.Addresses, s.Binary, s.TableVersion = r.Incarnation, r.Addresses, r.Binary, r.TableVersion
	s.Heard, s.Reachable, s.Replicas = now, true, r.Replicas
	if try != nil {
		p.measured(*try, c.cfg.ClockAge)
	}
	c.mu.Unlock()
	if news {
		c.moved()
	}
}

// activeFor is how long statuses are exchanged often after something happened.
const activeFor = 5 * time.Second

// differs reports whether replicas lead elsewhere, or are others, than before.
func differs(was, now []ReplicaStatus) bool {
	if len(was) != len(now) {
		return true
	}
	for i := range was {
		a, b := &was[i], &now[i]
		if a.Shard != b.Shard || a.Leader != b.Leader || a.Term != b.Term || a.Config != b.Config || a.Number != b.Number ||
			a.Down != b.Down || a.Seeding != b.Seeding || a.RetentionMS != b.RetentionMS || a.MaxOpenOrders != b.MaxOpenOrders {
			return true
		}
	}
	return false
}

// measured notes a measurement of the node's clock. The one with the smallest error of the last ones counts.
func (p *peer) measured(try clockTry, age time.Duration) {
	const most = 8
	kept := p.tries[:0]
	for _, t := range p.tries {
		if d := try.at.Sub(t.at); d >= 0 && d <= age {
			kept = append(kept, t)
		}
	}
	if len(kept) >= most {
		kept = kept[1:]
	}
	p.tries = append(kept, try)
	best := p.tries[0]
	for _, t := range p.tries {
		if t.by <= best.by {
			best = t
		}
	}
	p.status.Clock, p.status.ClockError, p.status.ClockAt = best.offset, best.by, try.at
}

// behind reports whether a node has a newer table that the log does not bring here by itself: there is no replica of the meta group, or it trails.
func (c *Control) behind(r *report) bool {
	newer := r.TableVersion > c.Cluster().Version
	m := c.machine.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.peerLocked(r.Node)
	if !newer {
		p.ahead = time.Time{}
		return false
	}
	now := c.cfg.Now()
	if p.ahead.IsZero() {
		p.ahead = now
	}
	return m == nil || now.Sub(p.ahead) >= c.cfg.IdleExchange
}

// tableQuestion asks for a table that is newer than what is known; tableAnswer holds none when there is none.
type (
	tableQuestion struct{ Version uint64 }
	tableAnswer   struct{ Table *meta.Cluster }
)

// askTable asks a node, or whoever is at an address, for its table.
func (c *Control) askTable(ctx context.Context, node, address string) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.ExchangeTimeout)
	defer cancel()
	body, err := meta.EncodeMessage(&tableQuestion{Version: c.Cluster().Version})
	if err != nil {
		return
	}
	answer, err := c.call(ctx, node, address, cluster.Request{Kind: cluster.KindMetaState, Body: body})
	var a tableAnswer
	if err == nil {
		err = meta.DecodeMessage(answer, &a)
	}
	if err != nil {
		c.cfg.Logger.Debug("no table from a node", "node", node, "address", address, "error", err)
		return
	}
	c.learn(a.Table)
}

// learn takes over a table that is newer than what is known.
func (c *Control) learn(table *meta.Cluster) {
	if table == nil || table.ID != c.cfg.ClusterID {
		return
	}
	for {
		was := c.fetched.Load()
		if was != nil && table.Version <= was.Version {
			return
		}
		if c.fetched.CompareAndSwap(was, table) {
			c.moved()
			return
		}
	}
}

// serveTable answers with the newest table.
func (c *Control) serveTable(_ context.Context, r cluster.Request) ([]byte, error) {
	var q tableQuestion
	if err := meta.DecodeMessage(r.Body, &q); err != nil {
		return nil, fmt.Errorf("%w: %w: %w", stock.ErrNotExecuted, ErrMessage, err)
	}
	a := tableAnswer{}
	if table := c.Cluster(); table.Created() && table.Version > q.Version {
		a.Table = table
	}
	return meta.EncodeMessage(&a)
}

// call asks another node.
func (c *Control) call(ctx context.Context, node, address string, r cluster.Request) ([]byte, error) {
	g := c.groups()
	if g == nil || address == "" {
		return nil, fmt.Errorf("%w: %w: no address of node %q", stock.ErrNotExecuted, ErrNoTable, node)
	}
	return g.Peers().Call(ctx, node, address, r)
}
