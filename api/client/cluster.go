package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"holdfast/api/topology"
)

// Cluster returns the cluster as the node knows it.
func (c *Client) Cluster(ctx context.Context) (topology.Overview, error) {
	var o topology.Overview
	_, err := c.do(ctx, call{method: http.MethodGet, base: c.admin, path: "/v1/cluster"}, &o)
	return o, err
}

// Shards returns the data shards by number.
func (c *Client) Shards(ctx context.Context) ([]topology.Shard, error) {
	var all topology.Shards
	_, err := c.do(ctx, call{method: http.MethodGet, base: c.admin, path: "/v1/cluster/shards"}, &all)
	return all.Shards, err
}

// AddNode adds a node to the cluster. A dry run only plans.
func (c *Client) AddNode(ctx context.Context, n topology.NewNode, dryRun bool) (topology.Plan, error) {
	return c.plan(ctx, call{method: http.MethodPost, path: "/v1/cluster/nodes", body: n}, dryRun)
}

// RemoveNode moves a node's replicas elsewhere and forgets it.
func (c *Client) RemoveNode(ctx context.Context, node string, dryRun bool) (topology.Plan, error) {
	return c.plan(ctx, call{method: http.MethodDelete, path: "/v1/cluster/nodes/" + url.PathEscape(node)}, dryRun)
}

// Balance evens out replicas and leaderships.
func (c *Client) Balance(ctx context.Context, dryRun bool) (topology.Plan, error) {
	return c.plan(ctx, call{method: http.MethodPost, path: "/v1/cluster/balance"}, dryRun)
}

// Rebuild replaces a shard's replica on a node by a new one.
func (c *Client) Rebuild(ctx context.Context, shard uint32, node string, dryRun bool) (topology.Plan, error) {
	return c.plan(ctx, call{method: http.MethodPost, path: shardPath(shard, "rebuild"), body: map[string]string{"node": node}}, dryRun)
}

// AbortChange stops a change where it is.
func (c *Client) AbortChange(ctx context.Context, change string) (topology.Change, error) {
	var stopped topology.Change
	_, err := c.do(ctx, call{method: http.MethodDelete, base: c.admin, path: "/v1/cluster/changes/" + url.PathEscape(change)}, &stopped)
	return stopped, err
}

// Transfer hands a shard's leadership to a node, "" for the one that suits best.
func (c *Client) Transfer(ctx context.Context, shard uint32, to string) (topology.Leadership, error) {
	k := call{method: http.MethodPost, base: c.admin, path: shardPath(shard, "transfer")}
	if to != "" {
		k.body = map[string]string{"to": to}
	}
	var led topology.Leadership
	_, err := c.do(ctx, k, &led)
	return led, err
}

// Snapshot has the shard's leader take a snapshot.
func (c *Client) Snapshot(ctx context.Context, shard uint32) (topology.Snapshot, error) {
	var taken topology.Snapshot
	_, err := c.do(ctx, call{method: http.MethodPost, base: c.admin, path: shardPath(shard, "snapshot")}, &taken)
	return taken, err
}

// UpdateSettings changes settings of all shards and returns them all.
func (c *Client) UpdateSettings(ctx context.Context, patch topology.SettingsPatch) (topology.Settings, error) {
	var settings topology.Settings
	_, err := c.do(ctx, call{method: http.MethodPatch, base: c.admin, path: "/v1/cluster/settings", body: patch}, &settings)
	return settings, err
}

// Backup writes a backup of all shards, a tar, and returns its length. It must begin within the client's Timeout; then it takes as long as it takes,
// or until the context ends. What was written before an error is no backup.
func (c *Client) Backup(ctx context.Context, to io.Writer) (int64, error) {
	k := call{method: http.MethodPost, base: c.admin, path: "/v1/backup"}
	if k.base == "" {
		return 0, &NoAnswer{Err: fmt.Errorf("%w: none was given for %s %s", ErrAddr, k.method, k.path)}
	}
	req, err := k.request(ctx, nil, false)
	if err != nil {
		return 0, err
	}
	req.Header["Request-Timeout-Ms"] = []string{serverTimeout(c.timeout)}
	if c.authorization != "" {
		req.Header["Authorization"] = []string{c.authorization}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, &NoAnswer{Sent: !IsUnreachable(err), Err: err}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(resp.Body, maxReplyBytes))
		if err != nil {
			return 0, &NoAnswer{Sent: true, Err: fmt.Errorf("client: read the answer to %s %s: %w", k.method, k.path, err)}
		}
		return 0, problemOf(resp.StatusCode, resp.Header, text)
	}
	n, err := io.Copy(to, resp.Body)
	if err != nil {
		return n, fmt.Errorf("client: the backup broke off after %d bytes: %w", n, err)
	}
	return n, nil
}

func (c *Client) plan(ctx context.Context, k call, dryRun bool) (topology.Plan, error) {
	k.base = c.admin
	if dryRun {
		k.path += "?dry_run=true"
	}
	var p topology.Plan
	_, err := c.do(ctx, k, &p)
	return p, err
}

func shardPath(shard uint32, what string) string {
	return "/v1/cluster/shards/" + strconv.FormatUint(uint64(shard), 10) + "/" + what
}
