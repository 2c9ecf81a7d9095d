// Package audit keeps the log of administrative calls: who asked for what, when, and what came of it, one line of JSON each.
//
// It promises: Write returns nil only when its line is on disk, synced; a line is whole or not counted; the log never takes more than its files times
// their bytes; lines about refused callers are limited in number, so that a stranger can neither push out the history nor keep the disk busy. After a
// failure the next line tries the file anew. Only regular files are written, so that a write does not wait for somebody; what a caller sent is in no
// log but this one.
//
// It assumes that nobody else writes the files. They may be read at any time.
//
// Files: record.go (a line), log.go (the file), rotate.go (its predecessors), pace.go (how many refusals are written), metrics.go, config.go.
package audit
