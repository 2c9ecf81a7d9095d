// Package monitoring knows the table of metrics in docs/monitoring.md. Its tests hold the alert rules, the dashboard and the compose file in deploy
// against that table and against the programs that will read them; a test of package node holds the table against what a node really shows.
//
// It promises that a metric or a label that is misspelt in an expression is found, and that nothing in deploy names what is not documented.
//
// It assumes expressions that promtool can parse; it looks for names in them and does not judge what they compute.
//
// Files: page.go the table; expr.go the names in an expression.
package monitoring
