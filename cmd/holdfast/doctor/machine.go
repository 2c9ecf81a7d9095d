package doctor

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"

	"holdfast/node"
)

const (
	// otherFiles is what the node opens beside connections and segments: the database, snapshots, the peer port, the audit log.
	otherFiles = 512
	// leastMemory is what the node has beside the bodies of requests, with nothing in its ledgers.
	leastMemory = 128 << 20
	// shortBacklog is less than a crowd that comes in one second needs while the node is busy accepting.
	shortBacklog = 1024
	goodBacklog  = 4096
)

// What is not looked at, and why: transparent huge pages (the Go runtime asks for what it wants since 1.21), vm.overcommit_memory (Go reserves address
// space without charge), swappiness and dirty ratios (the log is synced at every batch).
func gatherMachine() machine {
	m := machine{processors: runtime.GOMAXPROCS(0), goLimit: debug.SetMemoryLimit(-1), processorsSet: os.Getenv("GOMAXPROCS") != ""}
	m.system()
	return m
}

func judgeMachine(c *node.Config, f *facts) []Check {
	m := &f.machine
	var checks []Check
	if m.files > 0 {
		checks = append(checks, judgeFiles(c, m))
	}
	if m.memory > 0 || m.memoryLimit > 0 {
		checks = append(checks, judgeMemory(c, m))
	}
	checks = append(checks, judgeProcessors(m))
	if m.backlog > 0 {
		checks = append(checks, judgeBacklog(m))
	}
	return checks
}

// judgeFiles: connections are not the only ones that need descriptors. When a crowd has them all, the log cannot open its next segment.
func judgeFiles(c *node.Config, m *machine) Check {
	const name = "open files"
	conns := c.MaxConns + c.MaxAdminConns
	rest := uint64(c.WALHardBytes/c.WALSegmentBytes) + otherFiles
	need := uint64(conns) + rest
	if m.files >= need {
		return pass(name, "%s may be open, %s are needed", grouped(int(min(m.files, math.MaxInt32))), grouped(int(need)))
	}
	fix := fmt.Sprintf("LimitNOFILE=%d in the unit, or ulimit -Hn %d", max(65536, need), max(65536, need))
	if m.files > rest+uint64(c.MaxAdminConns)+1 {
		fix += fmt.Sprintf("; or --max-conns %d", m.files-rest-uint64(c.MaxAdminConns))
	}
	return fail(name, fix, "%d may be open; --max-conns, --max-admin-conns and the log need %d, and without a descriptor the log ends the node", m.files, need)
}

func judgeMemory(c *node.Config, m *machine) Check {
	const name = "memory"
	have, whose := m.memory, "of the machine"
	if m.memoryLimit > 0 && (have == 0 || m.memoryLimit < have) {
		have, whose = m.memoryLimit, "of the control group"
	}
	target := fmt.Sprintf("GOMEMLIMIT=%dMiB", have/5*4>>20)
	switch need := c.MaxBodyMemoryBytes + leastMemory; {
	case have < need:
		fix := fmt.Sprintf("more memory; or --max-body-memory %d", max(1<<20, have/4>>20<<20))
		return fail(name, fix, "%s %s; requests alone may take %s (--max-body-memory), and the kernel would end the node", size(have), whose, size(c.MaxBodyMemoryBytes))
	case m.memoryLimit > 0 && m.goLimit == math.MaxInt64:
		return warn(name, target, "%s %s, and the Go runtime does not know of it: it collects garbage too late", size(have), whose)
	case m.goLimit != math.MaxInt64 && m.goLimit > have/20*19:
		return warn(name, target, "%s %s, and GOMEMLIMIT is %s: too near, or above", size(have), whose, size(m.goLimit))
	}
	return pass(name, "%s %s", size(have), whose)
}

func judgeProcessors(m *machine) Check {
	const name = "processors"
	switch {
	case m.quota > 0 && m.quota < 1:
		return warn(name, "CPUQuota=100% or more in the unit", "a quota of %.2g processors: the node stands still for a part of each period", m.quota)
	case m.quota > 0 && float64(m.processors) > math.Ceil(m.quota):
		fix := "unset GOMAXPROCS"
		if !m.processorsSet {
			fix = fmt.Sprintf("GOMAXPROCS=%d", int(math.Ceil(m.quota)))
		}
		return warn(name, fix, "the Go runtime uses %d of a quota of %.2g: it is throttled", m.processors, m.quota)
	}
	return pass(name, "%d", m.processors)
}

func judgeBacklog(m *machine) Check {
	const name = "listen backlog"
	if m.backlog < shortBacklog {
		fix := fmt.Sprintf("sudo sysctl -w net.core.somaxconn=%d", goodBacklog)
		return warn(name, fix, "%d connections may wait to be accepted (net.core.somaxconn): a crowd that comes at once is dropped, and tries again a second later", m.backlog)
	}
	return pass(name, "%d connections may wait to be accepted", m.backlog)
}
