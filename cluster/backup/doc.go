// Package backup makes backups of a whole cluster while it sells, checks them, and writes what a new cluster begins with.
//
// What it promises:
//   - A backup holds everything that was acknowledged before it began. Each shard is as it was at one place of its log; the places of two shards are
//     not of one moment, which no order can tell: none has to do with two shards.
//   - Nothing is gathered in memory or on disk first: a snapshot goes from the disk of the node that took it to whoever reads the backup, a chunk at
//     a time.
//   - An archive that is cut short or changed anywhere, by a bit, is refused, by Verify and by Restore.
//   - A restored shard goes on behind the backup's log index, in a higher epoch: no order gets an id, and no change a version, that the lost history
//     had.
//
// What it assumes: who reads an archive from a disk reads it twice for a restore. A node that leads a group takes its snapshot, and is there until it
// has been read; when it dies in the middle, the backup breaks off.
//
// Map of the files: backup.go (New, Stream, Close), config.go, fetch.go (a group's snapshot, from the node that leads it), reads.go (that node),
// frame.go (what they say), format.go (the archive), writer.go, reader.go, verify.go (Verify), restore.go (Restore), metrics.go, errors.go. Why it is
// so: DESIGN.md.
package backup
