// Package program starts the servers that rivals need, from the programs on the machine.
//
// It promises that a server has a directory and a free port of its own, answers when Start returns, and is gone with its directory after Close; on
// Linux it also ends when the process that started it dies, however it dies.
//
// It assumes that whoever starts a server knows how it is asked whether it answers. Some servers do not run as root: as root they run with the
// credentials of a user that is named.
//
// Files: find.go finds programs; server.go a server's life; owner.go who runs it; process_linux.go and process_other.go what the operating systems
// differ in.
package program
