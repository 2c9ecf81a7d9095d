package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ownerOfPort finds the process that listens on a port: the kernel's table names its socket, and the process has it open. Processes of other users
// do not show theirs; the id is 0 then.
func ownerOfPort(number int) (id int, name string) {
	sockets := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for _, inode := range listening(string(b), number) {
			sockets[fmt.Sprintf("socket:[%s]", inode)] = true
		}
	}
	if len(sockets) == 0 {
		return 0, ""
	}
	files, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return 0, ""
	}
	for _, file := range files {
		if target, err := os.Readlink(file); err != nil || !sockets[target] {
			continue
		}
		if id, err = strconv.Atoi(strings.Split(file, "/")[2]); err == nil {
			return id, nameOf(id)
		}
	}
	return 0, ""
}

// listening returns the inodes of the sockets of a table that listen on a port.
func listening(table string, number int) (inodes []string) {
	port, listen := fmt.Sprintf(":%04X", number), "0A"
	for line := range strings.Lines(table) {
		//  sl  local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode
		if fields := strings.Fields(line); len(fields) > 9 && strings.HasSuffix(fields[1], port) && fields[3] == listen {
			inodes = append(inodes, fields[9])
		}
	}
	return inodes
}
