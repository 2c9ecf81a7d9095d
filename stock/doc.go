// Package stock is the domain: what it means to sell limited stock exactly. It is a pure state machine: no clock, no I/O, no goroutine, no
// randomness, and no map order in any result. The same commands at the same places of a log give the same outcomes and the same state on every
// replica and after every restart (rules R1 to R8 of docs/protocol.md).
//
// It promises, per SKU and after every command: stock = available + held + sold, none of them negative; one idempotency key takes stock at most
// once; a user's limit is not exceeded; order states only move forward. A ledger that breaks the first promise is frozen.
//
// It assumes that commands are applied in log order by one goroutine per ledger, and that whoever builds a command has checked its texts and
// numbers with the functions of limits.go.
//
// The vocabulary that every package speaks:
//
//	kind.go code.go time.go partition.go orderid.go  modes, states, outcome codes, log time, names of orders
//	spec.go command.go query.go                      what a SKU is, and what can be asked of it
//	outcome.go                                       answers: orders, SKUs, availability, changes
//	proposal.go limits.go errors.go                  one log entry, bounds of what callers name, errors
//
// The state:
//
//	ledger.go      one SKU; step 10 of an order
//	place.go       orders, keys, fences
//	settle.go      confirm, cancel, return
//	expiry.go      due holds, orders that leave memory
//	administer.go  creation, update, freeze, adjustment
//	read.go        queries
//	table.go row.go rows.go packed.go pages.go people.go   how a ledger keeps its orders, users and returns
//	index.go agenda.go schedule.go memory.go idle.go   how it finds them by key and by time, what it remembers, what it does without
//	book.go due.go everyone.go  a shard: its SKUs, settings and log time
//	journal.go notes.go  what changed since, for storage; moves.go counts it, for metrics
//	window.go      admission on the leader, before the log
//	hash.go digest.go   hashes of the state, kept up with each change, by which replicas are held against each other
//	refused.go     refusals of what may have another copy under way
//	hashmark.go level.go   the command that does that, and levels of the rules
//	epoch.go       the first command after a restore
//
// Its forms outside memory:
//
//	codec.go codec_order.go codec_admin.go           proposals
//	wire.go wire_request.go wire_outcome.go          what nodes tell each other: requests and outcomes
//	msgpack.go msgpack_reader.go scan.go             msgpack: what is written by hand, what is checked before the library reads
//	cut.go snapshot.go snapshot_rows.go restore.go restore_rows.go   consistent cuts, canonical snapshots
package stock
