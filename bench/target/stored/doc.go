// Package stored reads the orders that a Holdfast node has flushed, beside the node: from its SQLite file or from PostgreSQL.
//
// It promises that nothing is visited before storage holds what it must, and that a reader sees one moment.
//
// It assumes that a sink that goes no further for a minute will not.
//
// Files: stored.go.
package stored
