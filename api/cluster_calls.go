package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"holdfast/api/topology"
	"holdfast/stock"
)

// clusterRoutes are there when somebody answers for the cluster.
func (s *Server) clusterRoutes() []route {
	if s.cfg.Cluster == nil {
		return nil
	}
	return []route{
		at(http.MethodGet, "/v1/cluster", (*exchange).overview),
		at(http.MethodGet, "/v1/cluster/shards", (*exchange).shards),
		command(http.MethodPatch, "/v1/cluster/settings", (*exchange).changeSettings),
		command(http.MethodPost, "/v1/cluster/nodes", (*exchange).addNode),
		command(http.MethodDelete, "/v1/cluster/nodes/{node}", (*exchange).removeNode),
		command(http.MethodPost, "/v1/cluster/balance", (*exchange).balance),
		command(http.MethodDelete, "/v1/cluster/changes/{change}", (*exchange).abortChange),
		command(http.MethodPost, "/v1/cluster/shards/{shard}/transfer", (*exchange).transfer),
		command(http.MethodPost, "/v1/cluster/shards/{shard}/snapshot", (*exchange).snapshot),
		command(http.MethodPost, "/v1/cluster/shards/{shard}/rebuild", (*exchange).rebuild),
		command(http.MethodPost, "/v1/backup", (*exchange).backup),
	}
}

// overview answers GET /v1/cluster.
func (x *exchange) overview() *problem {
	var o topology.Overview
	return x.coordinate(func(ctx context.Context) (r topology.Refusal) {
		o, r = x.s.cfg.Cluster.Overview(ctx)
		return r
	}, func() *problem { return x.value(http.StatusOK, o.WithLists()) })
}

// shards answers GET /v1/cluster/shards.
func (x *exchange) shards() *problem {
	var all topology.Shards
	return x.coordinate(func(ctx context.Context) (r topology.Refusal) {
		all.Shards, r = x.s.cfg.Cluster.Shards(ctx)
		return r
	}, func() *problem { return x.value(http.StatusOK, all.WithLists()) })
}

// changeSettings answers PATCH /v1/cluster/settings.
func (x *exchange) changeSettings() *problem {
	body, p := x.body(x.s.cfg.MaxBodyBytes, false)
	if p != nil {
		return p
	}
	patch, p := decodeSettings(body)
	if p == nil {
		p = x.intend("", body)
	}
	if p != nil {
		return p
	}
	var settings topology.Settings
	return x.coordinate(func(ctx context.Context) (r topology.Refusal) {
		settings, r = x.s.cfg.Cluster.ChangeSettings(ctx, x.caller(), patch)
		return r
	}, func() *problem { return x.value(http.StatusOK, settings) })
}

// addNode answers POST /v1/cluster/nodes.
func (x *exchange) addNode() *problem {
	body, p := x.body(x.s.cfg.MaxBodyBytes, false)
	if p != nil {
		return p
	}
	n, p := decodeAddNode(body)
	if p != nil {
		return p
	}
	return x.plan(body, func(ctx context.Context, dryRun bool) (topology.Plan, topology.Refusal) {
		return x.s.cfg.Cluster.AddNode(ctx, x.caller(), n, dryRun)
	})
}

// removeNode answers DELETE /v1/cluster/nodes/{node}. What cannot be an id names no node.
func (x *exchange) removeNode() *problem {
	node := x.args[0]
	if stock.CheckText(node, 1, maxNodeIDBytes) != "" {
		return &problem{code: nodeNotFound}
	}
	return x.plan([]byte("{}"), func(ctx context.Context, dryRun bool) (topology.Plan, topology.Refusal) {
		return x.s.cfg.Cluster.RemoveNode(ctx, x.caller(), node, dryRun)
	})
}

// balance answers POST /v1/cluster/balance.
func (x *exchange) balance() *problem {
	body, p := x.nothing()
	if p != nil {
		return p
	}
	return x.plan(body, func(ctx context.Context, dryRun bool) (topology.Plan, topology.Refusal) {
		return x.s.cfg.Cluster.Balance(ctx, x.caller(), dryRun)
	})
}

// rebuild answers POST /v1/cluster/shards/{shard}/rebuild.
func (x *exchange) rebuild() *problem {
	body, p := x.body(x.s.cfg.MaxBodyBytes, false)
	if p != nil {
		return p
	}
	node, p := decodeOneText(body, rebuildShape)
	if p != nil {
		return p
	}
	shard, p := x.shardNumber()
	if p != nil {
		return p
	}
	return x.plan(body, func(ctx context.Context, dryRun bool) (topology.Plan, topology.Refusal) {
		return x.s.cfg.Cluster.Rebuild(ctx, x.caller(), shard, node, dryRun)
	})
}

// abortChange answers DELETE /v1/cluster/changes/{change}.
func (x *exchange) abortChange() *problem {
	id := x.args[0]
	if stock.CheckText(id, 1, maxNodeIDBytes) != "" {
		return &problem{code: changeNotFound}
	}
	if p := x.intend("", []byte("{}")); p != nil {
		return p
	}
	var change topology.Change
	return x.coordinate(func(ctx context.Context) (r topology.Refusal) {
		change, r = x.s.cfg.Cluster.Abort(ctx, x.caller(), id)
		return r
	}, func() *problem { return x.value(http.StatusOK, change) })
}

// transfer answers POST /v1/cluster/shards/{shard}/transfer.
func (x *exchange) transfer() *problem {
	body, p := x.body(x.s.cfg.MaxBodyBytes, true)
	if p != nil {
		return p
	}
	to, p := decodeOneText(body, transferShape)
	if p != nil {
		return p
	}
	shard, p := x.shardNumber()
	if p == nil {
		p = x.intend("", body)
	}
	if p != nil {
		return p
	}
	var led topology.Leadership
	return x.coordinate(func(ctx context.Context) (r topology.Refusal) {
		led, r = x.s.cfg.Cluster.Transfer(ctx, x.caller(), shard, to)
		return r
	}, func() *problem { return x.value(http.StatusOK, led) })
}

// snapshot answers POST /v1/cluster/shards/{shard}/snapshot.
func (x *exchange) snapshot() *problem {
	body, p := x.nothing()
	if p != nil {
		return p
	}
	shard, p := x.shardNumber()
	if p == nil {
		p = x.intend("", body)
	}
	if p != nil {
		return p
	}
	var taken topology.Snapshot
	return x.coordinate(func(ctx context.Context) (r topology.Refusal) {
		taken, r = x.s.cfg.Cluster.Snapshot(ctx, x.caller(), shard)
		return r
	}, func() *problem { return x.value(http.StatusOK, taken) })
}

// plan asks for a plan and answers with it: 202 when a change began that carries it out. A dry run changes nothing, so it is no line of the audit
// log.
func (x *exchange) plan(body []byte, ask func(ctx context.Context, dryRun bool) (topology.Plan, topology.Refusal)) *problem {
	dryRun, p := dryRunOf(x.r.URL.RawQuery)
	if p != nil {
		return p
	}
	if dryRun {
		x.audited = false
	} else if p := x.intend("", body); p != nil {
		return p
	}
	var plan topology.Plan
	return x.coordinate(func(ctx context.Context) (r topology.Refusal) {
		plan, r = ask(ctx, dryRun)
		return r
	}, func() *problem {
		if plan.Change == "" {
			return x.value(http.StatusOK, plan.WithLists())
		}
		return x.value(http.StatusAccepted, plan.WithLists())
	})
}

// coordinate asks the cluster, with the caller's deadline, and answers when it did what it was asked for.
func (x *exchange) coordinate(ask func(ctx context.Context) topology.Refusal, answer func() *problem) *problem {
	ctx, cancel := x.deadline()
	defer cancel()
	x.asked = x.s.cfg.Now()
	refused := ask(ctx)
	x.answered = x.s.cfg.Now()
	if p := clusterProblem(&refused); p != nil {
		return p
	}
	return answer()
}

// nothing reads a body that holds no member.
func (x *exchange) nothing() ([]byte, *problem) {
	body, p := x.body(x.s.cfg.MaxBodyBytes, true)
	if p == nil {
		p = decodeNothing(body)
	}
	return body, p
}

// shardNumber returns the shard that the path names. What is no number names no shard.
func (x *exchange) shardNumber() (uint32, *problem) {
	n, err := strconv.ParseUint(x.args[0], 10, 32)
	if err != nil || strconv.FormatUint(n, 10) != x.args[0] {
		return 0, &problem{code: shardNotFound}
	}
	return uint32(n), nil
}

func dryRunOf(rawQuery string) (bool, *problem) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return false, invalid("query", "is malformed")
	}
	switch values := query["dry_run"]; {
	case len(values) == 0 || len(values) == 1 && values[0] == "false":
		return false, nil
	case len(values) == 1 && values[0] == "true":
		return true, nil
	}
	return false, invalid("dry_run", "must be true or false, once")
}

// value answers with a value as JSON.
func (x *exchange) value(status int, v any) *problem {
	out := bytes.NewBuffer(x.out)
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return &problem{code: stock.Internal}
	}
	x.out = bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	x.json(status)
	return nil
}
