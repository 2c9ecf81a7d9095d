package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lookAt finds out what is there without writing.
func lookAt(path string) directory {
	d := directory{path: path, owner: -1, user: os.Geteuid()}
	if abs, err := filepath.Abs(path); err == nil {
		d.path = abs
	}
	for d.base = d.path; ; d.base = filepath.Dir(d.base) {
		stat, err := os.Stat(d.base)
		d.file = d.file || err == nil && !stat.IsDir()
		if err == nil && stat.IsDir() {
			if d.base == d.path {
				d.exists, d.mode, d.owner = true, uint32(stat.Mode().Perm()), ownerOf(stat)
			}
			return d
		}
		if d.base == filepath.Dir(d.base) {
			return d
		}
	}
}

func judgeDirectory(f *facts) []Check {
	const name = "data directory"
	d := &f.directory
	mine := fmt.Sprintf("sudo chown -R %d %s", d.user, d.path)
	switch {
	case d.file:
		return []Check{fail(name, "another --data-dir", "%s, or what it lies in, is a file", d.path)}
	case errors.Is(d.write, syscall.EROFS):
		return []Check{fail(name, "sudo mount -o remount,rw "+d.base+"; or another --data-dir", "%s is on a file system that is mounted read-only", d.base)}
	case errors.Is(d.write, syscall.ENOSPC), errors.Is(d.write, syscall.EDQUOT):
		return []Check{fail(name, "free some space; or another --data-dir", "%s is full: %v", d.base, d.write)}
	case d.write != nil && d.exists:
		return []Check{fail(name, mine+"; or another --data-dir", "%s cannot be written: %v", d.path, d.write)}
	case d.write != nil:
		fix := fmt.Sprintf("sudo install -d -m 0750 -o %d %s; or another --data-dir", d.user, d.path)
		return []Check{fail(name, fix, "%s is not there and cannot be made in %s: %v", d.path, d.base, d.write)}
	case !d.exists:
		return []Check{pass(name, "%s is not there and can be made", d.path)}
	case d.mode&0o022 != 0:
		return []Check{warn(name, "chmod go-w "+d.path, "%s can be changed by others than its owner (mode %04o)", d.path, d.mode)}
	case d.mode&0o007 != 0:
		return []Check{warn(name, "chmod 0750 "+d.path, "%s can be read by everybody (mode %04o), and holds orders and users in the clear", d.path, d.mode)}
	case d.owner >= 0 && d.user == 0 && d.owner != 0:
		fix := fmt.Sprintf("sudo -u '#%d' holdfast doctor ...", d.owner)
		return []Check{warn(name, fix, "%s belongs to user %d and root looks at it: what root may, that user may not", d.path, d.owner)}
	case d.owner >= 0 && d.owner != d.user:
		return []Check{warn(name, mine, "%s belongs to user %d, not to this one, %d", d.path, d.owner, d.user)}
	}
	return []Check{pass(name, "%s is writable, mode %04o", d.path, d.mode)}
}
