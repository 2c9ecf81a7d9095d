// Package sdnotify tells a service manager how a process is: the datagrams of sd_notify(3), in its own few lines.
//
// It promises: a process without a service manager feels nothing, every method of a nil Socket does nothing; a send waits for a slow reader at most
// SendTimeout and never changes what the process does.
//
// It assumes that NOTIFY_SOCKET names a datagram socket of family unix: a path, or a name in the abstract name space behind an @. The manager's
// vsock: addresses are for virtual machines as a whole and are refused.
//
// Files: sdnotify.go (the socket, and the lines), watchdog.go (how often the manager wants to hear), monotonic_linux.go and monotonic_other.go
// (the clock that a reload is stamped with).
package sdnotify
