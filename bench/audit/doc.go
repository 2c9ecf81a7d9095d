// Package audit holds a sale to its promises: what each caller was told against what the target counts, keeps and has stored.
//
// It promises that Check finds, on the evidence of answers, counters, orders and storage:
//   - oversold: units beyond a SKU's stock, in any of these views;
//   - undersold: units that are left of a SKU although somebody was refused for want of them. It is judged where nothing was given back (no order
//     cancelled, expired or returned), because a unit that came back may have come back after the refusal. Units that are in no counter
//     (stock above available + held + sold) are undersold, too;
//   - lost: orders that were acknowledged and are not there, or not as they must be: another SKU, user, quantity, key, or a state that no step their
//     caller took leads to;
//   - duplicated: orders that nobody was told of: a second one with a key, one whose caller was refused, one nobody asked for;
//   - limit broken: units of a user above the SKU's limit, at the end.
//
// What is told is written down in 32 bytes an order, each caller in a part of its own. Above Config.MaxOrders the single orders are held by a sample, the
// orders whose id's hash begins with some zeros, as many as make the sample fit; counts of orders and units stay exact, and Findings say how large
// the sample is. Unknown outcomes are kept whole until Check has them resolved.
//
// It assumes: a caller's calls do not overlap with Sell, and end before Check; an order's id is the same in the answer, in the orders and in storage; no
// two ids share a 64-bit hash (one in four million, with four million orders).
//
// Files: ledger.go and shard.go (what callers were told), tally.go (units by SKU), resolve.go (unknown outcomes), book.go (the orders, to be looked
// up), check.go (Check), view.go (orders and storage against the book), counters.go (units), limits.go (users), findings.go (what is found), errors.go.
package audit
