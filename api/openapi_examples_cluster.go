package api

// The examples of calls on the cluster are one story too: a cluster of three nodes to which these requests are made, one after the other.
const (
	exampleCluster = `{"cluster_id":"8c2f6f0e5d1b4a7e9f3c2b1a0d4e5f60","node":"n1","epoch":1,"level":1,` +
		`"meta":{"leader":"n1","term":3,"voters":["n1","n2","n3"]},"nodes":[` +
		`{"id":"n1","peer":"10.0.0.1:8082","http":"10.0.0.1:8080","admin":"10.0.0.1:8081","state":"alive","shards_led":2,"version":"1.2.3","clock_offset_ms":0},` +
		`{"id":"n2","peer":"10.0.0.2:8082","http":"10.0.0.2:8080","admin":"10.0.0.2:8081","state":"alive","shards_led":1,"version":"1.2.3","clock_offset_ms":2},` +
		`{"id":"n3","peer":"10.0.0.3:8082","http":"10.0.0.3:8080","admin":"10.0.0.3:8081","state":"alive","shards_led":1,"version":"1.2.3","clock_offset_ms":-1}],` +
		`"changes":[],"ended":[],"settings":{"retention_ms":86400000,"max_open_orders_per_sku":10000000,"max_nodes":7}}`
	exampleSettings    = `{"retention_ms":172800000}`
	exampleSettingsNow = `{"retention_ms":172800000,"max_open_orders_per_sku":10000000,"max_nodes":7}`
	exampleAddNode     = `{"id":"n4","peer":"10.0.0.4:8082"}`
	examplePlanned     = `{"plan":["shard 1: add learner n4#13","shard 1: wait until n4#13 has caught up","shard 1: promote n4#13 to voter",` +
		`"shard 1: remove n1#1"],"change":"c1"}`
	exampleAborted = `{"id":"c1","kind":"add","node":"n4","state":"aborted","reason":"aborted by a caller","began_at":"2026-11-11T12:00:00.000Z",` +
		`"ended_at":"2026-11-11T12:00:00.000Z","steps_done":0,"steps_total":4}`
	exampleRemoving   = `{"plan":["shard 1: demote n3#9 to learner","shard 1: remove n3#9","forget node n3"],"change":"c2"}`
	exampleBalancing  = `{"plan":["shard 1: hand leadership to n2#5"],"change":"c3"}`
	exampleRebuild    = `{"node":"n2"}`
	exampleRebuilding = `{"plan":["shard 1: remove n2#5","shard 1: add learner n2#14","shard 1: wait until n2#14 has caught up",` +
		`"shard 1: promote n2#14 to voter"],"change":"c4"}`
	exampleTransfer    = `{"to":"n2"}`
	exampleTransferred = `{"shard":1,"leader":"n2","term":6}`
	exampleSnapshot    = `{"index":120,"bytes":4096}`
)
