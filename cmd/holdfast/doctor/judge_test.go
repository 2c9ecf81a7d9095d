package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/api"
	"holdfast/node"
	"holdfast/stock"
	"holdfast/storage"
	"holdfast/wal"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// healthy are the facts of a machine and a data directory with nothing to say about.
func healthy() *facts {
	return &facts{
		now:       noon,
		directory: directory{path: "/d", base: "/d", exists: true, mode: 0o750, owner: 998, user: 998},
		volume:    volume{known: true, kind: "ext4", free: 100 << 30, inodes: 1e6, freeInodes: 9e5, logBytes: 128 << 20},
		fsync:     fsync{count: 2000, p50: 500 * time.Microsecond, p99: 2 * time.Millisecond, max: 5 * time.Millisecond},
		machine: machine{
			files: 65536, processors: 4, memory: 8 << 30, goLimit: math.MaxInt64, backlog: 4096, firstLocalPort: 32768, lastLocalPort: 60999,
			unprivilegedPort: 1024,
		},
		clock: clock{known: true, synchronised: true, maxError: 5 * time.Millisecond},
		contents: contents{
			identity: node.Identity{NodeID: "n1", ClusterID: "c", Format: 1, Shards: 4}, read: true, logBytes: 128 << 20, last: stock.TimeOf(noon.Add(-time.Hour)),
		},
		ports: []port{{flag: "http", addr: "127.0.0.1:8080", number: 8080}, {flag: "admin", addr: "127.0.0.1:8081", number: 8081}},
		certificate: certificate{
			set: true, notBefore: noon.AddDate(0, -1, 0), notAfter: noon.AddDate(0, 2, 0), names: []string{"shop.internal"},
		},
		keys: keys{set: true, count: 2},
		sink: sink{postgres: true, report: storage.SinkReport{
			Where: "postgres://h:5432/shop", Server: "15.10", Role: "holdfast", Schema: "holdfast", SchemaVersion: 1, SynchronousCommit: "on", Fsync: "on",
			FullPageWrites: "on", RoundTrip: time.Millisecond, Free: 90, UnderLimit: -1, UnderDatabaseLimit: -1,
		}},
	}
}

func settings() *node.Config {
	c := node.DefaultConfig()
	c.Access = node.Access{APIKeys: "keys.yaml", TLSCert: "cert.pem", TLSKey: "key.pem", AuditFileBytes: 16 << 20, AuditFiles: 10}
	c.Sink = "postgres://holdfast:s3cret@h:5432/shop"
	return &c
}

func TestHealthy(t *testing.T) {
	r := newReport(judge(settings(), healthy()))
	if !r.Healthy || r.Warned > 0 || len(r.Checks) < 20 {
		t.Errorf("%+v", r)
	}
	for _, c := range r.Checks {
		if c.Measured == "" || c.Fix != "" {
			t.Errorf("%+v", c)
		}
	}
}

// bad is one thing that is wrong: which check finds it, how bad it is, and what its fix names.
type bad struct {
	name   string
	change func(f *facts, c *node.Config)
	check  string
	status Status
	fix    string
}

func TestFindings(t *testing.T) {
	for _, group := range [][]bad{badDirectories(), badDisks(), badContents(), badMachines(), badClocks(), badPorts(), badDoors(), badOthers(), badSinks()} {
		for _, row := range group {
			t.Run(row.check+"/"+row.name, func(t *testing.T) {
				c, f := settings(), healthy()
				row.change(f, c)
				for _, got := range judge(c, f) {
					if strings.Contains(got.Measured+got.Fix, "s3cret") || strings.Contains(got.Measured, "%!") || strings.Contains(got.Fix, "%!") {
						t.Errorf("%+v", got)
					}
					if got.Name != row.check {
						if got.Status != Pass {
							t.Errorf("also %+v", got)
						}
						continue
					}
					if got.Status != row.status || !strings.Contains(got.Fix, row.fix) || (row.status != Pass) != (got.Fix != "") || got.Measured == "" {
						t.Errorf("%+v", got)
					}
					row.check = ""
				}
				if row.check != "" {
					t.Errorf("no check %q", row.check)
				}
			})
		}
	}
}

func badDirectories() []bad {
	refuse := func(err error, exists bool) func(*facts, *node.Config) {
		return func(f *facts, _ *node.Config) {
			f.directory.write, f.directory.exists = &fs.PathError{Op: "open", Path: "/d", Err: err}, exists
		}
	}
	const name = "data directory"
	return []bad{
		{"read-only", refuse(syscall.EROFS, true), name, Fail, "remount,rw /d"},
		{"full", refuse(syscall.ENOSPC, true), name, Fail, "free some space"},
		{"over quota", refuse(syscall.EDQUOT, true), name, Fail, "free some space"},
		{"another user's", refuse(syscall.EACCES, true), name, Fail, "chown -R 998 /d"},
		{"cannot be made", refuse(syscall.EACCES, false), name, Fail, "install -d -m 0750 -o 998 /d"},
		{"a file", func(f *facts, _ *node.Config) { f.directory.file = true }, name, Fail, "--data-dir"},
		{"can be made", func(f *facts, _ *node.Config) { f.directory.exists = false }, name, Pass, ""},
		{"changed by others", func(f *facts, _ *node.Config) { f.directory.mode = 0o777 }, name, Warn, "chmod go-w /d"},
		{"changed by its group", func(f *facts, _ *node.Config) { f.directory.mode = 0o770 }, name, Warn, "chmod go-w /d"},
		{"read by all", func(f *facts, _ *node.Config) { f.directory.mode = 0o755 }, name, Warn, "chmod 0750 /d"},
		{"root looks", func(f *facts, _ *node.Config) { f.directory.user = 0 }, name, Warn, "sudo -u '#998'"},
		{"not its own", func(f *facts, _ *node.Config) { f.directory.user = 7 }, name, Warn, "chown -R 7 /d"},
		{"owner unknown", func(f *facts, _ *node.Config) { f.directory.owner = -1 }, name, Pass, ""},
	}
}

func badDisks() []bad {
	kind := func(k string) func(*facts, *node.Config) { return func(f *facts, _ *node.Config) { f.volume.kind = k } }
	free := func(b int64) func(*facts, *node.Config) { return func(f *facts, _ *node.Config) { f.volume.free = b } }
	took := func(p50, p99, most time.Duration) func(*facts, *node.Config) {
		return func(f *facts, _ *node.Config) { f.fsync.p50, f.fsync.p99, f.fsync.max = p50, p99, most }
	}
	const ms, us = time.Millisecond, time.Microsecond
	return []bad{
		{"memory", kind("tmpfs"), "file system", Fail, "--data-dir"},
		{"container layer", kind("overlay"), "file system", Warn, "mount a volume at /d"},
		{"network", kind("nfs"), "file system", Warn, "local disk"},
		{"none", free(0), "free space", Fail, "free some space"},
		{"less than a segment", free(60 << 20), "free space", Fail, "--wal-segment-bytes 7340032"},
		{"less than the start needs", func(f *facts, _ *node.Config) { f.volume.free, f.volume.logBytes = 150<<20, 0 }, "free space", Fail, "--wal-segment-bytes"},
		{"less than the bounds", free(8 << 30), "free space", Warn, "free 4.2 GiB; or --wal-hard-bytes 6274678784 --wal-soft-bytes 5019743024"},
		{"too little for any bound", free(1 << 30), "free space", Warn, "free 11.2 GiB"},
		{"few", func(f *facts, _ *node.Config) { f.volume.freeInodes = 5000 }, "inodes", Warn, "remove files"},
		{"none", func(f *facts, _ *node.Config) { f.volume.freeInodes = 3 }, "inodes", Fail, "remove files"},
		{"slow", took(4*ms, 11*ms, 20*ms), "fsync", Warn, "power-loss protection"},
		{"near a stall", took(4*ms, 9*ms, 1600*ms), "fsync", Fail, "--disk-stall-exit"},
		{"a lie", took(15*us, 30*us, ms), "fsync", Warn, "write_cache"},
		{"failed", func(f *facts, _ *node.Config) { f.fsync.err = syscall.EIO }, "fsync", Fail, "dmesg"},
	}
}

func badContents() []bad {
	of := func(change func(*contents)) func(*facts, *node.Config) {
		return func(f *facts, _ *node.Config) { change(&f.contents) }
	}
	other := of(func(d *contents) { *d = contents{err: node.ErrDataDir, identity: node.Identity{NodeID: "n2"}} })
	return []bad{
		{"another node's", other, "identity", Fail, "--node-id n2"},
		{"damaged", of(func(d *contents) { *d = contents{err: node.ErrDataDir} }), "identity", Fail, "from a copy"},
		{"not readable", of(func(d *contents) { *d = contents{err: fs.ErrPermission} }), "identity", Fail, "as the user that runs the node"},
		{"new", of(func(d *contents) { *d = contents{} }), "identity", Pass, ""},
		{"in use", of(func(d *contents) { d.holder, d.holderName, d.last = 123, "holdfast", 0 }), "in use", Warn, "kill -TERM 123"},
		{"in use by a stranger", of(func(d *contents) { d.holder = -1 }), "in use", Warn, "stop the node"},
		{"long", of(func(d *contents) { d.read = false }), "log", Warn, "--deep"},
		{"torn", of(func(d *contents) { d.tornTail = 24 }), "log", Pass, ""},
		{"corrupt", of(func(d *contents) { d.readErr = &wal.CorruptionError{Segment: "s", Offset: 4096} }), "log", Fail, "holdfast wal verify"},
		{"mixed", of(func(d *contents) { d.readErr = wal.ErrOtherCluster }), "log", Fail, "--data-dir"},
	}
}

func badMachines() []bad {
	of := func(change func(*machine)) func(*facts, *node.Config) {
		return func(f *facts, _ *node.Config) { change(&f.machine) }
	}
	return []bad{
		{"few", of(func(m *machine) { m.files = 4096 }), "open files", Fail, "LimitNOFILE=65536 in the unit, or ulimit -Hn 65536; or --max-conns 3168"},
		{"very few", of(func(m *machine) { m.files = 256 }), "open files", Fail, "LimitNOFILE=65536"},
		{"tiny", of(func(m *machine) { m.memory = 256 << 20 }), "memory", Fail, "--max-body-memory 67108864"},
		{"bounded, not told", of(func(m *machine) { m.memoryLimit = 2 << 30 }), "memory", Warn, "GOMEMLIMIT=1638MiB"},
		{"told too much", of(func(m *machine) { m.memoryLimit, m.goLimit = 2<<30, 2<<30 }), "memory", Warn, "GOMEMLIMIT=1638MiB"},
		{"told enough", of(func(m *machine) { m.memoryLimit, m.goLimit = 2<<30, 1<<30 }), "memory", Pass, ""},
		{"bound above the machine", of(func(m *machine) { m.memoryLimit, m.goLimit = 99<<30, 1<<30 }), "memory", Pass, ""},
		{"throttled", of(func(m *machine) { m.quota = 1.5 }), "processors", Warn, "GOMAXPROCS=2"},
		{"throttled by hand", of(func(m *machine) { m.quota, m.processorsSet = 2, true }), "processors", Warn, "unset GOMAXPROCS"},
		{"half a processor", of(func(m *machine) { m.quota, m.processors = 0.5, 1 }), "processors", Warn, "CPUQuota"},
		{"short", of(func(m *machine) { m.backlog = 128 }), "listen backlog", Warn, "net.core.somaxconn=4096"},
	}
}

func badClocks() []bad {
	return []bad{
		{"never set", func(f *facts, _ *node.Config) {
			f.now, f.contents.last = time.Unix(1e9, 0), 0
			f.certificate.set = false
		}, "clock", Fail, "date -s"},
		{"stepped", func(f *facts, _ *node.Config) { f.clock.stepped = -2 * time.Second }, "clock", Warn, "set-ntp"},
		{"not synchronised", func(f *facts, _ *node.Config) { f.clock.synchronised = false }, "clock", Warn, "set-ntp"},
		{"uncertain", func(f *facts, _ *node.Config) { f.clock.maxError = time.Second }, "clock", Warn, "set-ntp"},
		{"not told", func(f *facts, _ *node.Config) { f.clock = clock{} }, "clock", Warn, "timedatectl"},
		{"behind", func(f *facts, _ *node.Config) { f.contents.last = stock.TimeOf(noon.Add(time.Minute)) }, "log time", Fail, "--accept-clock"},
		{"ahead", func(f *facts, _ *node.Config) { f.contents.last = stock.TimeOf(noon.AddDate(0, 0, -8)) }, "log time", Fail, "--accept-clock"},
		{"ahead, accepted", func(f *facts, c *node.Config) {
			f.contents.last, c.AcceptClock = stock.TimeOf(noon.AddDate(0, 0, -8)), true
		}, "log time", Warn, "leave --accept-clock out"},
	}
}

func badPorts() []bad {
	refuse := func(err error) func(*facts, *node.Config) {
		return func(f *facts, _ *node.Config) {
			f.ports[0].err = &net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("bind", err)}
		}
	}
	owned := func(holder int) func(*facts, *node.Config) {
		return func(f *facts, c *node.Config) {
			refuse(syscall.EADDRINUSE)(f, c)
			f.ports[0].owner, f.ports[0].ownerName = 77, "nginx"
			if holder > 0 {
				f.contents = contents{}
			}
			f.contents.holder = holder
		}
	}
	local := func(f *facts, _ *node.Config) { f.ports[0].addr, f.ports[0].number = "127.0.0.1:40000", 40000 }
	return []bad{
		{"taken by a process", owned(0), "--http", Fail, "kill -TERM 77"},
		{"taken by the node", owned(77), "--http", Pass, ""},
		{"taken by somebody", refuse(syscall.EADDRINUSE), "--http", Fail, "ss -ltnp 'sport = :8080'"},
		{"privileged", refuse(syscall.EACCES), "--http", Fail, "ip_unprivileged_port_start=8080"},
		{"not ours", refuse(syscall.EADDRNOTAVAIL), "--http", Fail, "ip address"},
		{"anything else", refuse(syscall.EAFNOSUPPORT), "--http", Fail, "--http HOST:PORT"},
		{"no such name", func(f *facts, _ *node.Config) { f.ports[0].err = &net.DNSError{Name: "shop", IsNotFound: true} }, "--http", Fail, "getent hosts"},
		{"of outgoing connections", local, "--http", Warn, "ip_local_reserved_ports=40000"},
		{"reserved", func(f *facts, c *node.Config) {
			local(f, c)
			f.machine.reservedPorts = [][2]int{{8080, 8080}, {39000, 41000}}
		}, "--http", Pass, ""},
		{"any", func(f *facts, _ *node.Config) { f.ports[0].addr, f.ports[0].number = "127.0.0.1:0", 40000 }, "--http", Pass, ""},
	}
}

func badDoors() []bad {
	cert := func(change func(*certificate)) func(*facts, *node.Config) {
		return func(f *facts, _ *node.Config) { change(&f.certificate) }
	}
	guard := func(err error) func(*facts, *node.Config) { return func(f *facts, _ *node.Config) { f.guard = err } }
	return []bad{
		{"unguarded", guard(fmt.Errorf("--http: %w", api.ErrNotLoopback)), "settings", Fail, "--api-keys FILE --tls-cert FILE"},
		{"unguarded peer", guard(fmt.Errorf("--peer :1: %w", api.ErrNotLoopback)), "settings", Fail, "--peer 127.0.0.1:8082"},
		{"refused", guard(node.ErrConfig), "settings", Fail, "serve --help"},
		{"insecure", func(_ *facts, c *node.Config) { c.Insecure = true }, "settings", Warn, "without --insecure"},
		{"unreadable", cert(func(c *certificate) { c.err = fs.ErrPermission }), "certificate", Fail, "openssl x509"},
		{"ended", cert(func(c *certificate) { c.notAfter = noon.Add(-time.Second) }), "certificate", Fail, "renew"},
		{"not begun", cert(func(c *certificate) { c.notBefore = noon.Add(time.Hour) }), "certificate", Fail, "another certificate"},
		{"ends soon", cert(func(c *certificate) { c.notAfter = noon.AddDate(0, 0, 29) }), "certificate", Warn, "renew"},
		{"no names", cert(func(c *certificate) { c.names = nil }), "certificate", Warn, "subjectAltName"},
		{"other names", cert(func(c *certificate) { c.uncovered = []string{"10.0.0.1"} }), "certificate", Warn, "subjectAltName 10.0.0.1"},
		{"open key", cert(func(c *certificate) { c.exposed = true }), "certificate", Warn, "chmod 0600 key.pem"},
		{"unreadable", func(f *facts, _ *node.Config) { f.keys.err = fs.ErrPermission }, "API keys", Fail, "holdfast keys new"},
		{"open", func(f *facts, _ *node.Config) { f.keys.exposed = true }, "API keys", Warn, "chmod 0600 keys.yaml"},
	}
}

func badSinks() []bad {
	of := func(change func(*storage.SinkReport)) func(*facts, *node.Config) {
		return func(f *facts, _ *node.Config) { change(&f.sink.report) }
	}
	failed := func(err error) func(*facts, *node.Config) { return func(f *facts, _ *node.Config) { f.sink.err = err } }
	return []bad{
		{"away", failed(errors.New("connection refused")), "sink", Fail, "psql 'postgres://holdfast:xxxxx@h:5432/shop'"},
		{"away, of a schema", func(f *facts, c *node.Config) {
			f.sink.err, c.Sink = errors.New("refused"), "postgres://h@db/shop?search_path=s&sslmode=require"
		}, "sink", Fail, "psql 'postgres://h@db/shop?sslmode=require' -c"},
		{"no schema", func(f *facts, _ *node.Config) {
			f.sink.err, f.sink.report = errors.New("no schema"), storage.SinkReport{Role: "h"}
		}, "sink", Fail, "create schema NAME authorization h; ?search_path=NAME"},
		{"newer", failed(storage.ErrNewerSchema), "sink", Fail, "newer build"},
		{"foreign", failed(storage.ErrForeignFile), "sink", Fail, "search_path"},
		{"standby", of(func(r *storage.SinkReport) { r.ReadOnly = true }), "sink", Fail, "read-write"},
		{"grants", of(func(r *storage.SinkReport) { r.Missing = []string{"grant a", "grant b"} }), "sink", Fail, "grant a; grant b"},
		{"another cluster's", of(func(r *storage.SinkReport) { r.OtherCluster = "x" }), "sink", Fail, "--adopt-sink"},
		{"adopted", func(f *facts, c *node.Config) { f.sink.report.OtherCluster, c.AdoptSink = "x", true }, "sink", Pass, ""},
		{"no fsync", of(func(r *storage.SinkReport) { r.Fsync = "off" }), "sink durability", Warn, "fsync = on"},
		{"torn pages", of(func(r *storage.SinkReport) { r.FullPageWrites = "off" }), "sink durability", Warn, "full_page_writes = on"},
		{"forgets", of(func(r *storage.SinkReport) { r.SynchronousCommit = "off" }), "sink durability", Warn, "synchronous_commit = on"},
		{"limited", of(func(r *storage.SinkReport) { r.UnderLimit = 3 }), "sink connections", Warn, "connection limit"},
		{"a limited database", of(func(r *storage.SinkReport) { r.UnderDatabaseLimit = 3 }), "sink connections", Warn, "alter database"},
		{"full", of(func(r *storage.SinkReport) { r.Free = 3 }), "sink connections", Warn, "max_connections"},
		{"far", of(func(r *storage.SinkReport) { r.RoundTrip = time.Second }), "sink latency", Warn, "nearer"},
	}
}
