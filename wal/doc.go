// Package wal is a node's one write-ahead log for any number of Raft groups. Entries, terms and votes of all groups go
// into one stream of segments with one fsync at a time, shared by every group that waits: N groups cost one fsync
// stream, not N. Each group sees its part through a [Group], which is raft's LogStore, MonotonicLogStore and
// StableStore. FORMAT.md describes the files.
//
// It promises:
//
//   - What a call returned is on the disk: StoreLogs, DeleteRange, Drop, Set and SetUint64 return after the fsync of the
//     batch they are in, and nothing is visible to anyone before that.
//   - After a crash at any point everything that was acknowledged is there, nothing is there that was never written, and
//     of what was under way each call's entries are there up to some point.
//   - Damage that a crash cannot explain is never cut off or skipped: Open refuses with a [CorruptionError] that names
//     segment and offset. A torn tail is cut, with a message.
//   - A failed or hanging write, fsync or read ends the log: nothing is tried again, Config.OnFatal is called, and only
//     when it has returned are all who wait refused, and whoever comes; so the process can end before raft sees an error.
//   - Memory, cache, batch and disk have bounds. A group that stands still pins no more of the disk than lives, and some
//     segments: rewrite.go says how much.
//
// It assumes:
//
//   - fsync means durable, and a failed fsync means nothing. fdatasync includes the length of the file.
//   - Writes are not atomic in any unit and not ordered before the fsync returns: any sectors of a batch may be on disk
//     after a power cut, each whole, torn or old. But writing does not change bytes outside of what is written, even in
//     the same sector.
//   - A rename is atomic, and durable once the directory is synced.
//   - A file's bytes may rot; CRC32C finds it. Nobody writes to the directory but the one Log that holds its lock.
//
// Files, from the ground up:
//
//	errors.go               what can be refused, and the assertion
//	config.go check.go      bounds and defaults; refusing them without opening anything
//	fs.go fs_os.go          the file system underneath; sync_*.go and lock_*.go are its parts per system
//	format.go pages.go      segment header and names; pages behind the log, and what they hold of an earlier use
//	frame.go                frames and batches: encode, decode, check
//	entry.go record.go      payloads: entries; ranges, keys, checkpoints
//	index.go                where the live entries of a group are; a group's state
//	damage.go               torn tail or corruption?
//	scan.go replay.go       bytes of one segment to batches; batches of all segments to state
//	load.go recover.go      a directory to state; from there to a log that can be appended to
//	segment.go cache.go     reading entries back
//	wal.go                  Log: open, close, fail
//	batch.go                what waits for the next fsync
//	group.go append.go      Group: the calls of raft; append.go is step 8 of an order
//	commit.go rotate.go     the committer: batches, segments, checkpoints, bounds
//	housekeep.go prepare.go the housekeeper: segments prepared in advance, recycled and removed
//	rewrite.go relief.go    the rewriter: live entries of the oldest segment written once more, further on; who waits for it
//	space.go                what lives and what is dead
//	watchdog.go             stalls
//	observer.go metrics.go  figures, and the metrics made of them
//	verify.go inspect.go    offline: Verify and Read; the frames one by one
//	loss.go                 which entries a damage takes
package wal
