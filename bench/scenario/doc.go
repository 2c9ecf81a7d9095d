// Package scenario says what callers ask: one sale of each kind that a shop runs into.
//
//   - hot: one SKU in mode hold that never runs out, a new user for each order, one unit a user: what the Redis script of the rivals does.
//   - soldout: the same with a small stock: after a moment every answer is a refusal.
//   - zipf: many SKUs, of which the nth most wanted is wanted in proportion to 1 / n^skew; a skew of 0 wants all alike. They never run out.
//   - lifecycle: orders live on. Of those accepted, 60 in 100 are paid, 15 cancelled, 15 abandoned until they expire, 10 paid and returned. A call either
//     places orders or takes steps with orders of earlier calls, as many as a call places; both are counted alike. Users come back: every eighth order is
//     of a user that ordered before, and is refused unless that one's order was given up by then.
//   - flash: a drop. Everybody asks twice, as who clicks twice, each time with another key. The stock is small, the crowd is as large as the load makes
//     it: all of it at once in a closed loop, a rate above what the target can do in an open one (load.Config.Rush).
//   - failover: hot, while the node that leads is killed again and again. What was not executed is sent again under its key, what is unknown is resolved,
//     and that again until something is known: so the latency of an order in a gap is the gap. A gap is the longest time without any acceptance
//     from a kill on until all replicas are back.
//
// It promises: everything but times comes from the seed, and two runs against one target do not meet: keys, users and SKUs begin with the seed and the
// run's name. What callers are told stands in the ledger, warm-up and Preload included.
//
// It assumes: a caller makes one call at a time (load.Call), and callers' numbers are below Params.Callers.
//
// Files: scenario.go what there is; params.go what can be set; shop.go what all have in common; names.go keys and users; popular.go who is wanted how
// much; preload.go orders of before; lifecycle.go and steps.go, failover.go and gaps.go the two with more to them; errors.go.
package scenario
