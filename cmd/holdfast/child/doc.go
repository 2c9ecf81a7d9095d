// Package child runs a node as a process of its own, so that its power can be cut: by SIGKILL, with no chance to write or answer anything more.
//
// It promises: Start returns when the node said that it is ready, and the process never outlives its parent on Linux, nor Kill or Stop anywhere. It
// assumes that the program understands serve.
//
//	child.go        starting, killing and draining
//	ready.go        the ready line
//	tail.go         the last of what the node wrote to standard error
//	ports.go        free ports that stay free
//	group_linux.go  how the process is tied to its parent
//	group_other.go  the same elsewhere
package child
