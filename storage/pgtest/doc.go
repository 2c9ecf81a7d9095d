// Package pgtest starts real PostgreSQL servers for tests, from the programs on the machine.
//
// It promises that a server has a temporary directory and a free port of its own, answers when Start returns, and is gone with its directory when
// the test ends, or when the test's process dies.
//
// It assumes initdb and postgres in PATH or under /usr/lib/postgresql/*/bin. Where they are missing the test skips and says so, and fails with
// CI=true. PostgreSQL does not run as root: as root, the programs run with the credentials of the user postgres.
//
// Files: server.go a server's life; programs.go finds the programs and who runs them; query.go databases, schemas and statements for tests; proxy.go
// a network that can be cut; disk_linux.go a disk that is full; process_linux.go and process_other.go what the operating systems differ in.
package pgtest
