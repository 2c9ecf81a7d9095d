// Package http measures a Holdfast that runs somewhere, over HTTP: one address or several, over which calls are spread in turn. Orders go by POST /v1/orders,
// several in one call by POST /v1/orders:batch.
//
// It promises that an answer is Failed only when nothing happened, and that no request is sent twice by itself. Orders are written and answers read by hand:
// of what a shop's client does, the load should cost the machine it shares with the server as little as possible. All else goes through api/client.
//
// It cannot kill a leader: it knows addresses, not processes. It cannot list orders either: it looks up those whose ids it can make from ids that it was
// told (sale.Picker). With Config.Storage, the storage behind the target is read whole.
//
// It assumes that nobody else sells the SKUs that it creates.
//
// Files: config.go what is measured; target.go what it says of itself; place.go orders and their answers; wire.go requests; scan.go answers, read by hand;
// settle.go steps and unknown outcomes; look.go orders as they are kept; errors.go.
package http
