package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// kinds are the file systems that are judged, and those that most people have, by their number.
var kinds = map[int64]string{
	unix.TMPFS_MAGIC: "tmpfs", unix.RAMFS_MAGIC: "ramfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay", 0x61756673: "aufs", unix.NFS_SUPER_MAGIC: "nfs",
	unix.CIFS_SUPER_MAGIC: "cifs", unix.SMB2_SUPER_MAGIC: "smb2", unix.V9FS_MAGIC: "9p", unix.FUSE_SUPER_MAGIC: "fuse", 0x00c36400: "ceph",
	unix.AFS_SUPER_MAGIC: "afs", unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", 0x2fc12fc1: "zfs",
	unix.F2FS_SUPER_MAGIC: "f2fs",
}

func statVolume(dir string) volume {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return volume{}
	}
	number := int64(uint32(s.Type)) // as wide as the numbers are on every processor
	kind, known := kinds[number]
	if !known {
		kind = fmt.Sprintf("type %#x", number)
	}
	return volume{known: true, kind: kind, free: int64(s.Bavail) * int64(s.Frsize), inodes: s.Files, freeInodes: s.Ffree}
}

// nameless opens a file that has no name and is gone with its descriptor, however the process ends. Where the file system cannot do that, the name
// lives for as long as two calls take.
func nameless(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	switch {
	case err == nil:
		return os.NewFile(uintptr(fd), dir), nil
	case !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR):
		return nil, &fs.PathError{Op: "create a file in", Path: dir, Err: err}
	}
	return unnamed(dir)
}

func syncContent(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func ownerOf(stat fs.FileInfo) int {
	if s, ok := stat.Sys().(*syscall.Stat_t); ok {
		return int(s.Uid)
	}
	return -1
}
