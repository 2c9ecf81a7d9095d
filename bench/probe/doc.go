// Package probe finds out what a measured run stands on: how long the disk takes to make a block durable, and what machine and build it is.
//
// A durable figure means nothing without the first: between a virtual disk that answers in 0.1 ms and one that keeps its word in 5 ms lies a factor
// of fifty. The probe writes as the log does, 4 KiB at a time into a file that already has its length, in the directory that the run will use.
//
// Files: fsync.go the disk, sync_linux.go and sync_other.go one flush, machine.go the machine and the build.
package probe
