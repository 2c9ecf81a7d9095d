// Package doctor examines a machine before a node is trusted to it, or when one is in trouble: whether this configuration would start here, and
// whether what it promises would hold.
//
// It promises: nothing is changed. What it writes to measure the disk is in a file without a name, gone however the process ends; an existing data
// directory's files are only read, and a node that serves meanwhile does not notice. Every finding has what was measured, and unless all is well
// the fix as a command or a setting. A FAIL means that the node would not start, or would end, or that an acknowledged order could be lost; a WARN,
// that it would be slow or exposed, or that nobody can tell.
//
// It assumes that it runs on the machine, as the user and with the settings of the node.
//
// Facts are gathered first and judged after; judging is a pure function, so that each finding has a row in a table of tests.
//
//	check.go                        findings
//	examine.go                      gather, judge
//	facts.go                        what was measured
//	directory.go volume.go fsync.go the data directory, its file system and its disk
//	datadir.go lock_*.go            what is in it already, and who has it open
//	machine.go machine_*.go         files, memory, processors, the kernel's settings
//	clock.go clock_*.go             the clock, and against the log's time
//	ports.go ports_*.go             the addresses, and who has them
//	door.go                         who may call: certificate, keys
//	others.go                       the other nodes: the certificate for them, addresses to join
//	sink.go                         PostgreSQL
//	disk_*.go                       what the system says of a directory's disk
package doctor
