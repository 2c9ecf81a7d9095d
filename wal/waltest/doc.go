// Package waltest has a file system in memory on which the crashes of a log can be played.
//
// It promises: a [FS] behaves like a disk with a write cache under an operating system. What was written is seen at
// once; it is durable only after Sync, names only after SyncDir. [FS.Crash] forks it as it could look after the power
// was cut now: of each write that was not synced any sectors may be there, one may be torn in the middle, and of the
// names changed in a directory that was not synced any may be as before. The original goes on undisturbed. Only a write of
// which exactly one bit is missing is never left: that is what a disk looks like that has flipped a bit.
//
// It assumes that writing does not change bytes outside of what is written, and that a rename is atomic: it never leaves
// both names or none.
//
// Files: fs.go the file system, file.go its files, crash.go the forks.
package waltest
