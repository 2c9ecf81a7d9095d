// Package fusetest mounts a directory a second time through a file system that fails on demand, so that faults of a disk
// reach a log, or a whole node, through the kernel.
//
// It promises: what a [Hook] lets pass reaches the directory behind as it is, writes and fsyncs one by one and in the
// order in which the kernel sends them; what it refuses reaches it not at all, or, of a short write, only its beginning.
//
// It assumes Linux with FUSE, and root: nothing but mount(2) is used. Mount skips the test where that is missing. With
// CI=true only a kernel without FUSE is a reason to skip; a missing /dev/fuse or missing rights fail the test.
//
// Files: fs_linux.go mounting and the hook, node_linux.go files and directories.
package fusetest
