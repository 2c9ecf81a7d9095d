// Package actors serves orders: it admits them, proposes them in batches, applies what raft commits and answers.
//
// It promises that a request is answered exactly once, that an answer never says more than is known, that nothing is refused or promised from
// what is only in flight (rules R9 to R11), that committed entries reach each SKU in log order (R15, R16), and that an actor which panics takes
// its replica down instead of going on with an empty state (R17).
//
// It assumes that its Log calls Replica.Apply with committed entries in log order, one at a time, and that nobody else changes the state.
//
// Files, along the way of an order:
//
//	gateway.go    step 2: admission tokens, deadlines, batches
//	directory.go  step 4: SKU -> actor, published availability
//	shard.go      the shard's actor: cold SKUs, the order of the log
//	term.go       opening and closing of admission, expiry, flush marks
//	opener.go     whose clock a term may open by; giving leadership away
//	hot.go        the actor of a hot SKU
//	handover.go   promotion and demotion at a position of the log
//	sku.go        step 5: admission, apply and answers for one SKU
//	identity.go   hash marks: whether replicas have the same state
//	follow.go     settings and level of the rules, as the cluster wants them
//	confirm.go    the leadership check that refusals and reads wait for
//	proposer.go   step 6: batches, slots, what raft said of them
//	replica.go    what raft and storage see of a shard
//	pending.go    step 11: who waits, and what they are told
//	progress.go   the applied index and the apply backlog
//	mailbox.go    two lanes, many messages a turn
//	clock.go      the leader's clock, alarms
//	supervise.go  stop, never restart; nobody is left waiting
//	messages.go   what the actors tell each other
//	metrics.go    all metrics; system.go the actor system; logging.go its log; errors.go errors
package actors
