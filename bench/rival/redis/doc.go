// Package redis sells with Redis, as a rival: a Lua script that checks key, limit and stock, takes the units and stores the order, run by EVALSHA.
//
// It promises a script that is correct: stock never below zero, limits kept, one order for each key. The orders of one call go out as one pipeline. A
// server that it starts itself syncs its append-only file before it answers (appendfsync always), once for all that came in one turn of its event
// loop, makes no snapshots and does not rewrite the file; it has no replica.
//
// It assumes one Redis, no cluster. On a server that is given by address it uses keys with a prefix of its own, which Close removes.
//
// Files: target.go what a target must be able to do; place.go orders; server.go the server; place.lua and resolve.lua the scripts.
package redis
