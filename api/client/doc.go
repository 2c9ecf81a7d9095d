// Package client talks to Holdfast over HTTP. The command line, the demo and the benchmark use it, and so can a shop's back end.
//
// It promises: an error says what became of the request. IsRefused: the server decided against it. IsNotExecuted: nothing happened, and
// nothing will. IsUnknown: it may have happened; the same key asked again, Outcome or Fence make it definite. A call is sent once unless
// the caller asks otherwise with Retrying or PlaceOrderUntilKnown; then it is sent again under the same key, marked Idempotency-Retry once
// an earlier copy may be under way, and an acceptance of any copy is the answer.
//
// It assumes: the address is a Holdfast listener. Anything that is not its JSON counts as no answer.
//
// Files: client.go (Config, connections), call.go (one request), retry.go (the policy), errors.go (what an error means), orders.go,
// skus.go and cluster.go (the calls), types.go (the JSON).
package client
