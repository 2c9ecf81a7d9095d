// Package nothing refuses every order over HTTP, as fast as net/http can: a handler that reads the request and writes the same refusal each time. What our
// own refusals cost beside it is ours.
//
// It promises that nothing is sold, and no more: it keeps nothing and knows nobody.
//
// It assumes that orders are placed by the same client as with us.
//
// Files: server.go the handler and its listener; target.go the target around a client of it.
package nothing
