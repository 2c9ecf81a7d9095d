package api

import (
	"net/http"

	"holdfast/api/openapi"
	"holdfast/api/topology"
	"holdfast/stock"
)

const tagCluster = "cluster"

// Groups of refusals of calls on the cluster.
var (
	// seeingCodes are what a look at the cluster may be refused with, changingCodes a change of it.
	seeingCodes   = []stock.Code{stock.NoLeader, stock.DeadlineExceeded}
	changingCodes = []stock.Code{stock.InvalidState, stock.Overloaded, stock.NoLeader, stock.Draining, stock.DeadlineExceeded, stock.OutcomeUnknown}
)

var dryRunParameter = &openapi.Parameter{Name: "dry_run", In: "query", Description: "true: only the plan.",
	Schema: &openapi.Schema{Type: "boolean", Default: false}}

// clusterCalls is what is said of the calls on the cluster.
var clusterCalls = map[string]*call{
	"GET /v1/cluster": {id: "getCluster", tag: tagCluster, summary: "See the cluster and its nodes", heading: "GET /v1/cluster", codes: seeingCodes,
		answers: []success{{status: 200, about: "As the node knows it.", schema: "Cluster", example: exampleCluster}}},
	"GET /v1/cluster/shards": {id: "getShards", tag: tagCluster, summary: "See the shards and their replicas", heading: "GET /v1/cluster/shards",
		codes: seeingCodes, answers: []success{{status: 200, about: "The data shards, by number.", schema: "Shards"}}},
	"PATCH /v1/cluster/settings": {id: "updateSettings", tag: tagCluster, summary: "Change settings of the whole cluster",
		heading: "PATCH /v1/cluster/settings", body: settingsShape, example: exampleSettings, codes: changingCodes,
		answers: []success{{status: 200, about: "Every shard has them.", schema: "Settings", example: exampleSettingsNow}}},
	"POST /v1/cluster/nodes": planning(call{id: "addNode", summary: "Add a node", heading: "POST /v1/cluster/nodes", body: addNodeShape,
		example: exampleAddNode}, examplePlanned),
	"DELETE /v1/cluster/nodes/{node}": planning(call{id: "removeNode", summary: "Remove a node", heading: "DELETE /v1/cluster/nodes/{id}",
		codes: []stock.Code{nodeNotFound}}, exampleRemoving),
	"POST /v1/cluster/balance": planning(call{id: "balance", summary: "Even out replicas and leaderships", heading: "POST /v1/cluster/balance",
		body: nothingShape, bodyless: true}, exampleBalancing),
	"POST /v1/cluster/shards/{shard}/rebuild": planning(call{id: "rebuildReplica", summary: "Build a replica anew from the others",
		heading: "POST /v1/cluster/shards/{n}/rebuild", body: rebuildShape, example: exampleRebuild, codes: []stock.Code{shardNotFound, nodeNotFound}},
		exampleRebuilding),
	"DELETE /v1/cluster/changes/{change}": {id: "abortChange", tag: tagCluster, summary: "Stop a change where it is",
		heading: "DELETE /v1/cluster/changes/{id}", codes: append([]stock.Code{changeNotFound}, changingCodes...),
		answers: []success{{status: 200, about: "Stopped, now or before.", schema: "Change", example: exampleAborted}}},
	"POST /v1/cluster/shards/{shard}/transfer": {id: "transferShard", tag: tagCluster, summary: "Hand a shard's leadership over",
		heading: "POST /v1/cluster/shards/{n}/transfer", body: transferShape, bodyless: true, example: exampleTransfer,
		codes:   append([]stock.Code{shardNotFound, nodeNotFound}, changingCodes...),
		answers: []success{{status: 200, about: "Handed over.", schema: "Leadership", example: exampleTransferred}}},
	"POST /v1/cluster/shards/{shard}/snapshot": {id: "snapshotShard", tag: tagCluster, summary: "Take a snapshot of a shard",
		heading: "POST /v1/cluster/shards/{n}/snapshot", body: nothingShape, bodyless: true, codes: append([]stock.Code{shardNotFound}, changingCodes...),
		answers: []success{{status: 200, about: "Taken, durably.", schema: "Snapshot", example: exampleSnapshot}}},
	"POST /v1/backup": {id: "backup", tag: tagCluster, summary: "Back everything up", heading: "POST /v1/backup", body: nothingShape, bodyless: true,
		codes: changingCodes, answers: []success{{status: 200, about: "A tar, its manifest first.", media: "application/x-tar"}}},
}

// planning completes a call that answers with a plan.
func planning(c call, begun string) *call {
	c.tag, c.query, c.codes = tagCluster, []*openapi.Parameter{dryRunParameter}, append(c.codes, changingCodes...)
	c.answers = []success{
		{status: http.StatusAccepted, about: "A change began that carries the plan out.", schema: "Plan", example: begun},
		{status: http.StatusOK, about: "A dry run, or there is nothing to do.", schema: "Plan"},
	}
	return &c
}

// clusterSchemas are the bodies of answers to calls on the cluster, as package topology writes them.
func clusterSchemas() map[string]*openapi.Schema {
	node := "A node's id."
	return map[string]*openapi.Schema{
		"Cluster": object("", properties{
			"cluster_id": text(""), "node": text("The node that answers."), "epoch": count("Raised by every restore."),
			"level": count("Of the features in use."), "meta": openapi.RefTo("MetaGroup"), "nodes": listOf(openapi.RefTo("Node")),
			"changes":  {Type: "array", Items: openapi.RefTo("Change"), Description: "Those under way."},
			"ended":    {Type: "array", Items: openapi.RefTo("Change"), Description: "The last that ended, the oldest first."},
			"settings": openapi.RefTo("Settings"),
		}),
		"MetaGroup": object("The group that keeps what the cluster knows of itself.", properties{
			"leader": text("Empty while there is none."), "term": count(""), "voters": listOf(text(node))}),
		"Node": object("", properties{
			"id": text(""), "peer": text("host:port."), "http": text("host:port."), "admin": text("host:port."),
			"state": oneOf("", words(topology.Alive, topology.Unreachable, topology.Leaving)), "shards_led": count("Data shards that it leads."),
			"version": text("The build that it runs."), "clock_offset_ms": {Type: "integer", Format: "int64",
				Description: "How far its clock is ahead of that of the node that answers; not there when it was not measured of late."},
		}, "clock_offset_ms"),
		"Change": changeSchema(),
		"Step": object("", properties{"step": text("The plan's line."), "state": oneOf("", words(topology.StepOpen, topology.StepDone, topology.StepFailed)),
			"reason": text("Why it failed; it is tried again.")}, "reason"),
		"Plan":     object("", properties{"plan": listOf(text("")), "change": text("The change that carries it out.")}, "change"),
		"Settings": object("", properties{"retention_ms": count(""), "max_open_orders_per_sku": count(""), "max_nodes": count("")}),
		"Shards":   object("", properties{"shards": listOf(openapi.RefTo("Shard"))}),
		"Shard": object("", properties{"id": count(""), "leader": text("Empty while there is none."), "term": count(""), "commit_index": count(""),
			"replicas": listOf(openapi.RefTo("Replica")), "flush": listOf(openapi.RefTo("Flush"))}),
		"Replica": object("Equal hash_index means equal state_hash.", properties{
			"node": text(node), "role": oneOf("", words(topology.Voter, topology.Learner)), "applied_index": count(""),
			"trailing": count("Committed entries before it."), "hash_index": count(""), "state_hash": text(""),
			"down": text("Why it does not serve; not there while it does."),
		}, "down"),
		"Flush": object("", properties{
			"node": text(node), "sink": text("sqlite, postgres or none."), "index": count("Durable in the sink."), "lag_orders": count(""),
			"lag_ms": count(""), "seeding": {Const: true, Description: "It is being filled from another's. Else it is not there."},
		}, "seeding"),
		"Leadership": object("", properties{"shard": count(""), "leader": text(node), "term": count("")}),
		"Snapshot":   object("", properties{"index": count("What it holds all changes up to."), "bytes": count("")}),
	}
}

func changeSchema() *openapi.Schema {
	return object("A change of who has which replica.", properties{
		"id": text(""), "kind": oneOf("", words(topology.KindAdd, topology.KindRemove, topology.KindBalance, topology.KindRebuild)),
		"node": text("The node that is added, removed or rebuilt."), "shard": count("The rebuilt replica's."),
		"state": oneOf("", words(topology.Running, topology.Completed, topology.Aborted)), "reason": text("Why it was aborted."),
		"began_at": instant(""), "ended_at": instant(""), "steps_done": count(""), "steps_total": count(""),
		"steps": {Type: "array", Items: openapi.RefTo("Step"), Description: "While it runs."},
	}, "node", "shard", "reason", "ended_at", "steps")
}

func words(names ...string) (values []any) {
	for _, name := range names {
		values = append(values, name)
	}
	return values
}

// clusterStates are what a state can be that stands in the way.
func clusterStates() (names []any) {
	for _, code := range topology.States {
		names = append(names, string(code))
	}
	return names
}
