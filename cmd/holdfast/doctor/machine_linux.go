package doctor

import (
	"bufio"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// system reads what the kernel says. What it does not say stays zero.
func (m *machine) system() {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err == nil {
		m.files = files.Max // the Go runtime raises the soft limit to it
	}
	var s unix.Sysinfo_t
	if err := unix.Sysinfo(&s); err == nil {
		m.memory = int64(s.Totalram) * int64(s.Unit)
	}
	m.groups("/sys/fs/cgroup")
	m.backlog = int(number(read("/proc/sys/net/core/somaxconn")))
	if ports := strings.Fields(read("/proc/sys/net/ipv4/ip_local_port_range")); len(ports) == 2 {
		m.firstLocalPort, m.lastLocalPort = int(number(ports[0])), int(number(ports[1]))
	}
	m.reservedPorts = ranges(read("/proc/sys/net/ipv4/ip_local_reserved_ports"))
	m.unprivilegedPort = int(number(read("/proc/sys/net/ipv4/ip_unprivileged_port_start")))
}

// groups takes the tightest bound of the process's control group (version 2) and of all above it.
func (m *machine) groups(root string) {
	path := ""
	for line := range strings.Lines(read("/proc/self/cgroup")) {
		if below, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			path = below
		}
	}
	for at := filepath.Clean("/" + path); ; at = filepath.Dir(at) {
		if limit := number(read(filepath.Join(root, at, "memory.max"))); limit > 0 && (m.memoryLimit == 0 || limit < m.memoryLimit) {
			m.memoryLimit = limit
		}
		if quota := quotaOf(read(filepath.Join(root, at, "cpu.max"))); quota > 0 && (m.quota == 0 || quota < m.quota) {
			m.quota = quota
		}
		if at == "/" {
			return
		}
	}
}

// quotaOf reads "200000 100000", two processors, or "max 100000", no bound.
func quotaOf(text string) float64 {
	fields := strings.Fields(text)
	if len(fields) != 2 || number(fields[1]) == 0 {
		return 0
	}
	return float64(number(fields[0])) / float64(number(fields[1]))
}

// ranges reads "8080,9000-9010".
func ranges(text string) (all [][2]int) {
	for part := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		first, last, found := strings.Cut(part, "-")
		if !found {
			last = first
		}
		if from := number(first); from > 0 {
			all = append(all, [2]int{int(from), int(number(last))})
		}
	}
	return all
}

// number reads a positive number; anything else, "max" too, is 0.
func number(text string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n < 0 || n == math.MaxInt64 {
		return 0
	}
	return n
}

// read returns the first lines of a small file, "" when it cannot be read.
func read(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := bufio.NewReader(f).Peek(4096)
	if len(b) == 0 && err != nil {
		return ""
	}
	return string(b)
}
