package doctor

import (
	"time"

	"holdfast/node"
	"holdfast/stock"
	"holdfast/storage"
)

// facts are what was measured; judging looks at nothing else but the configuration.
type facts struct {
	now         time.Time
	directory   directory
	volume      volume
	fsync       fsync
	machine     machine
	clock       clock
	contents    contents
	ports       []port
	guard       error // why the configuration is refused, files of keys and certificate apart
	certificate certificate
	keys        keys
	peer        peerCertificate
	seeds       []seed
	sink        sink
}

// directory is the data directory from outside.
type directory struct {
	// path is absolute; base is the nearest directory that is there, path itself if it is.
	path, base string
	exists     bool
	file       bool // path, or something above it, is a file
	// mode are the permissions and owner the user of path; user is who this process is. -1: the system does not say.
	mode        uint32
	owner, user int
	// write is why nothing can be written to base.
	write error
}

// volume is the file system of the data directory.
type volume struct {
	known bool
	// kind is its name, or its number in hex.
	kind string
	// free is what this user may take.
	free                 int64
	inodes, freeInodes   uint64
	logBytes, auditBytes int64 // what of it the node has already
}

// fsync is how long the disk takes to make 4 KiB durable.
type fsync struct {
	count         int
	p50, p99, max time.Duration
	err           error
}

// machine is what the node would have of the machine. Zero: unknown, or without a bound.
type machine struct {
	files                         uint64
	processors                    int // of the Go runtime
	quota                         float64
	memory, memoryLimit, goLimit  int64 // of the machine, of the control group, of the Go runtime
	backlog                       int
	firstLocalPort, lastLocalPort int
	reservedPorts                 [][2]int
	unprivilegedPort              int
	processorsSet                 bool // GOMAXPROCS is set
}

// clock is the machine's.
type clock struct {
	known        bool
	synchronised bool
	// maxError is what the kernel thinks the clock is off at most.
	maxError time.Duration
	// stepped is by how much it moved against the monotonic one during the examination.
	stepped time.Duration
}

// contents is what an existing data directory holds.
type contents struct {
	identity node.Identity
	err      error
	// holder is the process that has the log open, 0 when nobody has; -1 when somebody has and the system does not say who.
	holder     int
	holderName string
	// read: the log was read whole, and readErr is what is wrong with it.
	read     bool
	readErr  error
	logBytes int64
	tornTail int64
	last     stock.Time // log time of the last command
}

// port is one address to listen on.
type port struct {
	flag, addr string
	number     int
	err        error
	// owner is the process that has it, 0 when unknown.
	owner     int
	ownerName string
}

type certificate struct {
	set                 bool
	err                 error
	notBefore, notAfter time.Time
	names               []string
	// uncovered are the hosts of listeners that are not among the names.
	uncovered []string
	exposed   bool
}

type keys struct {
	set     bool
	err     error
	count   int
	exposed bool
}

type sink struct {
	postgres bool
	sqlite   bool
	report   storage.SinkReport
	err      error
}
