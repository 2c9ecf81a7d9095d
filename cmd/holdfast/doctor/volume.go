package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"holdfast/node"
)

const (
	// sqliteReserve is what is put by for the database beside the log.
	sqliteReserve = 1 << 30
	// snapshotCopies: the one in force, and the one that is being written.
	snapshotCopies = 2
	// leastSegments are there from the start: the one that is written, and the one prepared after it.
	leastSegments = 2
	leastInodes   = 100
	fewInodes     = 10_000
)

// forgetful file systems lose everything with the power or with the container; distant ones leave fsync and locks to somebody else.
var (
	forgetful = map[string]bool{"tmpfs": true, "ramfs": true}
	layered   = map[string]bool{"overlay": true, "aufs": true}
	distant   = map[string]bool{"nfs": true, "cifs": true, "smb2": true, "9p": true, "fuse": true, "ceph": true, "afs": true}
)

func gatherVolume(base string, c *node.Config) volume {
	v := statVolume(base)
	v.logBytes = bytesIn(filepath.Join(c.DataDir, "wal"), "*")
	v.auditBytes = bytesIn(c.DataDir, "audit.log*")
	return v
}

// bytesIn sums the files of a directory; what cannot be read has none.
func bytesIn(dir, pattern string) (sum int64) {
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		return 0
	}
	for _, path := range paths {
		if stat, err := os.Stat(path); err == nil && stat.Mode().IsRegular() {
			sum += stat.Size()
		}
	}
	return sum
}

func judgeVolume(c *node.Config, f *facts) []Check {
	if !f.volume.known {
		return nil
	}
	checks := []Check{judgeKind(f), judgeSpace(c, f)}
	if f.volume.inodes > 0 { // else they are made as needed
		checks = append(checks, judgeInodes(f))
	}
	return checks
}

func judgeKind(f *facts) Check {
	const name = "file system"
	kind, base := f.volume.kind, f.directory.base
	switch {
	case forgetful[kind]:
		return fail(name, "--data-dir on a disk, such as /var/lib/holdfast", "%s is %s: every order is gone with the power", base, kind)
	case layered[kind]:
		return warn(name, "mount a volume at "+f.directory.path, "%s is %s, a container's own layer: it goes with the container", base, kind)
	case distant[kind]:
		return warn(name, "--data-dir on a local disk", "%s is %s: whether fsync and locks mean anything is up to a server", base, kind)
	}
	return pass(name, "%s", kind)
}

// needs says what the node may come to take, by what for.
func needs(c *node.Config, v *volume) (total int64, text string) {
	log := max(0, c.WALHardBytes+leastSegments*c.WALSegmentBytes-v.logBytes)
	snapshots := snapshotCopies * c.SnapshotBytes * int64(c.Shards)
	audit := max(0, c.Access.AuditFileBytes*int64(c.Access.AuditFiles)-v.auditBytes)
	total = log + snapshots + audit
	parts := []string{"log up to --wal-hard-bytes " + size(log), "snapshots " + size(snapshots), "audit log " + size(audit)}
	if c.Sink == "sqlite" {
		total += sqliteReserve
		parts = append(parts, "SQLite "+size(sqliteReserve))
	}
	return total, strings.Join(parts, ", ")
}

func judgeSpace(c *node.Config, f *facts) Check {
	const name = "free space"
	v := &f.volume
	start := int64(0)
	if v.logBytes == 0 {
		start = leastSegments * c.WALSegmentBytes
	}
	if v.free < start+c.WALSegmentBytes {
		fix := "free some space; or another --data-dir"
		if small := v.free / 8 >> 20 << 20; small >= 1<<20 {
			fix += fmt.Sprintf("; or --wal-segment-bytes %d", small)
		}
		return fail(name, fix, "%s free, and segments of the log take %s each", size(v.free), size(c.WALSegmentBytes))
	}
	total, text := needs(c, v)
	if v.free >= total {
		return pass(name, "%s free of the %s that may be needed: %s", size(v.free), size(total), text)
	}
	fix := fmt.Sprintf("free %s", size(total-v.free))
	others := total - max(0, c.WALHardBytes+leastSegments*c.WALSegmentBytes-v.logBytes)
	if hard := v.free + v.logBytes - others - leastSegments*c.WALSegmentBytes; hard >= 4*c.WALSegmentBytes {
		fix += fmt.Sprintf("; or --wal-hard-bytes %d --wal-soft-bytes %d", hard, hard/10*8)
	}
	return warn(name, fix, "%s free, %s may be needed: %s. The disk would be full before the bounds are reached", size(v.free), size(total), text)
}

func judgeInodes(f *facts) Check {
	const name, fix = "inodes", "remove files; or another --data-dir"
	free := f.volume.freeInodes
	switch {
	case free < leastInodes:
		return fail(name, fix, "%d free", free)
	case free < fewInodes:
		return warn(name, fix, "%d free of %d", free, f.volume.inodes)
	}
	return pass(name, "%d free", free)
}
