package report

import "holdfast/bench/result"

// included says what the figures of a run contain and what they do not. Both follow from the target's kind and the loop.
func included(r result.Result) (in, out []string) {
	in = append(in, "the time from asking to the answer, as the caller sees it")
	switch r.About.Name {
	case "in-process":
		in = append(in, "admission, idempotency keys, limits per user and stored orders: the whole state machine",
			"Raft with its log in real files and its messages over sockets of this machine", "storage behind the orders, when a sink is named, on the same cores")
		out = append(out, "HTTP: orders enter by function call at the leader", "a network: all nodes and the callers share one machine and its cores")
	case "http":
		in = append(in, "HTTP requests over connections that stay open, and whatever lies between the callers and the nodes",
			"admission, idempotency keys, limits per user and stored orders: the whole state machine")
		out = append(out, "the setting up of connections, and TLS unless the address begins with https")
	case "redis", "postgres":
		in = append(in, "the rival's own protocol over connections that stay open", "stock, one order per user, and the order itself")
		out = append(out, "what the rival was not asked to do: holds that expire, keys that are remembered and compared, a copy on another machine unless replicas says so")
	case "raft":
		in = append(in, "one Raft entry for each order, on our own log")
		out = append(out, "HTTP", "batches: that is the point of this rival")
	}
	if r.Loop == "open" {
		in = append(in, "waiting: an order that could not be started when it should have been counts from then")
	} else {
		out = append(out, "waiting that nobody saw: in a closed loop a caller asks again only when it was answered, so a pause hides the orders that would have come")
	}
	if r.WarmupS > 0 {
		out = append(out, "the warm-up")
	}
	return in, append(out, "the audit, which runs afterwards", "a second machine: where load and target share cores, both are slower than apart")
}
