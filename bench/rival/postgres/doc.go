// Package postgres sells with PostgreSQL, as a rival: a conditional update of the SKU's row and an insert of the order, in one transaction.
//
// It promises transactions that are correct: stock never below zero, one order for each user of a SKU with a limit, one order for each key, all held by
// unique indexes and a check. Statements are prepared, connections pooled, commits synchronous. There are two styles: the transaction as an application
// writes it, statement by statement (insert, update, commit), and the same in one statement, which holds the hot row for a shorter time.
//
// It assumes PostgreSQL 11 or newer. Of limits it knows none and one order a user. On a server that is given by address it uses a schema of its own,
// which Close removes.
//
// Files: target.go what a target must be able to do; place.go orders; sql.go the statements; server.go the server.
package postgres
