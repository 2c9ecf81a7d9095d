package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// holderOf returns the process that has locked a file, from the kernel's own list: to try the lock would be to take it, if only for a moment.
func holderOf(path string) (id int, name string) {
	stat, err := os.Stat(path)
	if err != nil {
		return 0, ""
	}
	s, ok := stat.Sys().(*syscall.Stat_t)
	list, err := os.ReadFile("/proc/locks")
	if !ok || err != nil {
		return 0, ""
	}
	if id, name = lockIn(string(list), s.Ino); id == 0 || !held(path) {
		return 0, ""
	}
	return id, name
}

// held confirms a lock of the list, which knows inodes and not reliably their devices: a lock that is held cannot be taken by trying.
func held(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return true // nothing to the contrary
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// lockIn looks for a lock of the kind that the log takes. The device is not compared: some file systems show another one here than stat does.
func lockIn(list string, inode uint64) (id int, name string) {
	for line := range strings.Lines(list) {
		// 3: FLOCK  ADVISORY  WRITE 21769 fe:00:10019021 0 EOF
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[1] != "FLOCK" || fields[3] != "WRITE" {
			continue
		}
		if !strings.HasSuffix(fields[5], ":"+strconv.FormatUint(inode, 10)) {
			continue
		}
		id, err := strconv.Atoi(fields[4])
		if err != nil || id <= 0 { // a process of another container
			return -1, ""
		}
		return id, nameOf(id)
	}
	return 0, ""
}

func nameOf(id int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", id))
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(b))
}
