// Package logtest keeps what is logged, for tests that read it.
//
// It promises: a Journal may be read while it is written. It assumes nothing.
//
// Files: journal.go.
package logtest
